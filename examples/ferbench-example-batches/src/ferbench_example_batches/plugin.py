"""What ferbench knows of the method before it runs. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ferbench import MethodCard, StageCard, hookimpl, settings_of


@dataclass
class IdentityTripletsSettings:
    """Settings of the method; each is `method.NAME=VALUE` on the command line."""

    lr: float = 1e-3
    """Learning rate of all networks."""
    triplet_weight: float = 0.5
    """Weight of the triplet loss; our reading."""
    margin: float = 0.2
    """Margin of the triplet loss, in squared distances of features of length 1; our reading."""
    frames: int = 4
    """K, frames of each subject in a batch; 0 for batches in random order."""


@hookimpl
def ferbench_methods() -> Iterable[MethodCard]:
    """The methods of this package."""
    return [
        MethodCard(
            name="identity_triplets",
            target="ferbench_example_batches.method:IdentityTriplets",
            title="cross-entropy, and triplets of other people with the expression and the same person with another",
            paper="after Liu, Vijaya Kumar, You, Jia, Adaptive Deep Metric Learning for Identity-Aware FER, CVPR Workshops 2017; "
            "the hardest in a batch as in Hermans, Beyer, Leibe, In Defense of the Triplet Loss, 2017",
            settings=IdentityTripletsSettings,
            needs=frozenset({"subject"}),
            stages=[StageCard(name="training", settings=settings_of(IdentityTripletsSettings))],
            ablations={"no_triplets": {"triplet_weight": 0.0}, "random_batches": {"frames": 0}},
            api=1,
        )
    ]
