"""The dataset interface, and the frame table that every dataset returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from ferbench.cards import DatasetCard
from ferbench.errors import FerbenchError, FrameError, enumerate_first

if TYPE_CHECKING:
    from PIL.Image import Image

COLUMNS = ("frame_id", "subject", "sequence", "position", "phase", "expression")
"""Columns that every frame table has; `Dataset.frames` describes them."""

PHASES = ("neutral", "onset", "apex", "offset")
"""Phases of an expression, the values of the column `phase`."""


class Dataset(ABC):
    """A dataset of face images with labels, read from the files as their owners distribute them.

    A subclass is constructed with an instance of the settings class on its card. Its `__init__` raises FerbenchError if the
    data cannot be read. It uses numpy and pandas, not torch.
    """

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    @abstractmethod
    def frames(self) -> pd.DataFrame:
        """The frame table: one row for each frame, always in the same order.

        Columns:
            frame_id: str, unique, and the same on every machine.
            subject: str, the person.
            sequence: str, unique in the dataset; a sequence shows one subject.
            position: int, index of the frame in its sequence, from 0.
            phase: str, one of PHASES: "neutral" is a face without expression, which methods that need it get as `Batch.neutral`
                and `protocol.frames=all` leaves out unless neutral is a class; "apex" is the strongest expression, which
                `protocol.frames=apex` selects; "onset" comes before it and "offset" after it.
            expression: str, the label of the sequence: one of the card's expressions or "neutral"; missing if unlabelled.
            Every other column is a factor of variation, such as illumination, under its own name.
        """

    @abstractmethod
    def image(self, frame_id: str) -> np.ndarray:
        """The image of a frame: (H, W, 3), uint8, RGB. Equal frame_ids give equal images, in whatever order they are read.

        Raises:
            FrameError: the image is missing or damaged.
            UnknownName: there is no such frame.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of the content, independent of the path. Datasets with equal fingerprints have equal frame tables and pixels."""


@runtime_checkable
class BatchImages(Protocol):
    """A dataset that reads many frames at once faster than one after another (optional)."""

    def images(self, frame_ids: list[str]) -> Sequence[np.ndarray | FrameError]:
        """For each frame_id the image, (H, W, 3), uint8, RGB, as of `image`, or the FrameError that `image` would raise."""
        ...


@runtime_checkable
class Pictures(Protocol):
    """A dataset that can return Pillow images (optional). If frames are only resized, this is twice as fast as `image`: the
    image is not copied into an array first, and a JPEG can be decoded at a fraction of its size."""

    def picture(self, frame_id: str, least: int) -> Image:
        """The image of a frame in RGB, in its original size or reduced.

        Args:
            least: a reduced image must still have at least this width and height, in pixels; 0 forbids reducing.

        Raises:
            FrameError, UnknownName: as `Dataset.image`.
        """
        ...


@runtime_checkable
class Landmarks(Protocol):
    """A dataset that includes facial landmarks (optional). `preparation=align` then needs no face detector."""

    def landmarks(self, frame_id: str) -> np.ndarray | None:
        """Landmarks of a frame, (5, 2), in the order and units of `ferbench.Face.landmarks`; None if the frame has none."""
        ...


@runtime_checkable
class ReportsIrregularities(Protocol):
    """A dataset that can be used although the copy is incomplete or has files with unexpected names (optional)."""

    def irregularities(self) -> Sequence[str]:
        """One sentence for each irregularity that was ignored. They become notes of every record."""
        ...


@runtime_checkable
class StatesCopy(Protocol):
    """A dataset of which several copies are in use (optional)."""

    def which_copy(self) -> str:
        """Which of the known copies was read, and facts about it that are no faults. Every record and `datasets check` state it."""
        ...


@runtime_checkable
class Describes(Protocol):
    """A dataset whose classes, or what it provides, are known only after it has been read (optional)."""

    def describe(self, card: DatasetCard) -> DatasetCard:
        """A copy of `card` with the `expressions`, `provides`, `frames` and `protocol` that the data have."""
        ...


def check_frames(frames: pd.DataFrame, card: DatasetCard) -> pd.DataFrame:
    """Check that a frame table is as `Dataset.frames` defines it, and return it with the index 0 to N - 1.

    Raises:
        FerbenchError: the table is empty, a column is missing, a frame_id occurs twice, a sequence has two subjects, or an
            expression or phase is unknown.
    """

    def refuse(what: str) -> FerbenchError:
        return FerbenchError(f"The frame table of dataset '{card.name}' {what}.")

    missing = [c for c in COLUMNS if c not in frames.columns]
    if missing:
        raise refuse(f"has no column {', '.join(missing)}")
    if frames.empty:
        raise refuse("is empty: no image was found")
    doubled = frames.loc[frames["frame_id"].duplicated(), "frame_id"]
    if len(doubled):
        raise refuse(f"has frame_ids that occur more than once: {enumerate_first(doubled)}")
    owners = frames.groupby("sequence", sort=False)["subject"].nunique()
    if (owners > 1).any():
        raise refuse(f"gives more than one subject to the sequence {enumerate_first(owners[owners > 1].index)}")
    known = {*card.expressions, "neutral"}
    strange = sorted(set(frames["expression"].dropna()) - known)
    if strange:
        raise refuse(f"has unknown expressions {enumerate_first(strange)}; the card has {', '.join(card.expressions)}")
    strange = sorted(set(frames["phase"]) - set(PHASES))
    if strange:
        raise refuse(f"has unknown phases {enumerate_first(strange)}; known are {', '.join(PHASES)}")
    return frames.reset_index(drop=True)
