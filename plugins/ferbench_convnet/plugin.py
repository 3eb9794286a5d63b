"""Card of the small convolutional backbone."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.cards import BackboneCard
from ferbench.hookspecs import hookimpl


@dataclass
class ConvNetSettings:
    """Attributes:
    width: channels of the finest map. Each further map has twice as many, up to 8 * width.
    levels: number of maps. The first has half the width and height of the image, each further one half of the map before.
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
            small={"width": 8},
        )
    ]
