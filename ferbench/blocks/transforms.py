"""Augmentation of whole batches on the device, with parameters of their own for each image: for `Stage.transforms`, or in a step.

    Stage(..., transforms=[CropResize((0.6, 1.0)), ColourJitter(0.4, 0.4, 0.4), Erase(0.5)])   # for all views of a batch
    strong = self.blur(batch.images)                                                          # in a step

Images are (B, 3, S, S), float, in [-1, 1], and stay so. Each transform takes `uniform`, (draws, B), random numbers in [0, 1) that
decide its parameters; without it, they are drawn on the device, from the state that the loop seeds in every step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

GREY = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue, as in torchvision."""

Range = tuple[float, float]


def _drawn(uniform: Tensor | None, draws: int, images: Tensor) -> Tensor:
    """(draws, B, 1, 1, 1)."""
    found = torch.rand((draws, len(images)), device=images.device) if uniform is None else uniform
    drawn: Tensor = found.to(images.dtype).view(draws, -1, 1, 1, 1)
    return drawn


def _between(uniform: Tensor, low: float, high: float) -> Tensor:
    return uniform * (high - low) + low


def _grey(images: Tensor) -> Tensor:
    """(B, 1, S, S)."""
    red, green, blue = images.split(1, 1)
    grey: Tensor = red * GREY[0] + green * GREY[1] + blue * GREY[2]
    return grey


@dataclass(frozen=True)
class Flip:
    """A horizontal mirror image.

    >>> images = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2).expand(2, 3, 1, 2)
    >>> Flip(p=0.5)(images, torch.tensor([[0.2, 0.7]]))[:, 0, 0].tolist()
    [[1.0, 0.0], [0.0, 1.0]]

    Args:
        p: probability, for each image.
    """

    p: float = 0.5
    draws: ClassVar[int] = 1

    def __call__(self, images: Tensor, uniform: Tensor | None = None) -> Tensor:
        (u,) = _drawn(uniform, self.draws, images)
        return torch.where(u < self.p, images.flip(3), images)


@dataclass(frozen=True)
class CropResize:
    """A rectangle of the image, resized to the whole, bilinearly.

    Args:
        scale: its area, lowest and highest fraction of the image.
        ratio: its width divided by its height, lowest and highest. A side that would be longer than the image is cut.
    """

    scale: Range = (0.5, 1.0)
    ratio: Range = (3 / 4, 4 / 3)
    draws: ClassVar[int] = 4

    def __call__(self, images: Tensor, uniform: Tensor | None = None) -> Tensor:
        left, top, width, height = _box(_drawn(uniform, self.draws, images)[..., 0, 0, 0], self.scale, self.ratio)
        zero = torch.zeros_like(width)
        theta = torch.stack([width, zero, 2 * left + width - 1, zero, height, 2 * top + height - 1], 1).view(-1, 2, 3)
        grid = F.affine_grid(theta, list(images.shape), align_corners=False)
        made = F.grid_sample(images, grid.to(images.dtype), padding_mode="border", align_corners=False)
        return made.contiguous(memory_format=torch.channels_last)


