"""What ferbench knows of the method before it runs. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ferbench import MethodCard, StageCard, hookimpl, settings_of


@dataclass
class FrameAttentionSettings:
    """Settings of the method; each is `method.NAME=VALUE` on the command line."""

    lr: float = 1e-3
    """Learning rate of all networks."""
    frames: int = 4
    """Number of frames of a clip; our choice."""
    attention: bool = True
    """Whether frames are weighted; without it, each counts alike."""
    relation: bool = True
    """Whether the weights depend on the whole clip too, and not on each frame alone."""


@hookimpl
def ferbench_methods() -> Iterable[MethodCard]:
    """The methods of this package."""
    return [
        MethodCard(
            name="frame_attention",
            target="ferbench_example_clips.method:FrameAttention",
            title="cross-entropy on clips, whose frames are weighted by attention",
            paper="Meng, Peng, Wang, Qiao, Frame attention networks for facial expression recognition in videos, ICIP 2019, "
            "arXiv:1907.00193",
            settings=FrameAttentionSettings,
            clip="frames",
            stages=[StageCard(name="training", settings=settings_of(FrameAttentionSettings))],
            ablations={
                "no_attention": {"attention": False},
                "no_relation": {"relation": False},
                "last_frame": {"frames": 1},
            },
            api=1,
        )
    ]
