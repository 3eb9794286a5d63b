"""What ferbench knows of the method before it runs. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ferbench import MethodCard, StageCard, hookimpl, settings_of


@dataclass
class SharpnessSettings:
    """Settings of the method; each is `method.NAME=VALUE` on the command line."""

    lr: float = 1e-3
    """Learning rate at the beginning; our choice, for backbones of random weights. 4e-5 in the released code, for a
    backbone that was trained to recognise faces."""
    final_rate: float = 0.98**300
    """Fraction of the learning rate at the end of training; as in the released code, 0.98 for each of 300 epochs."""
    radius: float = 0.05
    """Radius of sharpness-aware minimisation, as in the released code; 0 turns it off."""
    erasing: float = 0.5
    """Probability that a rectangle of 2 to 10 % of an image is erased, as in the released code."""
    smoothing: float = 0.2
    """Label smoothing of two thirds of the loss, as in the released code."""
    clip_norm: float = 5.0
    """Largest norm of the gradient; our choice, the released code does not clip. 0 turns it off."""


@hookimpl
def ferbench_methods() -> Iterable[MethodCard]:
    """The methods of this package."""
    return [
        MethodCard(
            name="sharp_cross_entropy",
            target="ferbench_example_sharpness.method:SharpCrossEntropy",
            title="cross-entropy under sharpness-aware minimisation, with label smoothing and random erasing",
            paper="training recipe of the released code of Zheng, Mendieta, Chen, POSTER: A Pyramid Cross-Fusion Transformer "
            "Network for Facial Expression Recognition, ICCV Workshops 2023",
            settings=SharpnessSettings,
            stages=[StageCard(name="training", settings=settings_of(SharpnessSettings))],
            ablations={
                "no_sam": {"radius": 0.0},
                "no_erasing": {"erasing": 0.0},
                "no_smoothing": {"smoothing": 0.0},
                "no_decay": {"final_rate": 1.0},
            },
            api=1,
        )
    ]
