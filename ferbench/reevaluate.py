"""`ferbench evaluate`: metrics of finished records, from what they stored, without training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ferbench import fingerprint
from ferbench.cards import EvaluatorCard
from ferbench.errors import FerbenchError, UnknownName
from ferbench.evaluation.measure import measure
from ferbench.interfaces.evaluator import Outputs, Syntheses
from ferbench.records import Record
from ferbench.registry import Registry
from ferbench.store import Store

NOT_READ = frozenset({"synthesis.npy", "losses.parquet"})


@dataclass(frozen=True)
class Evaluated:
    """What was worked out for a record: metrics (None where the data did not allow one) and the sentences on those; or an
    error, where the record's files do not let it be judged."""

    record: Record
    metrics: dict[str, float | None]
    notes: tuple[str, ...] = ()
    error: str = ""


def outputs_of(folder: Path, record: Record) -> Outputs:
    """A trial's outputs as they were stored.

    Raises:
        FerbenchError: a file is missing or is not the one that the record names.
    """
    for name, digest in record.files.items():
        if name in NOT_READ or not name.endswith((".parquet", ".npy", ".npz")):
            continue
        path = folder / name
        if not path.is_file():
            raise FerbenchError(f"{path} is missing.")
        if fingerprint.file_digest(path) != digest:
            raise FerbenchError(f"{path} is not the file that its record names; it was changed.")

    def array(name: str) -> np.ndarray | None:
        return np.load(folder / name, allow_pickle=False) if (folder / name).is_file() else None

    table = pd.read_parquet(folder / "predictions.parquet")
    frames = table.drop(columns=[f"p_{expression}" for expression in record.expressions])
    features, logits = array("embeddings.npy"), array("logits.npy")
    if features is None or logits is None:
        raise FerbenchError(f"{folder} has no embeddings or logits.")
    made = None
    if (folder / "syntheses.npz").is_file():
        with np.load(folder / "syntheses.npz", allow_pickle=False) as arrays:
            made = Syntheses(**{name: arrays[name] for name in arrays.files})
    references = {
        path.stem.partition("_")[2]: np.load(path, allow_pickle=False)
        for prefix in ("floor", "reference")  # the first is how they were called once
        for path in sorted(folder.glob(f"{prefix}_*.npy"))
    }
    return Outputs(frames, record.expressions, logits, features, references, array("identity_embeddings.npy"), made)


def chosen(registry: Registry, metrics: Sequence[str]) -> list[EvaluatorCard]:
    """The evaluators that give these metrics; all for none.

    Raises:
        UnknownName: no evaluator gives such a metric.
    """
    cards = list(registry.catalogue(EvaluatorCard).values())
    names = {metric.name for card in cards for metric in card.metrics}
    for metric in metrics:
        if metric not in names:
            raise UnknownName("metric", metric, names)
    return [card for card in cards if not metrics or {m.name for m in card.metrics} & set(metrics)]


def evaluate(
    registry: Registry, store: Store, records: Sequence[Record], cards: Sequence[EvaluatorCard], again: bool = False
) -> Iterator[Evaluated]:
    """Work out the metrics of `cards` that records lack (all of them with `again`) and keep them beside the records, which stay as
    they are. Yields one result a record for which something was done."""
    for record in records:
        lacking = [card for card in cards if again or not {m.name for m in card.metrics} & set(record.metrics)]
        if not lacking:
            continue
        try:
            outputs = outputs_of(store.path(record.trial.id), record)
        except (FerbenchError, OSError, ValueError, KeyError, TypeError) as error:
            yield Evaluated(record, {}, error=str(error))
            continue
        metrics, notes = measure(lacking, outputs)
        store.write_evaluated(record.trial.id, metrics)
        yield Evaluated(record, metrics, tuple(notes))
