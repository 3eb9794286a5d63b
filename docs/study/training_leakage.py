"""Identity leakage of the *training* subjects: whether an adversary that seems beaten was only misled. No goal.

    python docs/study/training_leakage.py RESULTS [TRIAL ...]

`identity_leakage` asks about strangers, as a user of the features would. An adversary plays on the subjects of training, so its
game is judged on them: the same probes, tested on other expressions than they were fitted on, and a network with one hidden layer,
which is what an adversary usually is; on all training frames, not augmented. Prints a line for each trial named (by the first
letters of its id; else all of RESULTS).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ferbench.cli.records import find
from ferbench.evaluation.inference import over_batches
from ferbench.evaluation.measures.leakage import leakage
from ferbench.evaluation.measures.probes import Probe, Split, linear_probe, nearest_neighbours
from ferbench.execution.gradients import trained
from ferbench.records.store import Store


def hidden_layer(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray, splits: Sequence[Split]
) -> list[np.ndarray]:
    """An adversary trained to its end: one hidden layer, as wide as the feature."""
    network = make_pipeline(StandardScaler(), MLPClassifier((features.shape[1],), max_iter=300, random_state=0))
    return [network.fit(features[fit], labels[fit]).predict(features[test]) for fit, test in splits]


PROBES: dict[str, Probe] = {
    "linear": linear_probe,
    "nearest neighbour": nearest_neighbours,
    "hidden layer": hidden_layer,
}


def main() -> None:
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    results, *trials = sys.argv[1:]
    store = Store(results)
    stored = [(record, store.path(record.trial.id)) for record in store.scan()[0]]
    for record, folder in [find(trial, [results]) for trial in trials] or stored:
        setup = trained(record, folder)
        labels = setup.fold.labels
        method = setup.method.eval()
        with setup.device.autocast():
            features = over_batches(method.features, setup.images, labels.rows)
        subjects, expressions = labels.subject.cpu().numpy(), labels.expression.cpu().numpy()
        found = {name: leakage(features, subjects, expressions, probe) for name, probe in PROBES.items()}
        print(
            f"{record.trial.label}: "
            + ", ".join(f"{name} {value:.2f}" for name, value in found.items())
            + f"; test subjects, linear {record.metrics['identity_leakage']:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
