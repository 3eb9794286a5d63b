"""What ferbench knows of the method before it runs. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ferbench import MethodCard, StageCard, hookimpl, settings_of


@dataclass
class IslandLossSettings:
    """Settings of the method; each is `method.NAME=VALUE` on the command line."""

    lr: float = 0.01
    """Learning rate of the networks at the beginning; our choice."""
    momentum: float = 0.9
    """Momentum of SGD, as in the paper."""
    weight_decay: float = 5e-4
    """Weight decay of the networks; our reading. Centers have none."""
    center_weight: float = 0.01
    """Weight of center loss and island loss beside cross-entropy (lambda); our reading."""
    island_weight: float = 10.0
    """Weight of the cosines between centers beside the center loss (lambda 1); our reading."""
    center_rate: float = 0.5
    """Learning rate of the centers at the beginning (alpha); our reading."""
    train_centers: bool = False
    """Whether centers are trained with the networks, instead of by the rule of the paper."""


@hookimpl
def ferbench_methods() -> Iterable[MethodCard]:
    """The methods of this package."""
    return [
        MethodCard(
            name="island_loss",
            target="ferbench_example_islands.method:IslandLoss",
            title="cross-entropy, features near the center of their class, and centers turned away from each other",
            paper="Cai, Meng, Khan, Li, O'Reilly, Tong, Island Loss for Learning Discriminative Features in "
            "Facial Expression Recognition, FG 2018",
            settings=IslandLossSettings,
            stages=[StageCard(name="training", settings=settings_of(IslandLossSettings))],
            ablations={
                "no_centers": {"center_weight": 0.0},
                "no_island": {"island_weight": 0.0},
                "trained_centers": {"train_centers": True},
            },
            api=1,
        )
    ]
