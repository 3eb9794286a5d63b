"""Card of the small convolutional backbone."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.cards import BackboneCard
from ferbench.hookspecs import hookimpl


@dataclass
class ConvNetSettings:
    """Attributes:
    width: channels of the finest map; each further map has twice as many, up to 8 times.
    levels: number of maps; each is half the size of the one before, the first half the image's.
    """

    width: int = 32
    levels: int = 4


@hookimpl
def ferbench_backbones() -> list[BackboneCard]:
    return [
        BackboneCard(
            name="convnet",
            target="ferbench_convnet.backbone:ConvNet",
            title="small encoder of 3x3 convolutions with batch normalisation, not pretrained",
            settings=ConvNetSettings,
        )
    ]
