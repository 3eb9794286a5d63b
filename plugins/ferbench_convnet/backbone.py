"""A small encoder. Each level has two 3x3 convolutions, of which the first has stride 2."""

from __future__ import annotations

from torch import Tensor, nn

from ferbench import Backbone, FerbenchError
from ferbench_convnet.plugin import ConvNetSettings


def _unit(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


class ConvNet(Backbone):
    """Level l (from 0) has min(2^l, 8) * width channels and 1 / 2^(l+1) of the image's width and height.

    Raises:
        FerbenchError: the image size is not a multiple of 2^levels.
    """

    def __init__(self, settings: ConvNetSettings, image_size: int) -> None:
        super().__init__()
        if image_size % 2**settings.levels:
            raise FerbenchError(
                f"backbone.levels={settings.levels} halves the image {settings.levels} times; "
                f"preparation.image_size={image_size} is not a multiple of {2**settings.levels}."
            )
        self.channels = tuple(settings.width * min(2**level, 8) for level in range(settings.levels))
        self.reductions = tuple(2 ** (level + 1) for level in range(settings.levels))
        inputs = (3, *self.channels[:-1])
        self.blocks = nn.ModuleList(
            nn.Sequential(*_unit(i, o, 2), *_unit(o, o, 1)) for i, o in zip(inputs, self.channels, strict=True)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = []
        for block in self.blocks:
            images = block(images)
            maps.append(images)
        return maps
