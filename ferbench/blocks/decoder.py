"""From a vector to an image."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ferbench.blocks import Init, any_init

UPSAMPLINGS = 4


class Decoder(nn.Module):
    """A vector to an image: a linear layer to a small map, then four times nearest upsampling and 3x3 convolution
    (no checkerboard, as transposed convolutions have it), batch normalisation, ReLU; tanh at the end.

    >>> import torch
    >>> tuple(Decoder(inputs=16, image_size=48, width=4)(torch.zeros(2, 16)).shape)
    (2, 3, 48, 48)

    Args:
        inputs: width of the vector.
        image_size: of the square image.
        width: channels at the finest level; each coarser level has twice as many, up to 8 times.
        init: parts "input" and "levels".
    """

    def __init__(self, inputs: int, image_size: int, width: int = 32, init: Init = any_init) -> None:
        super().__init__()
        self.image_size = image_size
        self.reductions = tuple(2 ** (level + 1) for level in range(UPSAMPLINGS))
        self.start = -(-image_size // 2**UPSAMPLINGS)
        channels = [width * min(2 ** (UPSAMPLINGS - 1 - level), 8) for level in range(UPSAMPLINGS)]
        self.channels = tuple(reversed(channels))
        with init("input"):
            self.first = nn.Linear(inputs, channels[0] * self.start**2)
        self.norm = nn.BatchNorm2d(channels[0])
        with init("levels"):
            self.levels = nn.ModuleList(
                nn.Sequential(nn.Conv2d(i, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True))
                for i, o in zip(channels, [*channels[1:], channels[-1]], strict=True)
            )
            self.last = nn.Conv2d(channels[-1], 3, 3, 1, 1)

    def maps(self, code: Tensor) -> tuple[Tensor, list[Tensor]]:
        """code: (B, inputs) -> the image, and the maps that it is made of, fine to coarse as a backbone's: `channels`
        of them at 1/2, 1/4, 1/8 and 1/16 of the image's size (rounded up)."""
        level_maps = [F.relu(self.norm(self.first(code).view(len(code), -1, self.start, self.start)))]
        for level in self.levels:
            level_maps.append(level(F.interpolate(level_maps[-1], scale_factor=2.0, mode="nearest")))
        image = self.last(level_maps.pop()).tanh()[..., : self.image_size, : self.image_size]
        return image, level_maps[::-1]

    def forward(self, code: Tensor) -> Tensor:
        """code: (B, inputs) -> (B, 3, image_size, image_size) in [-1, 1]."""
        return self.maps(code)[0]
