"""Training batches on the device. The uint8 images are copied to the device once if they fit, and augmented there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ferbench.config.schema import Augment, Sampling
from ferbench.interfaces.method import Batch, derive_seed
from ferbench.interfaces.replicas import ALONE, Place

RESIDENT_FRACTION = 0.25
"""Fraction of the device's free memory that the image array may take; larger arrays are streamed from disk."""


class Images:
    """Prepared images, returned as float batches on a device.

    Args:
        array: (N, S, S, 3), uint8, in memory or memory-mapped.
        device: device of the batches.
        copies: number of processes that read the array into the same memory.
    """

    def __init__(self, array: np.ndarray, device: torch.device, copies: int = 1) -> None:
        self.device = device
        self.array = array
        self.resident: Tensor | None = None
        if array.nbytes * copies < RESIDENT_FRACTION * _free_memory(device):
            self.resident = torch.from_numpy(np.array(array)).to(device)

    def __call__(self, rows: Tensor) -> Tensor:
        """The images of some rows.

        Args:
            rows: (B,), int64, indices into the array; on the device if the array is resident, else on the CPU.

        Returns:
            (B, 3, S, S), float32, in [-1, 1], channels_last.
        """
        if self.resident is not None:
            images = self.resident.index_select(0, rows.to(self.device))
        else:
            images = torch.from_numpy(self.array[rows.numpy()]).to(self.device, non_blocking=True)
        return images.to(torch.float32).mul_(2 / 255).sub_(1).permute(0, 3, 1, 2)


