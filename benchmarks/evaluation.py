"""All standard metrics of one trial: 1,440 frames of 24 subjects and 6 expressions, 512 features. `python benchmarks/evaluation.py`

Features are made with a spectrum like that of trained networks (`made_features`): random ones would take a third of the time.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import torch

from ferbench.evaluation.measure import measure, standard
from ferbench.execution.estimate import made_features
from ferbench.interfaces.evaluator import Outputs
from ferbench.registry.loader import load_registry

SUBJECTS, EXPRESSIONS, FRAMES = 24, ("anger", "disgust", "fear", "happiness", "sadness", "surprise"), 10
WIDTH = 512


def table() -> pd.DataFrame:
    """A sequence of FRAMES frames of each subject and expression."""
    frames = np.arange(SUBJECTS * len(EXPRESSIONS) * FRAMES)
    sequence = frames // FRAMES
    return pd.DataFrame(
        {
            "frame_id": frames.astype(str),
            "subject": (sequence // len(EXPRESSIONS)).astype(str),
            "sequence": sequence.astype(str),
            "position": frames % FRAMES / (FRAMES - 1),
            "expression": np.array(EXPRESSIONS)[sequence % len(EXPRESSIONS)],
        }
    )


def main() -> None:
    frames = table()
    logits, features = made_features(frames, len(EXPRESSIONS)), made_features(frames, WIDTH)
    cards = standard(load_registry(), Outputs(frames, EXPRESSIONS, logits, features))
    for device in ["cpu", *["cuda"] * torch.cuda.is_available()]:
        times = []
        for _ in range(3):
            start = time.perf_counter()
            measure(cards, Outputs(frames, EXPRESSIONS, logits, features, device=device))
            times.append(time.perf_counter() - start)
        print(f"{device}: " + ", ".join(f"{seconds:.2f} s" for seconds in times), flush=True)


if __name__ == "__main__":
    main()