def _box(uniform: Tensor, scale: Range, ratio: Range) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(left, top, width, height), each (B,), as fractions of the image: an area in `scale`, a ratio in `ratio` (uniform in its
    logarithm), a place inside the image. uniform: (4, B)."""
    area, shape, x, y = uniform
    root = torch.exp(_between(shape, math.log(ratio[0]), math.log(ratio[1])) / 2)
    side = _between(area, *scale).sqrt()
    width, height = (side * root).clamp(max=1), (side / root).clamp(max=1)
    return x * (1 - width), y * (1 - height), width, height


@dataclass(frozen=True)
class ColourJitter:
    """Brightness, contrast and saturation, in this order, each multiplied by a factor in [1 - strength, 1 + strength]. The factors
    mean what they do in torchvision.

    Args:
        brightness, contrast, saturation: strength of each, 0 or more.
        p: probability, for each image.
    """

    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    p: float = 1.0
    draws: ClassVar[int] = 4

    def __call__(self, images: Tensor, uniform: Tensor | None = None) -> Tensor:
        chosen, brightness, contrast, saturation = _drawn(uniform, self.draws, images)

        def factor(u: Tensor, strength: float) -> Tensor:
            return _between(u, max(0.0, 1 - strength), 1 + strength)

        light = (images + 1) / 2
        light = (light * factor(brightness, self.brightness)).clamp(0, 1)
        light = light.lerp(_grey(light).mean((1, 2, 3), keepdim=True), 1 - factor(contrast, self.contrast)).clamp(0, 1)
        light = light.lerp(_grey(light), 1 - factor(saturation, self.saturation)).clamp(0, 1)
        return torch.where(chosen < self.p, 2 * light - 1, images)


@dataclass(frozen=True)
class Grey:
    """An image without colour.

    Args:
        p: probability, for each image.
    """

    p: float = 0.2
    draws: ClassVar[int] = 1

    def __call__(self, images: Tensor, uniform: Tensor | None = None) -> Tensor:
        (u,) = _drawn(uniform, self.draws, images)
        return torch.where(u < self.p, _grey(images), images)


@dataclass(frozen=True)
class Blur:
    """A Gaussian blur.

    Args:
        sigma: its standard deviation in pixels, lowest and highest, each above 0. The kernel reaches 3 of the highest, and not
            beyond the image.
        p: probability, for each image.
    """

    sigma: Range = (0.1, 1.5)
    p: float = 0.5
    draws: ClassVar[int] = 2

    def __call__(self, images: Tensor, uniform: Tensor | None = None) -> Tensor:
        chosen, u = _drawn(uniform, self.draws, images)
        size, device = images.shape[-1], images.device
        reach = min(math.ceil(3 * self.sigma[1]), size - 1)
        places = torch.arange(-reach, size + reach, device=device)
        apart = places - torch.arange(size, device=device)[:, None]
        weights = torch.exp(-0.5 * (apart / _between(u[:, 0], *self.sigma)).square()) * (apart.abs() <= reach)
        weights = weights / weights.sum(
            -1, keepdim=True
        )  # (B, S, S + 2 reach): what each place gives to each pixel of a line
        mirrored = size - 1 - (size - 1 - places.abs()).abs()  # which pixel lies at a place beyond the edge
        along = weights @ F.one_hot(mirrored, size).to(images.dtype)
        made = (
            along[:, None] @ images @ along[:, None].mT
        )  # of lines, then of columns: faster than a convolution for each image
        return torch.where(chosen < self.p, made, images)


@dataclass(frozen=True)
class Erase:
    """A rectangle of the image becomes grey (Zhong et al., Random Erasing Data Augmentation, AAAI 2020).

    Args:
        p: probability, for each image.
        scale, ratio: as of CropResize.
    """

    p: float = 0.5
    scale: Range = (0.02, 0.33)
    ratio: Range = (0.3, 3.3)
    draws: ClassVar[int] = 5

    def __call__(self, images: Tensor, uniform: Tensor | None = None) -> Tensor:
        u = _drawn(uniform, self.draws, images)
        inside = _inside(_box(u[1:, :, 0, 0, 0], self.scale, self.ratio), images)
        return torch.where(inside & (u[0] < self.p), 0.0, images)


def _inside(box: tuple[Tensor, ...], images: Tensor) -> Tensor:
    """(B, 1, S, S), bool: which pixels have their middle in a box, whose parts are fractions (B,)."""
    left, top, width, height = (part[:, None, None, None] for part in box)
    line = (torch.arange(images.shape[-1], device=images.device) + 0.5) / images.shape[-1]
    x, y = line[None, None, None, :], line[None, None, :, None]
    return (x >= left) & (x < left + width) & (y >= top) & (y < top + height)


@dataclass(frozen=True)
class Mixed:
    """Images that are mixed with others of their batch.

    Attributes:
        images: (B, 3, S, S).
        other: (B,), int64, the place in the batch of the image that was mixed in.
        share: (B,), in [0, 1], the share of the image's own.
    """

    images: Tensor
    other: Tensor
    share: Tensor

    def cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean cross-entropy with both labels, each by its share. logits: (B, C). labels: (B,), of the batch."""
        own = F.cross_entropy(logits, labels, reduction="none")
        theirs = F.cross_entropy(logits, labels[self.other], reduction="none")
        return (self.share * own + (1 - self.share) * theirs).mean()


def _shares(alpha: float, images: Tensor) -> Tensor:
    """(B,), drawn from Beta(alpha, alpha), by arithmetic that every device has and a graph can record.

    With X of Beta(alpha + 1, alpha + 1), by Ulrich's formula (Devroye, Non-Uniform Random Variate Generation, 1986, IX.4), X and
    1 - X are shares of two gamma variates of shape alpha + 1; multiplied by powers U^(1 / alpha), these become of shape alpha.
    """
    u = torch.rand((4, len(images)), device=images.device).clamp(min=torch.finfo(torch.float32).tiny)
    around = (1 - u[0] ** (2 / (2 * alpha + 1))).sqrt() * torch.cos(2 * math.pi * u[1])
    odds = torch.log1p(around) - torch.log1p(-around) + (u[2].log() - u[3].log()) / alpha
    return odds.sigmoid().to(images.dtype)


@dataclass(frozen=True)
class Mixup:
    """Each image as a mean with another of the batch (Zhang et al., mixup, ICLR 2018), for steps:
    `mixed = Mixup(0.2)(batch.images)`.

    Args:
        alpha: the share of the image's own is drawn from Beta(alpha, alpha); above 0.
    """

    alpha: float = 0.2

    def __call__(self, images: Tensor) -> Mixed:
        other = torch.rand(len(images), device=images.device).argsort()
        share = _shares(self.alpha, images)
        return Mixed(torch.lerp(images[other], images, share[:, None, None, None]), other, share)


@dataclass(frozen=True)
class Cutmix:
    """A rectangle of each image from another of the batch (Yun et al., CutMix, ICCV 2019), for steps. `share` is what is left
    of the image, by pixels.

    Args:
        alpha: 1 minus the rectangle's area is drawn from Beta(alpha, alpha); above 0. The image's edge may cut it.
    """

    alpha: float = 1.0

    def __call__(self, images: Tensor) -> Mixed:
        other = torch.rand(len(images), device=images.device).argsort()
        side = (1 - _shares(self.alpha, images)).sqrt()
        middle = torch.rand((2, len(images)), device=images.device, dtype=images.dtype)
        inside = _inside((middle[0] - side / 2, middle[1] - side / 2, side, side), images)
        share = 1 - inside.to(images.dtype).mean((1, 2, 3))
        return Mixed(torch.where(inside, images[other], images), other, share)
