"""A dataset that was read: card, frame table and fingerprint, with the classes that are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from ferbench.cards import CLASSES, DatasetCard
from ferbench.data.counts import compared
from ferbench.hashing import digest
from ferbench.interfaces.dataset import Dataset, Describes, ReportsIrregularities, StatesCopy, check_frames
from ferbench.randomness import own_random_state
from ferbench.registry.component import Component
from ferbench.registry.loader import Registry


@dataclass(frozen=True)
class Loaded:
    """A dataset that was read.

    Attributes:
        card: its card, as the dataset itself describes it, with the classes that are asked for.
        dataset: the dataset.
        frames: its frame table, checked. Frames of other classes have no expression.
        whole: its classes, before some were asked for.
        notes: what every record states of it: which copy it is, and what is not as its owners distribute it.
    """

    card: DatasetCard
    dataset: Dataset
    frames: pd.DataFrame
    whole: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the dataset's content and of the classes. It may read all files."""
        found = self.dataset.fingerprint()
        return found if self.card.expressions == self.whole else digest([found, self.card.expressions], 24)


def load_dataset(registry: Registry, asked: Component) -> Loaded:
    """Read a dataset. Where it describes itself (`Describes`), its card is the one that it returns.

    Raises:
        FerbenchError: there is no such dataset, it cannot be read, or it has not the classes that are asked for.
    """
    registered = registry.get(DatasetCard, asked.name)
    dataset = asked.make(registry, DatasetCard)
    with registry.blaming(registered), own_random_state(0):
        whole = dataset.describe(registered) if isinstance(dataset, Describes) else registered
        frames = check_frames(dataset.frames(), whole)
    card = whole.with_classes(asked.settings.get(CLASSES)) if registered.takes_classes else whole
    if card.expressions != whole.expressions:
        kept = frames["expression"].isin({*card.expressions, "neutral"})
        frames = frames.assign(expression=frames["expression"].where(kept, None))
    return Loaded(card, dataset, frames, whole.expressions, _notes(card, dataset, frames))


def _notes(card: DatasetCard, dataset: Dataset, frames: pd.DataFrame) -> tuple[str, ...]:
    copy = dataset.which_copy() if isinstance(dataset, StatesCopy) else ""
    faults = dataset.irregularities() if isinstance(dataset, ReportsIrregularities) else ()
    unlike = compared(card, frames)
    return (*([f"The copy of {card.name}: {copy}."] if copy else []), *([unlike] if unlike else []), *faults)
