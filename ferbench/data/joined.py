"""Two datasets as one, for tests across datasets: the first is the training set, the second the test set."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from ferbench.cards import DatasetCard
from ferbench.data.images import read_images
from ferbench.data.loaded import Loaded
from ferbench.errors import FerbenchError, FrameError, NoSuch
from ferbench.expressions import canonical
from ferbench.hashing import digest
from ferbench.interfaces.dataset import COLUMNS, Dataset, Landmarks
from ferbench.protocols.select import SIDE, select
from ferbench.protocols.splitfile import alike

SIDES = ("train", "test")
JOINED = 2
"""Version of what is taken of two datasets. 1 took all frames of datasets that have a split of their own."""


class Joined(Dataset):
    """The frames that the literature uses of two datasets, restricted to the expressions that both have, and the neutral faces of
    the first.

    Labels are compared by `ferbench.expressions`: "happy" in one is "happiness" in the other. Of a dataset that comes with a split,
    its training set is trained on, or its test set is tested. Values of frame_id and sequence get the prefix "train/" or
    "test/". Those of subject get the population of their dataset, as in "CK+/S005", so that the same people have one
    name, and others of the same name stay different. The columns `split` and `side` say "train" or "test".

    Attributes:
        card: describes the pair; its classes are in the order of the first dataset's card.
        same: whether the datasets are of one population.
        common: subjects that are trained on and tested, where the datasets are of one population. tested: how many are tested.
        untold: the datasets are of one population, and at least one does not say who is who, nor has names in common with the
            other: who is on both sides cannot be told.
        notes: what was left out.

    Raises:
        FerbenchError: the datasets have fewer than two expressions in common, or subjects of one population have names that differ
            in upper and lower case or leading zeros only.
    """

    def __init__(self, train: Loaded, test: Loaded) -> None:
        super().__init__(None)
        self.parts = dict(zip(SIDES, (train, test), strict=True))
        ours, theirs = (_renamed(part.card) for part in (train, test))
        shared = tuple(e for e in ours.expressions if e in theirs.expressions)
        if len(shared) < 2:
            numbers = (*ours.expressions, *theirs.expressions)
            hint = " Labels that are numbers need dataset.codes." if any(e.isdigit() for e in numbers) else ""
            raise FerbenchError(
                f"'{ours.name}' ({', '.join(ours.expressions)}) and '{theirs.name}' ({', '.join(theirs.expressions)}) have "
                f"{len(shared)} expressions in common; a test across datasets needs at least two.{hint}"
            )
        self.card = dataclasses.replace(
            ours,
            name=f"{ours.name}_to_{theirs.name}",
            title=f"trained on {ours.name}, tested on {theirs.name}",
            expressions=shared,
            class_sets={},
            provides=ours.provides & (theirs.provides | {"neutral"}),  # neutral faces are needed in training only
            frames="all",
            protocol="cross_dataset",
            published=None,
        )
        self.same = plain(train.card.population) == plain(test.card.population)
        said: list[str] = [merged for part in (train, test) for merged in _merged(part.card)]
        self._frames = pd.concat([self._part(side, said) for side in SIDES], ignore_index=True)
        labelled = self._frames[self._frames["expression"].notna()]
        trained, tested = (set(labelled.loc[labelled[SIDE] == side, "subject"]) for side in SIDES)
        self.common, self.tested = sorted(trained & tested), len(tested)
        named = "subject" in train.card.provides & test.card.provides
        same_names = bool(set(train.frames["subject"]) & set(test.frames["subject"]))
        self.untold = self.same and not named and not same_names
        if self.same and named:
            check_names(ours.name, theirs, [*train.frames["subject"], *test.frames["subject"]])
            if not same_names:
                said.append(
                    f"{ours.name} and {theirs.name} are of one population and have no name of a subject in common."
                )
        self.notes = tuple(said)

    def _part(self, side: str, said: list[str]) -> pd.DataFrame:
        """The rows of one side; sentences about what it leaves out are added to `said`."""
        part = self.parts[side]
        card, frames = part.card, part.frames
        counting = counting_frames(part, side, said)
        names = counting["expression"].map(canonical)
        dropped = names[~names.isin(self.card.expressions)].value_counts()
        if len(dropped):
            words = ", ".join(f"{name} ({count} frames)" for name, count in dropped.sort_index().items())
            said.append(f"Expressions that only {card.name} has are left out: {words}.")
        kept = frames.index.isin(names.index[names.isin(self.card.expressions)])
        neutral = (frames["phase"] == "neutral") & (side == "train")
        table = frames[kept | neutral].copy()
        shared = names[names.isin(self.card.expressions)].reindex(table.index)
        table["expression"] = shared.astype(object).where(shared.notna(), None)
        for column in ("frame_id", "sequence"):
            table[column] = f"{side}/" + table[column].astype(str)
        population = self.card.population if self.same else card.population
        table["subject"] = f"{population}/" + table["subject"].astype(str)
        return table[list(COLUMNS)].assign(split=side, **{SIDE: side})

    def frames(self) -> pd.DataFrame:
        return self._frames

    def _of(self, frame_id: str) -> tuple[Dataset, str]:
        side, _, name = frame_id.partition("/")
        if side not in self.parts:
            raise NoSuch("frame", frame_id, "the joined dataset")
        return self.parts[side].dataset, name

    def image(self, frame_id: str) -> np.ndarray:
        dataset, name = self._of(frame_id)
        return dataset.image(name)

    def images(self, frame_ids: list[str]) -> list[np.ndarray | FrameError]:
        """As `BatchImages.images`: a part that reads many frames at once does so here too."""
        found: dict[str, np.ndarray | FrameError] = {}
        for side, part in self.parts.items():
            ours = [frame for frame in frame_ids if frame.startswith(f"{side}/")]
            names = [frame.partition("/")[2] for frame in ours]
            found |= zip(ours, read_images(part.dataset, names), strict=True)
        if unknown := [frame for frame in frame_ids if frame not in found]:
            raise NoSuch("frame", unknown[0], "the joined dataset")
        return [found[frame] for frame in frame_ids]

    def landmarks(self, frame_id: str) -> np.ndarray | None:
        dataset, name = self._of(frame_id)
        return dataset.landmarks(name) if isinstance(dataset, Landmarks) else None

    def fingerprint(self) -> str:
        parts = [[p.card.name, p.card.version, list(p.card.expressions), p.fingerprint] for p in self.parts.values()]
        return digest([JOINED, parts], 24)


def counting_frames(part: Loaded, side: str, said: list[str], unlabelled: bool = False) -> pd.DataFrame:
    """The rows that the literature uses of a dataset; of one with a split of its own, those of the training set or the test set.

    Args:
        side: "train" or "test".
        said: gets a sentence about what is left out.
        unlabelled: whether frames without an expression are among them.
    """
    frames = part.frames
    if unlabelled and (without := frames["expression"].isna()).any():
        labelled = [select(frames, part.card, "auto")] if not without.all() else []
        counting = pd.concat([*labelled, frames[without]]).sort_index()
    else:
        counting = select(frames, part.card, "auto")
    if "split" in part.card.provides and (counting["split"] == side).any():
        others = int((counting["split"] != side).sum())
        counting = counting[counting["split"] == side]
        if others:
            done = "its training split is trained on" if side == "train" else "its test split is tested"
            said.append(f"Of {part.card.name}, {done}; {others} other frames are left out.")
    return counting


def check_names(dataset: str, other: DatasetCard, names: Iterable[str]) -> None:
    """Raise FerbenchError if subjects of a dataset and another one of its population have names that may be one person's."""
    if pairs := alike(names):
        raise FerbenchError(
            f"'{dataset}' and '{other.name}' are of one population ({other.population}), and {len(pairs)} names of subjects differ "
            f"in upper and lower case or leading zeros only, such as {' and '.join(pairs[0])}. Write them alike, or name the "
            "populations if they are other people."
        )


