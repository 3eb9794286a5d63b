"""What ferbench knows of the method before it runs. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ferbench import MethodCard, StageCard, hookimpl, settings_of


@dataclass
class CenterLossSettings:
    """Settings of the method; each is `method.NAME=VALUE` on the command line."""

    lr: float = 1e-3
    """Learning rate of all networks."""
    center_weight: float = 0.003
    """Weight of the center loss; 0.003 in the paper."""


@hookimpl
def ferbench_methods() -> Iterable[MethodCard]:
    """The methods of this package."""
    return [
        MethodCard(
            name="center_loss",
            target="ferbench_example_method.method:CenterLoss",
            title="cross-entropy, and features drawn to the center of their class",
            paper="Wen, Zhang, Li, Qiao, A Discriminative Feature Learning Approach for Deep Face Recognition, ECCV 2016",
            settings=CenterLossSettings,
            stages=[StageCard(name="training", settings=settings_of(CenterLossSettings))],
            ablations={"no_center": {"center_weight": 0.0}},
            api=1,
        )
    ]
