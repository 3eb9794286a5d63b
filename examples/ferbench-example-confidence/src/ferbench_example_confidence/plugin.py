"""What ferbench knows of the method before it runs. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ferbench import MethodCard, StageCard, hookimpl, settings_of


@dataclass
class AdaCMSettings:
    """Settings of the method; each is `method.NAME=VALUE` on the command line."""

    lr: float = 5e-4
    """Learning rate of all networks, as in the released code."""
    weight_decay: float = 0.02
    """Weight decay; the released code multiplies weights by 1 - 0.02 lr after each step of Adam."""
    labelled_weight: float = 0.5
    """Weight of cross-entropy on labelled frames, as in the released code."""
    pseudo_weight: float = 1.0
    """Weight of cross-entropy with pseudo-labels above the margin, as in the released code."""
    contrast_weight: float = 0.1
    """Weight of the contrast between two views below the margin, as in the released code."""
    temperature: float = 0.07
    """Temperature of the contrast, as in the released code."""
    least_margin: float = 0.8
    """What a margin is at the beginning and at least, as in the released code."""
    adaptive: bool = True
    """Whether margins are learnt from labelled frames before each epoch."""
    decay: float = 0.999
    """Decay of the average of weights, as in the released code, which trains 16,000 steps. A training of some hundred steps
    needs less: the average lags behind, and its confidence stays below every margin."""
    judge_average: bool = True
    """Whether features are those of the average of weights, as in the released code."""


@hookimpl
def ferbench_methods() -> Iterable[MethodCard]:
    """The methods of this package."""
    return [
        MethodCard(
            name="ada_cm",
            target="ferbench_example_confidence.method:AdaCM",
            title="pseudo-labels of unlabelled frames above a learnt margin of confidence, contrast of two views below it",
            paper="Li, Wang, Yang, Wang, Gao, Towards Semi-Supervised Deep Facial Expression Recognition with An Adaptive "
            "Confidence Margin, CVPR 2022",
            settings=AdaCMSettings,
            needs=frozenset({"extra"}),
            unlabelled=True,
            # who is judged has no part in training: both variants share the stage
            stages=[StageCard(name="training", settings=settings_of(AdaCMSettings) - {"judge_average"}, data="both")],
            ablations={
                "fixed_margin": {"adaptive": False},
                "no_contrast": {"contrast_weight": 0.0},
                "no_unlabelled": {"pseudo_weight": 0.0, "contrast_weight": 0.0},
                "judge_student": {"judge_average": False},
            },
            api=1,
        )
    ]
