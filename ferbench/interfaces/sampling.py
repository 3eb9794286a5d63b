"""Which training frames a stage sees together: what `Stage.batches`, `Stage.second` and `Stage.third` may be. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ferbench.errors import FerbenchError

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class Transform(Protocol):
    """A transform of a batch of images, which takes its random numbers from outside: `ferbench.blocks.transforms` has some."""

    @property
    def draws(self) -> int:
        """How many random numbers it takes for an image."""
        ...

    def __call__(self, images: Tensor, uniform: Tensor) -> Tensor:
        """Transform images with operations on their device only, which a graph can record.

        Args:
            images: (B, 3, S, S), float, in [-1, 1]; not to be changed in place.
            uniform: (draws, B), float, in [0, 1).

        Returns:
            As `images`.
        """
        ...


@dataclass(frozen=True)
class Balanced:
    """Every class equally often, and within a class every frame, in a random order: as `trainer.sampling=class_balanced`."""


@dataclass(frozen=True)
class PK:
    """P subjects with K frames of each, one subject after another: `batch.images.unflatten(0, (-1, K))`, and `batch.subject` is
    constant in each K.

    P is the number of images in a batch divided by K (`budget.batch_size=64` and 4 frames: 16 subjects). Frames are drawn anew in
    each batch. A fold of fewer than P subjects gives a subject several times, each time with other frames as far as there are
    some; a subject with too few frames gives them again. The record counts both.

    Args:
        frames: K, at least 2. It has to divide the images of a batch, and those of each of its parts (`trainer.accumulate`,
            `trainer.devices`), so that no subject's frames are torn apart.

    Raises:
        FerbenchError: K is less than 2.
    """

    frames: int

    def __post_init__(self) -> None:
        if self.frames < 2:
            raise FerbenchError(f"PK(frames={self.frames}) forms no pair; it takes 2 or more frames of a subject.")


class Partner(StrEnum):
    """Whom an image is paired with. Where a training set has no such frame, another one stands in: the record counts how often,
    and `batch.second.related` says where.

    Attributes:
        EXPRESSION: another subject with the same expression; else another frame of the same subject and expression; else the
            image's own frame.
        SUBJECT: the same subject with another expression; else another frame of the same subject and expression; else the
            image's own frame.
        NEUTRAL: the neutral frame of the same sequence; else of another sequence of the subject. Its images are `batch.neutral`,
            and the method's card has to need "neutral".
    """

    EXPRESSION = "another subject with the same expression"
    SUBJECT = "the same subject with another expression"
    NEUTRAL = "a neutral frame of the same sequence"
