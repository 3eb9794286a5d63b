"""What an evaluator sees of a trial: stored arrays, no networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd


@dataclass(frozen=True, eq=False)
class Syntheses:
    """M made faces, the expression of a test frame on a training subject, as judges saw them that never met the method.

    Attributes:
        expression: (M,), int: the class that each is to show. subject: (M,), int: whose face it is to be, an index into the
            columns of identity_logits.
        expression_logits: (M, C); identity_logits: (M, training subjects): the judges'.
        features: (M, D): what the expression judge sees in them; real_features: (R, D): in the test frames.
        real_expression_logits: (R, C): its verdict on the test frames, in their order.
        psnr, ssim: (M,): against the subject's own frame of that expression; NaN where it has none.
    """

    expression: np.ndarray
    subject: np.ndarray
    expression_logits: np.ndarray
    identity_logits: np.ndarray
    features: np.ndarray
    real_features: np.ndarray
    real_expression_logits: np.ndarray
    psnr: np.ndarray
    ssim: np.ndarray


@dataclass(frozen=True, eq=False)
class Outputs:
    """A trained trial on its test frames, N of them.

    Attributes:
        frames: the frame table, N rows.
        expressions: the C classes in the order of the logits' columns.
        logits: (N, C), float32.
        features: (N, D), float32, the representation that is judged.
        references: further representations of the same frames, by name, each (N, D'): the floors "pixels" (what the image
            itself tells) and "untrained" (the backbone before training), and the ceiling "identity" (the backbone trained to
            tell the training subjects apart), where judges were trained.
        identity_features: (N, D''), float32, of methods that have a representation of identity too.
        syntheses: of methods that synthesise, where judges were trained.
    """

    frames: pd.DataFrame
    expressions: tuple[str, ...]
    logits: np.ndarray
    features: np.ndarray
    references: Mapping[str, np.ndarray] = field(default_factory=dict)
    identity_features: np.ndarray | None = None
    syntheses: Syntheses | None = None

    @property
    def representations(self) -> dict[str, np.ndarray]:
        """The judged representation by "", and the references by "/NAME", as they are written behind a metric's name."""
        return {"": self.features} | {f"/{name}": features for name, features in self.references.items()}

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
