"""Cards of the baselines."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.cards import MethodCard, StageCard
from ferbench.hookspecs import hookimpl


@dataclass
class CrossEntropySettings:
    """Attributes:
    lr, weight_decay: AdamW's, with a cosine schedule.
    label_smoothing: of the cross-entropy.
    """

    lr: float = 1e-3
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0


@hookimpl
def ferbench_methods() -> list[MethodCard]:
    return [
        MethodCard(
            name="cross_entropy",
            target="ferbench_baselines.cross_entropy:CrossEntropy",
            title="the backbone and a linear classifier: the number each claim is measured against",
            settings=CrossEntropySettings,
            stages=[StageCard(name="training", settings=frozenset({"lr", "weight_decay", "label_smoothing"}))],
        )
    ]
