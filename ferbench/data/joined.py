"""Two datasets as one, for tests across datasets: the first is the training set, the second the test set."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from ferbench.cards import DatasetCard
from ferbench.errors import FerbenchError, NoSuch
from ferbench.hashing import digest
from ferbench.interfaces.dataset import COLUMNS, Dataset, Landmarks
from ferbench.protocols.select import select

SIDES = ("train", "test")


class Joined(Dataset):
    """The frames that the literature uses of two datasets, restricted to the expressions that both have, and their neutral faces.

    Values of frame_id, subject and sequence get the prefix "train/" or "test/", as in "train/P001/Anger/007", so that
    subjects of the two datasets with the same name stay different. The column `split` says "train" or "test". `card` describes
    the pair; its classes are in the order of the first dataset's card.

    Raises:
        FerbenchError: the datasets have fewer than two expressions in common.
    """

    def __init__(self, train: tuple[DatasetCard, Dataset], test: tuple[DatasetCard, Dataset]) -> None:
        super().__init__(None)
        self.parts = dict(zip(SIDES, (train, test), strict=True))
        ours, theirs = train[0], test[0]
        common = tuple(e for e in ours.expressions if e in theirs.expressions)
        if len(common) < 2:
            raise FerbenchError(
                f"'{ours.name}' ({', '.join(ours.expressions)}) and '{theirs.name}' ({', '.join(theirs.expressions)}) have "
                f"{len(common)} expressions in common; a test across datasets needs at least two."
            )
        self.card = dataclasses.replace(
            ours,
            name=f"{ours.name}_to_{theirs.name}",
            title=f"trained on {ours.name}, tested on {theirs.name}",
            expressions=common,
            provides=ours.provides & (theirs.provides | {"neutral"}),  # neutral faces are needed in training only
            frames="all",
            protocol="cross_dataset",
            published=None,
        )

    def frames(self) -> pd.DataFrame:
        tables = []
        for side, (card, dataset) in self.parts.items():
            table = dataset.frames()
            counting = select(table, card, "auto").index
            kept = table[table.index.isin(counting) | (table["phase"] == "neutral")].copy()
            # frames that are not used have no label: neutral faces, and expressions that the other dataset lacks
            counts = kept.index.isin(counting) & kept["expression"].isin(self.card.expressions)
            kept.loc[~counts, "expression"] = None
            for column in ("frame_id", "subject", "sequence"):
                kept[column] = f"{side}/" + kept[column].astype(str)
            tables.append(kept[list(COLUMNS)].assign(split=side))
        return pd.concat(tables, ignore_index=True)

    def _of(self, frame_id: str) -> tuple[Dataset, str]:
        side, _, name = frame_id.partition("/")
        if side not in self.parts:
            raise NoSuch("frame", frame_id, "the joined dataset")
        return self.parts[side][1], name

    def image(self, frame_id: str) -> np.ndarray:
        dataset, name = self._of(frame_id)
        return dataset.image(name)

    def landmarks(self, frame_id: str) -> np.ndarray | None:
        dataset, name = self._of(frame_id)
        return dataset.landmarks(name) if isinstance(dataset, Landmarks) else None

    def fingerprint(self) -> str:
        return digest(
            [[card.name, card.version, list(card.expressions), d.fingerprint()] for card, d in self.parts.values()], 24
        )
