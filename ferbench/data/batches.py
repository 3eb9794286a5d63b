"""Training batches on the device. The uint8 images are copied to the device once if they fit, and augmented there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ferbench.cards import EXTRA
from ferbench.config.schema import Augment, Sampling
from ferbench.data.samplers import Groups, Partners, subjects_of_step
from ferbench.errors import TrainingError
from ferbench.interfaces.method import PARTNERS, Batch, Stage, derive_seed
from ferbench.interfaces.replicas import ALONE, Place
from ferbench.interfaces.sampling import PK, Balanced, Partner, Transform

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
            rows: (B,) or, of clips, (B, T), int64, indices into the array; on the device if the array is resident, else on the CPU.

        Returns:
            (B, 3, S, S) or (B, T, 3, S, S), float32, in [-1, 1], channels_last.
        """
        if rows.dim() == 2:
            clips: Tensor = self(rows.reshape(-1)).unflatten(0, rows.shape)
            return clips
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
        clip: (M, T), int64, rows of the frames of its clip, of which the last is its own; None for single images.
        expression: (M,), int64, class index.
        subject: (M,), int64, index into `Task.subjects`.
        neutral: (M,), int64, row of a neutral face of the same subject; None if it is not needed or not available.
        own_neutral: (M,), bool, whether that face is of the frame's own sequence; None if it is not known.
        neutral_class: class index of neutral faces; -1 if neutral is no class.
        factors: by name of a column: (M,), as in `Batch.factors`.
    """

    rows: Tensor
    expression: Tensor
    subject: Tensor
    neutral: Tensor | None = None
    own_neutral: Tensor | None = None
    neutral_class: int = -1
    factors: Mapping[str, Tensor] = field(default_factory=dict)
    clip: Tensor | None = None


class Batches:
    """The training batch of each step. It depends only on `key`, the step and what a stage asks for, so that a resumed training and
    all variants of a method see the same batches and augmentations.

    Args:
        size: images in a batch.
        key: values that seed the order and the augmentation: the trial's seed and the fold.
        sampling: which frames are drawn, where the stage does not say.
        place: of the process among those that train together; it gets its part of each batch, the first the first images.
        stage: the stage that is trained; None for batches as the run has them.

    Raises:
        TrainingError: the stage asks for what the run or the training frames do not allow.
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
        stage: Stage | None = None,
    ) -> None:
        self.images = images
        self.labels = labels
        self.augment = augment
        self.size = size
        self.key = tuple(key)
        self.sampling = sampling
        self.place = place
        self.stage = stage
        own = size // place.count
        self._part = slice(place.rank * own, (place.rank + 1) * own)
        self._generator = torch.Generator()
        self._orders: dict[tuple[object, ...], Tensor] = {}
        self._orders_before = self._orders
        drawn = None if stage is None else stage.batches
        if sampling is Sampling.class_balanced and isinstance(drawn, PK):
            raise self._refused(
                "draws its batches by subject, and trainer.sampling=class_balanced asks for others. Leave trainer.sampling out"
            )
        self._groups = Groups(labels.subject) if isinstance(drawn, PK) else None
        balanced = sampling is Sampling.class_balanced or isinstance(drawn, Balanced)
        self._members = (
            [(int(c), (labels.expression == c).nonzero()[:, 0]) for c in labels.expression.unique()] if balanced else []
        )
        self._views = 1 if stage is None else stage.views
        self._transforms = () if stage is None else tuple(stage.transforms)
        if strange := [each for each in self._transforms if not isinstance(each, Transform)]:
            raise self._refused(
                f"transforms images with {strange[0]!r}, which is no transform: it has no number of `draws`, or cannot be called. "
                "ferbench.blocks.transforms has some"
            )
        asked = {name: kind for name in PARTNERS if stage is not None and (kind := getattr(stage, name)) is not None}
        if Partner.NEUTRAL in asked.values() and labels.neutral is None:
            raise self._refused("pairs frames with neutral ones, which it gets where the method's card needs 'neutral'")
        self._neutral = [name for name, kind in asked.items() if kind is Partner.NEUTRAL]
        self._partners = {
            name: Partners(kind, labels.expression, labels.subject)
            for name, kind in asked.items()
            if kind is not Partner.NEUTRAL
        }

    def of(self, stage: Stage, accumulate: int = 1) -> Batches:
        """The batches of a stage.

        Args:
            accumulate: number of micro-batches into which each is divided.

        Raises:
            TrainingError: the stage asks for what the run or the training frames do not allow.
        """
        if self.stage is stage:
            return self
        plain = stage.batches is None and all(getattr(stage, name) is None for name in PARTNERS)
        if plain and stage.views == 1 and not stage.transforms:
            return self
        made = Batches(self.images, self.labels, self.augment, self.size, self.key, self.sampling, self.place, stage)
        part = self.size // (self.place.count * accumulate)
        if isinstance(stage.batches, PK) and part % stage.batches.frames:
            frames = stage.batches.frames
            whole = max(1, round(part / frames)) * frames * self.place.count * accumulate
            raise made._refused(
                f"draws {frames} frames of each subject, and a batch is computed in parts of {part} images, which would tear them "
                f"apart. budget.batch_size={whole} goes"
            )
        return made

    def single(self) -> Batches:
        """The same batches with the labelled frame alone in place of its clip."""
        if self.labels.clip is None:
            return self
        labels = replace(self.labels, clip=None)
        return Batches(self.images, labels, self.augment, self.size, self.key, self.sampling, self.place, self.stage)

    def notes(self) -> list[str]:
        """Sentences for the record: for how many training frames what the stage asks for does not exist."""
        if self.stage is None:
            return []
        said = []
        total = len(self.labels.rows)
        if self._groups is not None and isinstance(self.stage.batches, PK):
            frames, counts = self.stage.batches.frames, self._groups.counts
            if few := int((counts < frames).sum()):
                said.append(
                    f"{few} of {len(counts)} training subjects have fewer than {frames} frames, which repeat in a batch"
                )
            if (places := self.size // frames) > len(counts):
                said.append(f"a batch has places for {places} subjects, and {len(counts)} are trained on, who repeat")
        for name, partners in self._partners.items():
            if missing := int((~partners.related).sum()):
                alone, whom = int(partners.alone.sum()), getattr(self.stage, name).value
                said.append(
                    f"for {missing} of {total} training frames there is no frame of {whom}; another one of the same subject and "
                    f"expression stands in for {missing - alone}, the frame itself for {alone}"
                )
        if self._neutral and self.labels.own_neutral is not None and (missing := int((~self.labels.own_neutral).sum())):
            said.append(
                f"for {missing} of {total} training frames there is no {Partner.NEUTRAL.value.removeprefix('a ')}; one of another "
                "sequence of the subject stands in"
            )
        return [f"Batches of stage '{self.stage.name}': {sentence}." for sentence in said]

    def _refused(self, why: str) -> TrainingError:
        name = self.stage.name if self.stage is not None else ""
        return TrainingError(f"The stage '{name}' {why}.", name)

    def __call__(self, step: int) -> Batch:
        return self.assemble(self._on_device(self.plan(step)))

    def _on_device(self, plan: Mapping[str, Tensor]) -> dict[str, Tensor]:
        device = self.images.device  # images on disk are read by rows on the CPU
        return {n: t if not self.resident and _is_rows(n) else t.to(device) for n, t in plan.items()}

    def plan(self, step: int) -> dict[str, Tensor]:
        """What the batch of a step is made of, on the CPU: `rows` and, where needed, `neutral` and `clip`, rows of the image array;
        `expression`, `subject`, `index`, and `uniform`, the random numbers of the augmentation; those of partners as
        "second.rows"."""
        chosen = self._choose(step)
        plan = self._labelled(chosen) | {"uniform": self._uniform(len(chosen), step)}
        for view in range(1, self._views):
            plan[f"uniform.{view}"] = self._uniform(len(chosen), step, "view", view)
        if self.labels.neutral is not None:
            plan["neutral"] = self.labels.neutral[chosen]
        for name in self._neutral:
            plan |= {f"{name}.{key}": value for key, value in self._neutral_labels(chosen).items()}
        for name, partners in self._partners.items():
            self._generator.manual_seed(derive_seed(name, *self.key, step))
            drawn = partners.draw(chosen, torch.rand(len(chosen), generator=self._generator, dtype=torch.float64))
            own = {"uniform": self._uniform(len(chosen), step, name), "related": partners.related[chosen]}
            plan |= {f"{name}.{key}": value for key, value in (self._labelled(drawn) | own).items()}
        return {name: values[..., self._part] for name, values in plan.items()}

    def _uniform(self, count: int, step: int, *of: object) -> Tensor:
        """(draws, count), the random numbers of the run's augmentation, and then those of the stage's transforms."""
        self._generator.manual_seed(derive_seed("augment", *self.key, step, *of))
        drawn = torch.rand((DRAWS, count), generator=self._generator)
        if not (more := sum(each.draws for each in self._transforms)):
            return drawn
        return torch.cat([drawn, torch.rand((more, count), generator=self._generator)])

    def _labelled(self, frames: Tensor) -> dict[str, Tensor]:
        labels = self.labels
        return {
            "rows": labels.rows[frames],
            **({} if labels.clip is None else {"clip": labels.clip[frames].T}),
            "expression": labels.expression[frames],
            "subject": labels.subject[frames],
            "index": frames,
            **{f"factors.{name}": values[frames] for name, values in labels.factors.items()},
        }

    def _neutral_labels(self, frames: Tensor) -> dict[str, Tensor]:
        labels = self.labels
        own = labels.own_neutral
        return {
            "expression": torch.full_like(frames, labels.neutral_class),
            "subject": labels.subject[frames],
            "index": torch.full_like(frames, -1),
            "related": torch.ones_like(frames, dtype=torch.bool) if own is None else own[frames],
            **{f"factors.{name}": missing(values[frames]) for name, values in labels.factors.items()},
        }

    @property
    def frames(self) -> int:
        """Number of training frames."""
        return len(self.labels.rows)

    def epoch(self, step: int) -> int:
        """The number of the epoch in which the batch of a step begins."""
        return step * self.size // self.frames

    def unaugmented(self) -> Iterator[Batch]:
        """Each training frame once, in the order of the frame table, without augmentation."""
        for chosen in torch.arange(self.frames).split(self.size):
            plan = self._labelled(chosen)
            if self.labels.neutral is not None:
                plan["neutral"] = self.labels.neutral[chosen]
            yield self.assemble(self._on_device(plan))

    @property
    def resident(self) -> bool:
        """Whether `assemble` needs nothing but the device."""
        return self.images.resident is not None

    def assemble(self, plan: Mapping[str, Tensor]) -> Batch:
        """The batch of a plan whose tensors are on the device; not augmented if the plan has no random numbers."""
        made = dict(plan)
        images, uniform = self._images(plan), plan.get("uniform")
        made["images"] = self._augmented(images, uniform)
        if "neutral" in plan:
            made["neutral"] = self._augmented(self.images(plan["neutral"]), uniform)
        if uniform is not None:
            for view in range(1, self._views):
                made[f"views.{view}"] = self._augmented(images, plan[f"uniform.{view}"])
            for name in self._neutral:
                made[f"{name}.images"] = made["neutral"]
            for name in self._partners:
                made[f"{name}.images"] = self._augmented(self._images(plan, f"{name}."), plan[f"{name}.uniform"])
        return Batch.of(made)

    def _images(self, plan: Mapping[str, Tensor], of: str = "") -> Tensor:
        """Images, or clips where the plan has them. `of`: how the names of a partner begin."""
        clip = plan.get(f"{of}clip")
        return self.images(plan[f"{of}rows"]) if clip is None else self.images(clip.T)

    def _augmented(self, images: Tensor, uniform: Tensor | None) -> Tensor:
        if uniform is None:
            return images
        if images.dim() == 5:  # all frames of a clip alike
            frames = self._augmented(images.flatten(0, 1), uniform.repeat_interleave(images.shape[1], 1))
            clips: Tensor = frames.unflatten(0, images.shape[:2])
            return clips
        images = apply(images, *transforms(self.augment, uniform[:DRAWS]))
        first = DRAWS
        for each in self._transforms:
            images = each(images, uniform[first : first + each.draws])
            first += each.draws
        return images

    def _choose(self, step: int) -> Tensor:
        """(size,), indices of the frames in the batch of a step. A batch may contain the end of one epoch and the start of the
        next."""
        self._orders_before, self._orders = self._orders, {}
        first = step * self.size
        if self._groups is not None:
            return self._choose_groups(step, self._groups)
        if self._members:
            return self._choose_balanced(step, first)
        return self._draws(("order", *self.key), len(self.labels.rows), first, self.size)

    def _choose_groups(self, step: int, groups: Groups) -> Tensor:
        """As `_choose`, with some frames of each of some subjects."""
        assert self.stage is not None
        assert isinstance(self.stage.batches, PK)
        frames = self.stage.batches.frames

        def order(count: int, number: int) -> Tensor:
            return self._order(("subjects", *self.key), count, number)

        subjects = subjects_of_step(step, self.size // frames, len(groups.counts), order)
        self._generator.manual_seed(derive_seed("groups", *self.key, step))
        return groups.draw(subjects, frames, self._generator)

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


def missing(values: Tensor) -> Tensor:
    """What stands for missing factors of the same shape and type: NaN for numbers, -1 for levels."""
    return torch.full_like(values, math.nan if values.is_floating_point() else -1)


def _is_rows(name: str) -> bool:
    """Whether a part of a plan is rows of the image array, which stay on the CPU where that lies on disk."""
    return name == "neutral" or name.rpartition(".")[2] in ("rows", "clip")


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

    def of(self, stage: Stage, accumulate: int = 1) -> WithExtra:
        """As `Batches.of`."""
        return WithExtra(self.batches.of(stage, accumulate), self.extra.of(beside(stage), accumulate))

    def notes(self) -> list[str]:
        """As `Batches.notes`, of the training set."""
        return self.batches.notes()

    @property
    def frames(self) -> int:
        """Number of frames of the training set."""
        return self.batches.frames

    def epoch(self, step: int) -> int:
        """The number of the epoch of the training set in which the batch of a step begins."""
        return self.batches.epoch(step)

    def unaugmented(self) -> Iterator[Batch]:
        """As `Batches.unaugmented`, of the training set."""
        return self.batches.unaugmented()

    def plan(self, step: int) -> dict[str, Tensor]:
        """As `Batches.plan`; the names of what the batch of the extra dataset is made of begin with "extra."."""
        return self.batches.plan(step) | {f"extra.{name}": values for name, values in self.extra.plan(step).items()}

    def assemble(self, plan: Mapping[str, Tensor]) -> Batch:
        """As `Batches.assemble`."""
        extra = {name.removeprefix("extra."): values for name, values in plan.items() if name.startswith("extra.")}
        return replace(self.batches.assemble(plan), extra=self.extra.assemble(extra))


def beside(stage: Stage) -> Stage:
    """What a stage asks of the batches of an extra dataset beside its own: views and transforms. Which frames are drawn together,
    and partners, are of the training set alone: the other may have neither subjects nor expressions."""
    return replace(stage, batches=None, second=None, third=None)


def batches_for(data: str, own: Batches, extra: Batches | None) -> Batches | WithExtra:
    """The batches of a stage whose card says `StageCard.data`. `extra`: of the extra dataset; None for none."""
    if extra is None or data == "train":
        return own
    return extra if data == EXTRA else WithExtra(own, extra)


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
