"""What ferbench knows of the method before it runs. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ferbench import MethodCard, StageCard, hookimpl, settings_of


@dataclass
class TupletSettings:
    """Settings of the method; each is `method.NAME=VALUE` on the command line."""

    lr: float = 1e-3
    """Learning rate of all networks."""
    tuplet_weight: float = 0.5
    """Weight of the tuplet loss beside cross-entropy; our reading."""
    threshold: float = 0.5
    """Threshold between positives and negatives at the beginning (T), in squared distances; our reading."""
    gap: float = 0.4
    """Gap between positives and negatives (tau), in the same unit; our reading."""
    threshold_rate: float = 0.01
    """Learning rate of the threshold; 0 keeps it as it is; our reading."""
    frames: int = 4
    """K, frames of each subject in a batch; 0 for batches in random order."""


@hookimpl
def ferbench_methods() -> Iterable[MethodCard]:
    """The methods of this package."""
    return [
        MethodCard(
            name="identity_tuplets",
            target="ferbench_example_tuplets.method:IdentityTuplets",
            title="cross-entropy, and clusters of an expression apart from other expressions of the same person",
            paper="after Liu, Vijaya Kumar, You, Jia, Adaptive Deep Metric Learning for Identity-Aware FER, "
            "CVPR Workshops 2017",
            settings=TupletSettings,
            needs=frozenset({"subject"}),
            stages=[StageCard(name="training", settings=settings_of(TupletSettings))],
            ablations={
                "no_tuplets": {"tuplet_weight": 0.0},
                "fixed_threshold": {"threshold_rate": 0.0},
                "random_batches": {"frames": 0},
            },
            synchronised=True,
            api=1,
        )
    ]
