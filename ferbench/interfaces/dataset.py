"""The dataset interface and the frame table."""

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
PHASES = ("neutral", "onset", "apex", "offset")


class Dataset(ABC):
    """Frames of faces with labels, read from the layout in which their owners distribute them.

    A subclass is constructed with the settings that its card names, and refuses in `__init__`, with a
    `FerbenchError`, what it cannot read. It uses numpy and pandas, no torch.
    """

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    @abstractmethod
    def frames(self) -> pd.DataFrame:
        """The frame table: one row a frame, in a fixed order.

        Columns: `frame_id` (str, unique, the same on every machine), `subject` (str), `sequence` (str, unique in the
        dataset), `position` (int, index in its sequence), `phase` (one of PHASES), `expression` (one of the card's,
        "neutral", or missing: the label of the sequence). Every further column is a named factor.
        """

    @abstractmethod
    def image(self, frame_id: str) -> np.ndarray:
        """The frame as (H, W, 3), uint8, RGB. A pure function of the dataset and `frame_id`.

        Raises:
            FrameError: the frame is missing or damaged.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of the content (not of the path): equal hashes give equal frames and equal pixels."""


@runtime_checkable
class BatchImages(Protocol):
    """A dataset that makes many frames at once faster than one by one."""

    def images(self, frame_ids: list[str]) -> Sequence[np.ndarray | FrameError]:
        """For each frame what `image` gives, (H, W, 3), or the error that it raises."""
        ...


@runtime_checkable
class Pictures(Protocol):
    """A dataset of image files: Pillow images need no copy into an array before they are resized, and a JPEG can be decoded
    at a fraction of its size. Twice as fast as `image` where frames are only resized."""

    def picture(self, frame_id: str, least: int) -> Image:
        """The frame in RGB, decoded, at any scale at which both sides have at least `least` pixels or are whole.

        Raises:
            FrameError: as `image`.
        """
        ...


@runtime_checkable
class Landmarks(Protocol):
    """A dataset that ships facial landmarks; `preparation=align` then needs no detector for its frames."""

    def landmarks(self, frame_id: str) -> np.ndarray | None:
        """(5, 2), as `ferbench.interfaces.detector.Face` has them; None where this frame has none."""
        ...


@runtime_checkable
class Tolerant(Protocol):
    """A dataset that can go on where a copy is not as its owners distribute it."""

    def tolerated(self) -> Sequence[str]:
        """A sentence for each thing that was passed over; they go into every record."""
        ...


@runtime_checkable
class Describes(Protocol):
    """A dataset whose classes or abilities are known only when it is read."""

    def describe(self, card: DatasetCard) -> DatasetCard:
        """The card with the expressions, `provides`, `frames` and `protocol` of this copy."""
        ...


def check_frames(frames: pd.DataFrame, card: DatasetCard) -> pd.DataFrame:
    """Hold a frame table to its definition; gives it back with a clean index.

    Raises:
        FerbenchError: a column is missing, an identifier is doubled, a label is unknown, the table is empty.
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
        raise refuse(f"has doubled frame_ids: {enumerate_first(doubled)}")
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
