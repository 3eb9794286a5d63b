"""Batches on the device: the uint8 array is moved there once where it fits, and augmented there in batches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ferbench.interfaces.method import Batch, derive_seed
from ferbench.settings import Augment

RESIDENT_FRACTION = 0.25
"""Of the device's free memory; an array larger than that is streamed from its file instead."""


class Images:
    """Prepared images by row, as float batches.

    Args:
        array: (N, S, S, 3), uint8, memory-mapped or not.
        device: where batches are wanted.
    """

    def __init__(self, array: np.ndarray, device: torch.device) -> None:
        self.device = device
        self.array = array
        self.resident: Tensor | None = None
        if array.nbytes < RESIDENT_FRACTION * _free_memory(device):
            self.resident = torch.from_numpy(np.array(array)).to(device)

    def __call__(self, rows: Tensor) -> Tensor:
        """rows: (B,), int64, on the CPU -> (B, 3, S, S), float, in [-1, 1], channels last."""
        if self.resident is not None:
            images = self.resident.index_select(0, rows.to(self.device))
        else:
            images = torch.from_numpy(self.array[rows.numpy()]).to(self.device, non_blocking=True)
        return images.to(torch.float32).mul_(2 / 255).sub_(1).permute(0, 3, 1, 2)


def _free_memory(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123
            return 1024.0 * next(int(line.split()[1]) for line in file if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return 4e9


@dataclass(frozen=True)
class Labels:
    """Rows and labels of M training frames, on the CPU.

    Attributes:
        rows: (M,), row in the array.
        expression, subject: (M,), int64.
        neutral: (M,), row of a neutral face of the same subject, or None.
    """

    rows: Tensor
    expression: Tensor
    subject: Tensor
    neutral: Tensor | None = None


class Batches:
    """Training batches by step. Batch and augmentation of a step depend on (key, step) alone, so that a resumed
    training, and every variant of a method, sees the same.

    Args:
        key: what the order of frames may depend on (the seed and the fold).
    """

    def __init__(self, images: Images, labels: Labels, augment: Augment, size: int, key: Sequence[object]) -> None:
        self.images = images
        self.labels = labels
        self.augment = augment
        self.size = size
        self.key = tuple(key)
        self._generator = torch.Generator()
        self._orders: dict[int, Tensor] = {}

    def __call__(self, step: int) -> Batch:
        chosen = self._choose(step)
        self._generator.manual_seed(derive_seed("augment", *self.key, step))
        theta, light = draw(self.augment, len(chosen), self._generator)
        device = self.images.device
        theta, light = theta.to(device), light.to(device)
        neutral = None
        if self.labels.neutral is not None:
            neutral = apply(self.images(self.labels.neutral[chosen]), theta, light)
        return Batch(
            images=apply(self.images(self.labels.rows[chosen]), theta, light),
            expression=self.labels.expression[chosen].to(device),
            subject=self.labels.subject[chosen].to(device),
            neutral=neutral,
        )

    def _choose(self, step: int) -> Tensor:
        """Every frame once an epoch, in a new order each epoch; a batch may reach into the next epoch."""
        count = len(self.labels.rows)
        first = step * self.size
        places = range(first, first + self.size)
        epochs = range(places[0] // count, places[-1] // count + 1)
        self._orders = {e: self._orders[e] if e in self._orders else self._order(e) for e in epochs}
        joined = torch.cat([self._orders[e] for e in epochs])
        offset = first - epochs[0] * count
        return joined[offset : offset + self.size]

    def _order(self, epoch: int) -> Tensor:
        self._generator.manual_seed(derive_seed("order", *self.key, epoch))
        return torch.randperm(len(self.labels.rows), generator=self._generator)


def draw(augment: Augment, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random changes for `count` images.

    Returns:
        theta: (count, 2, 3), the affine maps from output to input coordinates, as `affine_grid` takes them.
        light: (count, 2), factors of contrast and offsets of brightness.
    """
    uniform = torch.rand((7, count), generator=generator)
    angle, zoom_, x, y, contrast, brightness = uniform[1:].mul(2).sub(1)
    angle = angle * math.radians(augment.rotation)
    scale = 1 / (1 + augment.zoom * zoom_)
    mirror = torch.where(uniform[0] < augment.flip, -1.0, 1.0)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    # shifts are fractions of the width; the coordinates run from -1 to 1
    theta = torch.stack([mirror * cos, -sin, 2 * augment.shift * x, mirror * sin, cos, 2 * augment.shift * y], 1)
    return theta.view(count, 2, 3), torch.stack([1 + augment.contrast * contrast, augment.brightness * brightness], 1)


def affine_grid(theta: Tensor, size: int) -> Tensor:
    """`torch.nn.functional.affine_grid` for square images without aligned corners, (B, 2, 3) -> (B, S, S, 2), as sums of a
    row and a column instead of a matrix product: a tenth of its time on a CPU."""
    line = (torch.arange(size, device=theta.device, dtype=theta.dtype) * 2 + 1) / size - 1
    grid = theta.new_empty((len(theta), size, size, 2))
    for axis in (0, 1):
        along, across, shift = theta[:, axis].unbind(1)
        row = along[:, None] * line
        column = across[:, None] * line + shift[:, None]
        torch.add(row[:, None, :], column[:, :, None], out=grid[..., axis])
    return grid


def apply(images: Tensor, theta: Tensor, light: Tensor) -> Tensor:
    """Change a batch: (B, 3, S, S) in [-1, 1] -> the same. Outside the image, its border is repeated."""
    grid = affine_grid(theta, images.shape[-1])
    images = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    contrast, brightness = light[:, 0].view(-1, 1, 1, 1), light[:, 1].view(-1, 1, 1, 1)
    return images.mul_(contrast).add_(brightness).clamp_(-1, 1).contiguous(memory_format=torch.channels_last)
