"""What ferbench knows of the method before it runs. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ferbench import MethodCard, StageCard, hookimpl, settings_of


@dataclass
class MomentumSettings:
    """Settings of the method; each is `method.NAME=VALUE` on the command line."""

    lr: float = 1e-3
    """Learning rate of all networks."""
    decay: float = 0.99
    """Decay of the teacher's weights; 0.999 in the paper, whose trainings have a thousand times as many steps."""
    queue: int = 1024
    """Number of keys in the queue; 65536 in the paper, for a thousand times as many images."""
    width: int = 64
    """Length of queries and keys; 128 in the paper."""
    temperature: float = 0.07
    """Temperature of the contrast, as in the paper."""
    contrast_weight: float = 0.5
    """Weight of the contrast beside cross-entropy; our choice."""
    judge_teacher: bool = True
    """Whether features are the teacher's and not the student's; our choice, as in Mean Teacher."""


@hookimpl
def ferbench_methods() -> Iterable[MethodCard]:
    """The methods of this package."""
    return [
        MethodCard(
            name="momentum_contrast",
            target="ferbench_example_momentum.method:MomentumContrast",
            title="cross-entropy, and contrast with a queue of a momentum teacher's keys",
            paper="He, Fan, Wu, Xie, Girshick, Momentum Contrast for Unsupervised Visual Representation Learning, CVPR 2020",
            settings=MomentumSettings,
            # who is judged has no part in training: both variants share the stage
            stages=[StageCard(name="training", settings=settings_of(MomentumSettings) - {"judge_teacher"})],
            ablations={"no_contrast": {"contrast_weight": 0.0}, "judge_student": {"judge_teacher": False}},
            api=1,
        )
    ]
