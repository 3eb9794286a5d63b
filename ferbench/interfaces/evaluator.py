"""What an evaluator sees of a trial: stored arrays, no networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd


@dataclass(frozen=True, eq=False)
class Outputs:
    """A trained trial on its test frames, N of them.

    Attributes:
        frames: the frame table, N rows.
        expressions: the C classes in the order of the logits' columns.
        logits: (N, C), float32.
        features: (N, D), float32, the representation that is judged.
        floors: further representations of the same frames, by name: "pixels" (what the image itself tells) and
            "untrained" (the backbone before training), each (N, D').
    """

    frames: pd.DataFrame
    expressions: tuple[str, ...]
    logits: np.ndarray
    features: np.ndarray
    floors: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def labels(self) -> np.ndarray:
        """(N,), int: index of the true class."""
        return (
            self.frames["expression"].map({e: i for i, e in enumerate(self.expressions)}).to_numpy(dtype=int, copy=True)
        )

    @property
    def subjects(self) -> np.ndarray:
        return self.frames["subject"].to_numpy(dtype=str)

    @property
    def probabilities(self) -> np.ndarray:
        """(N, C): softmax of the logits."""
        shifted = np.exp(self.logits - self.logits.max(axis=1, keepdims=True))
        return shifted / shifted.sum(axis=1, keepdims=True)