def _free_memory(device: torch.device) -> float:
    """Free memory of a device in bytes; 4 GB if it cannot be found out."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123
            return 1024.0 * next(int(line.split()[1]) for line in file if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return 4e9


DRAWS = 7
"""How many random numbers the augmentation of an image takes."""


@dataclass(frozen=True)
class Labels:
    """Rows and labels of M training frames; tensors on the CPU.

    Attributes:
        rows: (M,), int64, row of each frame in the image array.
        expression: (M,), int64, class index.
        subject: (M,), int64, index into `Task.subjects`.
        neutral: (M,), int64, row of a neutral face of the same subject; None if it is not needed or not available.
    """

    rows: Tensor
    expression: Tensor
    subject: Tensor
    neutral: Tensor | None = None


class Batches:
    """The training batch of each step. It depends only on `key` and the step, so that a resumed training and all variants of
    a method see the same batches and augmentations.

    Args:
        size: images in a batch.
        key: values that seed the order and the augmentation: the trial's seed and the fold.
        sampling: which frames are drawn.
        place: of the process among those that train together; it gets its part of each batch, the first the first images.
    """

    def __init__(
        self,
        images: Images,
        labels: Labels,
        augment: Augment,
        size: int,
        key: Sequence[object],
        sampling: Sampling = Sampling.uniform,
        place: Place = ALONE,
    ) -> None:
        self.images = images
        self.labels = labels
        self.augment = augment
        self.size = size
        self.key = tuple(key)
        own = size // place.count
        self._part = slice(place.rank * own, (place.rank + 1) * own)
        self._generator = torch.Generator()
        self._orders: dict[tuple[object, ...], Tensor] = {}
        self._orders_before = self._orders
        self._members = (
            [(int(c), (labels.expression == c).nonzero()[:, 0]) for c in labels.expression.unique()]
            if sampling is Sampling.class_balanced
            else []
        )

    def __call__(self, step: int) -> Batch:
        stay = () if self.resident else ("rows", "neutral")  # images on disk are read by rows on the CPU
        plan = self.plan(step)
        return self.assemble({n: t if n in stay else t.to(self.images.device) for n, t in plan.items()})

    def plan(self, step: int) -> dict[str, Tensor]:
        """What the batch of a step is made of, on the CPU: `rows` and, where needed, `neutral` (rows of the image array),
        `expression`, `subject`, and `uniform`, the random numbers of the augmentation."""
        chosen = self._choose(step)
        self._generator.manual_seed(derive_seed("augment", *self.key, step))
        uniform = torch.rand((DRAWS, len(chosen)), generator=self._generator)
        labels = self.labels
        plan = {"rows": labels.rows[chosen], "expression": labels.expression[chosen], "subject": labels.subject[chosen]}
        if labels.neutral is not None:
            plan["neutral"] = labels.neutral[chosen]
        return {name: values[..., self._part] for name, values in {**plan, "uniform": uniform}.items()}

    @property
    def resident(self) -> bool:
        """Whether `assemble` needs nothing but the device."""
        return self.images.resident is not None

    def assemble(self, plan: Mapping[str, Tensor]) -> Batch:
        """The batch of a plan whose tensors are on the device."""

        theta, light = transforms(self.augment, plan["uniform"])

        def augmented(rows: Tensor) -> Tensor:
            return apply(self.images(rows), theta, light)

        neutral = augmented(plan["neutral"]) if "neutral" in plan else None
        return Batch(augmented(plan["rows"]), plan["expression"], plan["subject"], neutral)

    def _choose(self, step: int) -> Tensor:
        """(size,), indices of the frames in the batch of a step. A batch may contain the end of one epoch and the start of the
        next."""
        self._orders_before, self._orders = self._orders, {}
        first = step * self.size
        if self._members:
            return self._choose_balanced(step, first)
        return self._draws(("order", *self.key), len(self.labels.rows), first, self.size)

    def _choose_balanced(self, step: int, first: int) -> Tensor:
        """As `_choose`, with every class equally often. A round has each class that has frames once, in a new order: draw number n
        is of round n // classes, and of its class it is the draw with that number. The batch is shuffled at the end, since methods
        pair neighbours in it."""
        classes = len(self._members)
        rounds = torch.arange(first, first + self.size) // classes
        earliest, count = int(rounds[0]), int(rounds[-1] - rounds[0]) + 1
        frames = torch.stack(
            [
                members[self._draws(("order of class", *self.key, code), len(members), earliest, count)]
                for code, members in self._members
            ]
        )
        drawn = self._draws(("classes", *self.key), classes, first, self.size)
        return frames[drawn, rounds - earliest][self._order(("places", *self.key), self.size, step)]

    def _draws(self, part: tuple[object, ...], count: int, first: int, number: int) -> Tensor:
        """(number,), the draws from number `first` on of an endless sequence, each of whose epochs has the numbers 0 to `count` - 1
        once, in a new order."""
        epochs = range(first // count, (first + number - 1) // count + 1)
        starts = [first - epoch * count for epoch in epochs]
        orders = [self._order(part, count, epoch) for epoch in epochs]
        return torch.cat([o[max(s, 0) : s + number] for s, o in zip(starts, orders, strict=True)])

    def _order(self, part: tuple[object, ...], count: int, epoch: int) -> Tensor:
        """(count,), a permutation. Those of this step and the one before are kept."""
        seed = (*part, epoch)
        if seed not in self._orders:
            known = self._orders_before.get(seed)
            self._orders[seed] = self._permutation(count, seed) if known is None else known
        return self._orders[seed]

    def _permutation(self, count: int, seed: tuple[object, ...]) -> Tensor:
        self._generator.manual_seed(derive_seed(*seed))
        return torch.randperm(count, generator=self._generator)


class WithExtra:
    """The batches of a training set, each with a batch of an extra dataset.

    Attributes:
        resident: whether `assemble` needs nothing but the device.
    """

    def __init__(self, batches: Batches, extra: Batches) -> None:
        self.batches, self.extra = batches, extra
        self.resident = batches.resident and extra.resident

    def __call__(self, step: int) -> Batch:
        return replace(self.batches(step), extra=self.extra(step))

    def plan(self, step: int) -> dict[str, Tensor]:
        """As `Batches.plan`; the names of what the batch of the extra dataset is made of begin with "extra."."""
        return self.batches.plan(step) | {f"extra.{name}": values for name, values in self.extra.plan(step).items()}

    def assemble(self, plan: Mapping[str, Tensor]) -> Batch:
        """As `Batches.assemble`."""
        extra = {name.removeprefix("extra."): values for name, values in plan.items() if name.startswith("extra.")}
        return replace(self.batches.assemble(plan), extra=self.extra.assemble(extra))


def transforms(augment: Augment, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """The augmentation of N images.

    Args:
        uniform: (DRAWS, N), random numbers in [0, 1).

    Returns:
        theta: (N, 2, 3), affine maps from output to input coordinates, for `affine_grid`.
        light: (N, 2), factor of contrast and offset of brightness (in units of the image, whose range is [-1, 1]).
    """
    angle, zoom_, x, y, contrast, brightness = uniform[1:].mul(2).sub(1)
    angle = angle * math.radians(augment.rotation)
    scale = 1 / (1 + augment.zoom * zoom_)
    mirror = torch.where(uniform[0] < augment.flip, -1.0, 1.0)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    # shifts are fractions of the width; the coordinates run from -1 to 1
    theta = torch.stack([mirror * cos, -sin, 2 * augment.shift * x, mirror * sin, cos, 2 * augment.shift * y], 1)
    return theta.view(-1, 2, 3), torch.stack([1 + augment.contrast * contrast, augment.brightness * brightness], 1)


def affine_grid(theta: Tensor, size: int) -> Tensor:
    """`torch.nn.functional.affine_grid` for square images with align_corners=False: (B, 2, 3) -> (B, S, S, 2).

    It adds a row and a column instead of multiplying matrices, which takes a tenth of the time on a CPU.
    """
    line = (torch.arange(size, device=theta.device, dtype=theta.dtype) * 2 + 1) / size - 1
    grid = theta.new_empty((len(theta), size, size, 2))
    for axis in (0, 1):
        along, across, shift = theta[:, axis].unbind(1)
        row = along[:, None] * line
        column = across[:, None] * line + shift[:, None]
        torch.add(row[:, None, :], column[:, :, None], out=grid[..., axis])
    return grid


def apply(images: Tensor, theta: Tensor, light: Tensor) -> Tensor:
    """Augment a batch. Pixels from outside an image have the value of its border.

    Args:
        images: (B, 3, S, S), float, in [-1, 1].
        theta, light: as `transforms` returns them.

    Returns:
        (B, 3, S, S), float, in [-1, 1].
    """
    grid = affine_grid(theta, images.shape[-1])
    images = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    contrast, brightness = light[:, 0].view(-1, 1, 1, 1), light[:, 1].view(-1, 1, 1, 1)
    return images.mul_(contrast).add_(brightness).clamp_(-1, 1).contiguous(memory_format=torch.channels_last)