def plain(population: str) -> str:
    """The name of a population, as it is compared with others."""
    return population.strip().casefold()


def _merged(card: DatasetCard) -> Iterator[str]:
    """A sentence for each class that several classes of a dataset become."""
    for name in dict.fromkeys(map(canonical, card.expressions)):
        several = [expression for expression in card.expressions if canonical(expression) == name]
        if len(several) > 1:
            yield f"The classes {' and '.join(several)} of {card.name} are one here: {name}."


def _renamed(card: DatasetCard) -> DatasetCard:
    """The card with the names of `ferbench.expressions` for its classes."""
    return dataclasses.replace(card, expressions=tuple(dict.fromkeys(map(canonical, card.expressions))), class_sets={})


def image_key(image: np.ndarray) -> bytes | None:
    """A digest of an image (S, S, 3), uint8; None for one of a single colour, which is like many others."""
    image = np.ascontiguousarray(image)
    return None if image.min() == image.max() else hashlib.blake2b(image.tobytes(), digest_size=16).digest()


def twins(images: np.ndarray, rows: np.ndarray, side: np.ndarray, fold: np.ndarray) -> Iterator[tuple[int, int]]:
    """(tested, trained) places of frames whose images are equal, pixel by pixel, where one is tested in a fold that trains on the
    other. Images of one colour are no twins.

    Args:
        images: (N, S, S, 3), uint8.
        rows: (M,), rows of the frames. side: (M,), "train" or "test". fold: (M,), int, as protocols assign them.
    """

    known: dict[bytes | None, list[int]] = {}
    for place in np.flatnonzero(side == "train"):
        known.setdefault(image_key(images[rows[place]]), []).append(int(place))
    known.pop(None, None)
    for place in np.flatnonzero(side == "test"):
        twin = next(
            (other for other in known.get(image_key(images[rows[place]]), ()) if fold[other] != fold[place]), None
        )
        if twin is not None:
            yield int(place), twin
