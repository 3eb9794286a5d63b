"""An extra dataset: what methods train on beside the training set of a fold, and never test."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ferbench.cards import DatasetCard
from ferbench.data.joined import check_names, counting_frames, plain
from ferbench.data.loaded import Loaded, load_dataset
from ferbench.errors import FerbenchError
from ferbench.hashing import digest
from ferbench.interfaces.dataset import Dataset
from ferbench.records.identity import DatasetIdentity
from ferbench.registry.component import Component
from ferbench.registry.loader import Registry


@dataclass(frozen=True)
class Extra:
    """An extra dataset: the frames that the literature uses of it, of a dataset with a split of its own those of the training set.

    Attributes:
        card, dataset, frames, fingerprint: as of `Data`.
        selected: the rows of the frame table that are trained on, with the column `person`, which names people as the frames of
            the fold do.
        notes: sentences that every record states.
        unlabelled: how many of the selected frames have no expression.
    """

    card: DatasetCard
    dataset: Dataset
    frames: pd.DataFrame
    selected: pd.DataFrame
    fingerprint: str
    notes: tuple[str, ...] = ()
    unlabelled: int = 0

    @property
    def identity(self) -> DatasetIdentity:
        """What of it is part of a trial's identity."""
        found = digest([self.fingerprint, "unlabelled"], len(self.fingerprint)) if self.unlabelled else self.fingerprint
        return DatasetIdentity(self.card.name, self.card.version, found)

    def without(self, unseen: set[str]) -> pd.DataFrame:
        """The selected rows without those of people of whom a fold trains on nothing.

        Raises:
            FerbenchError: none is left.
        """
        left = self.selected[~self.selected["person"].isin(unseen)]
        if left.empty:
            raise FerbenchError(
                f"extra_dataset={self.card.name} has nobody who is not tested: all of its subjects are in the test set."
            )
        return left


def load_extra(registry: Registry, asked: Component, data: Loaded, joined: bool, unlabelled: bool = False) -> Extra:
    """Read an extra dataset.

    Args:
        data: the dataset of the configuration, or two of them joined. joined: which of the two.
        unlabelled: whether frames without an expression are selected too.

    Raises:
        FerbenchError: it cannot be read, or it is of the people of the dataset, and who is who cannot be told.
    """
    loaded = load_dataset(registry, asked)
    card = loaded.card
    notes = [f"extra: {note}" for note in loaded.notes]
    selected = counting_frames(loaded, "train", notes, unlabelled)
    without = int(selected["expression"].isna().sum())
    populations = _populations(data)
    same = plain(card.population) in populations
    people = selected["subject"].astype(str)
    if same:
        ours = data.frames["subject"].astype(str)
        population = populations[plain(card.population)]
        known = ours.str.removeprefix(f"{population}/") if joined else ours
        if "subject" not in card.provides or "subject" not in data.card.provides:
            raise FerbenchError(
                f"extra_dataset={card.name} is of the same people as dataset={data.card.name} ({card.population}), and it cannot "
                "be told which of them are tested."
            )
        check_names(data.card.name, card, [*known, *people])
        if joined:
            people = f"{population}/" + people
    else:
        people = f"extra {card.population}/" + people  # others, whatever they are called
    count = f"{len(selected)} frames of {selected['subject'].nunique()} subjects"
    count += f", of which {without} have no expression" if without else ""
    notes.append(f"Trained on {card.name} too: {count}.")
    if same:
        notes.append(f"Of {card.name}, the people whom a fold tests or keeps for validation are left out.")
    selected = selected.assign(person=people)
    return Extra(card, loaded.dataset, loaded.frames, selected, loaded.fingerprint, tuple(notes), without)


def _populations(data: Loaded) -> dict[str, str]:
    """The populations of a dataset, or of two that were joined, as they are compared and as names of subjects begin with them."""
    parts = getattr(data.dataset, "parts", None)
    cards = [part.card for part in parts.values()] if parts else [data.card]
    return {plain(card.population): card.population for card in reversed(cards)}
