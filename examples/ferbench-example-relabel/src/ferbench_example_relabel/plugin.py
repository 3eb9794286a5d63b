"""What ferbench knows of the method before it runs. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ferbench import MethodCard, StageCard, hookimpl, settings_of


@dataclass
class ScnSettings:
    """Settings of the method; each is `method.NAME=VALUE` on the command line. "Code" is the authors' train.py."""

    lr: float = 1e-3
    """Learning rate of Adam at the beginning, as in the code."""
    weight_decay: float = 1e-4
    """Weight decay, added to the gradient, as in the code."""
    weighting: bool = True
    """Whether logits are multiplied by the importance of their image."""
    ranking_weight: float = 1.0
    """Weight of the rank regularisation beside cross-entropy, as in the code; (1 - gamma) / gamma of the paper."""
    high_share: float = 0.7
    """Share of the images in the group of high importance (beta), as in the code."""
    ranking_margin: float = 0.07
    """How far the mean importance of both groups is to be apart (delta 1): the authors' advice for batches of 64. The
    paper has 0.15, with batches of 1024."""
    relabel_margin: float = 0.2
    """By how much another class has to be more probable than that of the label (delta 2), as in the code."""
    relabel_from: float = 9 / 70
    """Fraction of the stage after which labels change: in the code, from the tenth of 70 epochs. 1 for never."""
    erasing: float = 0.5
    """Probability that a rectangle of an image is erased, as in the code."""


@hookimpl
def ferbench_methods() -> Iterable[MethodCard]:
    """The methods of this package."""
    return [
        MethodCard(
            name="scn",
            target="ferbench_example_relabel.method:SelfCure",
            title="images weighted by a learned importance, and labels of the least important ones changed",
            paper="Wang, Peng, Yang, Meng, Qiao, Suppressing Uncertainties for Large-Scale Facial Expression Recognition, "
            "CVPR 2020",
            settings=ScnSettings,
            stages=[StageCard(name="training", settings=settings_of(ScnSettings))],
            ablations={
                "no_weighting": {"weighting": False},
                "no_ranking": {"ranking_weight": 0.0},
                "no_relabelling": {"relabel_from": 1.0},
                "no_erasing": {"erasing": 0.0},
            },
            synchronised=True,
            api=1,
        )
    ]
