"""The confusion counts of a row, by fold, training and subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ferbench.ranking.scores import CountedScore
from ferbench.records.index import Tables
from ferbench.records.schema import Record

Array = np.ndarray
Fold = tuple[int, int]
"""An assignment of subjects to folds, and a fold of it."""

ByFold = Mapping[Fold, tuple[tuple[str, ...], tuple[int, ...], Array]]
"""For each fold its subjects, its seeds, and an array with a value for each seed and subject."""


def subjects_of(folds: ByFold) -> tuple[str, ...]:
    """All subjects, sorted."""
    return tuple(sorted({name for names, _, _ in folds.values() for name in names}))


def repeats_of(folds: ByFold) -> float:
    """How many trainings have tested a subject, on average."""
    return sum(len(names) * len(seeds) for names, seeds, _ in folds.values()) / max(len(subjects_of(folds)), 1)


def _counts(tables: Mapping[str, list[list[int]]], subjects: tuple[str, ...], size: int) -> Array:
    """(S, C, C) of one training."""
    if isinstance(tables, Tables) and tables.names == subjects:
        return tables.array
    nothing = [[0] * size] * size
    return np.array([tables.get(subject, nothing) for subject in subjects]).reshape(len(subjects), size, size)


@dataclass(frozen=True, eq=False)
class Answers:
    """What one method answered.

    Attributes:
        folds: for each fold the subjects (S_g names, sorted), the seeds (R_g), and the confusion counts (R_g, S_g, C, C).
    """

    folds: ByFold

    @classmethod
    def of(cls, records: Sequence[Record], source: str) -> Answers:
        """From records of one row, one for each repetition. `source`: the counts of a record that are read, see `cards.Counts`."""
        by_fold: dict[Fold, dict[int, dict[str, list[list[int]]]]] = {}
        for record in records:
            assignment, fold, seed = record.trial.repetition
            by_fold.setdefault((assignment, fold), {})[seed] = getattr(record, source)
        folds = {}
        for key, by_seed in sorted(by_fold.items()):
            subjects = tuple(sorted({subject for names in {*map(tuple, by_seed.values())} for subject in names}))
            size = len(records[0].expressions)
            counts = [_counts(tables, subjects, size) for _, tables in sorted(by_seed.items())]
            folds[key] = (subjects, tuple(sorted(by_seed)), np.array(counts, dtype=float))
        return cls(folds)

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """All subjects, sorted."""
        return subjects_of(self.folds)

    @cached_property
    def pooled(self) -> Array:
        """(C, C), the counts of all subjects and trainings."""
        result: np.ndarray = np.sum([counts.sum((0, 1)) for _, _, counts in self.folds.values()], axis=0)
        return result

    @cached_property
    def by_subject(self) -> Array:
        """(S, C, C), the counts of each subject of `subjects`, summed over trainings."""
        place = {name: number for number, name in enumerate(self.subjects)}
        found = np.zeros((len(place), *self.pooled.shape))
        for names, _, counts in self.folds.values():
            np.add.at(found, [place[name] for name in names], counts.sum(0))
        return found

    def frames(self, score: CountedScore) -> float:
        """The number of different frames that count for a score: see `CountedScore.frames`."""
        return score.frames(self.pooled) / max(repeats_of(self.folds), 1)

    @cached_property
    def sizes(self) -> dict[Fold, Array]:
        """For each fold the numbers of frames (R_g, S_g, C) by true class."""
        return {fold: counts.sum(3) for fold, (_, _, counts) in self.folds.items()}
