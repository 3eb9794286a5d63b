"""The improved residual network with which ArcFace is trained (Deng et al., arXiv:1801.07698).

A block is batch norm, 3x3 convolution, batch norm, PReLU, 3x3 convolution, batch norm. The parts are called as in InsightFace's
PyTorch models, so that files of their weights can be given as `backbone.weights`. These expect aligned RGB faces of 112 x 112 in
[-1, 1]; convolutions take other sizes too. Their head (bn2, fc, features), which makes a vector of 512, is not part of the maps.
"""

from __future__ import annotations

from torch import Tensor, nn

from ferbench import Backbone, FerbenchError
from ferbench_iresnet.plugin import IResNetSettings

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3), 200: (6, 26, 60, 6)}
"""Blocks of each of the four parts, by the number of layers."""

WIDTHS = (64, 128, 256, 512)


class Block(nn.Module):
    """Two convolutions beside a short cut.

    Args:
        inputs, outputs: channels. stride: of the second convolution.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, maps: Tensor) -> Tensor:
        found: Tensor = self.conv1(self.bn1(maps))
        found = self.bn3(self.conv2(self.prelu(self.bn2(found))))
        return found + (maps if self.downsample is None else self.downsample(maps))


class IResNet(Backbone):
    """Four maps with 64, 128, 256 and 512 channels, of 1/2 to 1/16 of the image's width and height.

    Raises:
        FerbenchError: there is no network of that depth, or the image size is not a multiple of 16.
    """

    channels = WIDTHS
    reductions = (2, 4, 8, 16)

    def __init__(self, settings: IResNetSettings, image_size: int) -> None:
        super().__init__()
        if settings.depth not in BLOCKS:
            raise FerbenchError(f"backbone.depth={settings.depth} has to be one of {', '.join(map(str, BLOCKS))}.")
        if image_size % self.reductions[-1]:
            raise FerbenchError(
                f"preparation.image_size={image_size} is not a multiple of {self.reductions[-1]}, as this backbone needs it."
            )
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.prelu = nn.PReLU(WIDTHS[0])
        inputs = (WIDTHS[0], *WIDTHS[:-1])
        for number, count in enumerate(BLOCKS[settings.depth]):
            width = WIDTHS[number]
            rest = [Block(width, width, 1) for _ in range(count - 1)]
            self.add_module(f"layer{number + 1}", nn.Sequential(Block(inputs[number], width, 2), *rest))
        self._initialise()

    def _initialise(self) -> None:
        """Random weights of convolutions are normal with a deviation of 0.1: our choice, the paper does not say it."""
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.normal_(part.weight, std=0.1)

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = self.prelu(self.bn1(self.conv1(images)))
        found = []
        for number in range(len(WIDTHS)):
            maps = self.get_submodule(f"layer{number + 1}")(maps)
            found.append(maps)
        return found
