"""What the metrics of features share: they collect features with two labels, and look at all of them in the end."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric


class FeatureMetric(Metric):
    """Collects features; `update` may be called batch by batch, and on several processes."""

    is_differentiable = False
    full_state_update = False

    features: list[Tensor]
    subjects: list[Tensor]
    expressions: list[Tensor]

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name in ("features", "subjects", "expressions"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, features: Tensor, subjects: Tensor, expressions: Tensor) -> None:
        """features: (B, D), float; subjects, expressions: (B,), int, any numbers.

        Raises:
            ValueError: the shapes do not go together.
        """
        if features.ndim != 2 or subjects.shape != expressions.shape or subjects.shape != features.shape[:1]:
            shapes = ", ".join(str(tuple(t.shape)) for t in (features, subjects, expressions))
            raise ValueError(
                f"features, subjects and expressions have the shapes {shapes}; wanted are (B, D), (B,), (B,)."
            )
        self.features.append(features.detach().float())
        self.subjects.append(subjects.detach())
        self.expressions.append(expressions.detach())

    def compute(self) -> Tensor:
        """() float.

        Raises:
            NotMeasurable: there are too few subjects or expressions.
        """
        features, subjects, expressions = map(_joined, (self.features, self.subjects, self.expressions))
        # as text, in whose order a frame table's subjects are divided too
        return torch.tensor(self.score(features, subjects.astype(str), expressions.astype(str)), dtype=torch.float32)

    @abstractmethod
    def score(self, features: np.ndarray, subjects: np.ndarray, expressions: np.ndarray) -> float:
        """(N, D), (N,), (N,) -> the figure."""


class FactorMetric(Metric):
    """Collects codes with the factors of variation behind them."""

    is_differentiable = False
    full_state_update = False

    features: list[Tensor]
    factors: list[Tensor]

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name in ("features", "factors"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, features: Tensor, factors: Tensor) -> None:
        """features: (B, D), float; factors: (B, F), int, the levels of each factor.

        Raises:
            ValueError: the shapes do not go together.
        """
        if features.ndim != 2 or factors.ndim != 2 or len(features) != len(factors):
            raise ValueError(
                f"features and factors have the shapes {tuple(features.shape)}, {tuple(factors.shape)}; wanted are (B, D), (B, F)."
            )
        self.features.append(features.detach().float())
        self.factors.append(factors.detach())

    def compute(self) -> Tensor:
        """() float.

        Raises:
            ValueError: a factor has one level.
        """
        features, factors = _joined(self.features), _joined(self.factors)
        codes = {str(i): np.unique(column, return_inverse=True)[1] for i, column in enumerate(factors.T)}
        if flat := next((name for name, column in codes.items() if not column.any()), None):
            raise ValueError(f"Factor {flat} has the same level everywhere.")
        return torch.tensor(self.score(features, codes), dtype=torch.float32)

    @abstractmethod
    def score(self, features: np.ndarray, factors: dict[str, np.ndarray]) -> float:
        """(N, D), (N,) by factor -> the figure."""

    @staticmethod
    def fitted_half(features: np.ndarray, factors: dict[str, np.ndarray]) -> np.ndarray:
        """(N,), bool: a half to fit on, with as many frames of each level as can be; the same for any order of the frames."""
        order = np.lexsort([*features.T, *factors.values()])
        chosen = np.zeros(len(features), dtype=bool)
        chosen[order[::2]] = True
        return chosen


def _joined(state: Any) -> np.ndarray:
    """A list state is one tensor after it was gathered from several processes."""
    return (torch.cat(list(state)) if isinstance(state, list | tuple) else state).cpu().numpy()
