"""The input of an evaluator: the stored arrays of a trial. It has no access to networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pandas as pd

T = TypeVar("T")


@dataclass(frozen=True)
class PerSubject:
    """A metric as the mean of a value of each test subject. An evaluator that returns it instead of a number gives boards what they
    need for intervals, tests and ranks of the metric.

    Attributes:
        values: by subject ID, for all test subjects that count; none of them NaN.

    >>> PerSubject({"P1": 0.25, "P2": 0.75}).mean
    0.5
    """

    values: Mapping[str, float]

    @property
    def mean(self) -> float:
        """The metric. Raises ZeroDivisionError without subjects."""
        return math.fsum(self.values.values()) / len(self.values)


Value = float | PerSubject | None
"""What an evaluator gives for a metric; None where the data do not allow it."""


@dataclass(frozen=True, eq=False)
class Syntheses:
    """M synthesised faces, each the expression of a test frame transferred to a training subject, and what the judges say of
    them. The judges are networks for expression and for identity that are trained separately from the method.

    Attributes:
        expression: (M,), int, the expression that each face should show, a class index.
        subject: (M,), int, the subject that each face should show, an index into the columns of `identity_logits`.
        expression_logits: (M, C), float, output of the expression judge.
        identity_logits: (M, number of training subjects), float, output of the identity judge.
        features: (M, D), float, features of the synthesised faces in the expression judge.
        real_features: (R, D), float, features of the R test frames in the expression judge.
        real_expression_logits: (R, C), float, output of the expression judge for the test frames, in their order.
        psnr: (M,), float, peak signal-to-noise ratio in dB, compared with the subject's own frame of that expression; NaN if
            there is none.
        ssim: (M,), float, structural similarity in [-1, 1], compared with the same frame; NaN if there is none.
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
    """The outputs of a trained method on the N test frames of a trial.

    Attributes:
        frames: frame table of the test frames, N rows.
        expressions: names of the C classes, in the order of the columns of `logits`.
        logits: (N, C), float32.
        features: (N, D), float32, the expression representation that is evaluated.
        references: (N, D'), float32, representations for comparison, by name: the lower bounds "pixels" (the image itself) and
            "untrained" (the backbone before training), and, if judges were trained, the upper bound "identity" (the backbone
            trained to classify the training subjects).
        identity_features: (N, D''), float32, the identity representation; None if the method has none.
        syntheses: synthesised faces; None if the method does not synthesise or no judges were trained.
        estimates: (N,), float32, by name of a column of `frames`: factors that the method estimates, of action units ("auN") the
            probability that they are present; empty if it estimates none.
        device: "cpu" or "cuda", where torch may work out measures. They agree up to rounding.
    """

    frames: pd.DataFrame
    expressions: tuple[str, ...]
    logits: np.ndarray
    features: np.ndarray
    references: Mapping[str, np.ndarray] = field(default_factory=dict)
    identity_features: np.ndarray | None = None
    syntheses: Syntheses | None = None
    device: str = "cpu"
    estimates: Mapping[str, np.ndarray] = field(default_factory=dict)
    _known: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def once(self, key: str, compute: Callable[[Outputs], T]) -> T:
        """compute(self), worked out at the first call with `key` and remembered as long as these outputs live. For evaluators that
        build on another's measure: an evaluator that others may ask again is a function of one line,

            return outputs.once(__name__, _evaluate)

        Args:
            key: names the computation; take the module's `__name__`, which no other has.
        """
        if key not in self._known:
            self._known[key] = compute(self)
        found: T = self._known[key]
        return found

    @property
    def representations(self) -> dict[str, np.ndarray]:
        """All representations by the suffix of their metrics' names: "" for `features`, "/NAME" for the reference NAME."""
        return {"": self.features} | {f"/{name}": features for name, features in self.references.items()}

    @property
    def labels(self) -> np.ndarray:
        """(N,), int, index of the true class."""
        return (
            self.frames["expression"].map({e: i for i, e in enumerate(self.expressions)}).to_numpy(dtype=int, copy=True)
        )

    @property
    def subjects(self) -> np.ndarray:
        """(N,), str, subject of each test frame."""
        return self.frames["subject"].to_numpy(dtype=str)

    @property
    def probabilities(self) -> np.ndarray:
        """(N, C), float64, softmax of the logits: each row adds up to 1. In float32, logits that differ by little would tie."""
        logits = self.logits.astype(np.float64)
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        result: np.ndarray = shifted / shifted.sum(axis=1, keepdims=True)
        return result
