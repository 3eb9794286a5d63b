"""Two rows on the same subjects: the paired difference of accuracy, its interval, its test, and what it is by subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ferbench.ranking import statistics
from ferbench.ranking.board import Score

Tables = Mapping[str, np.ndarray]
"""(C, C) confusion counts by subject, rows true."""


@dataclass(frozen=True, eq=False)
class Paired:
    """Attributes:
    subjects: S names, in order. ours, theirs: (S, C, C), confusion counts of each.
    """

    subjects: tuple[str, ...]
    ours: np.ndarray
    theirs: np.ndarray

    @property
    def difference(self) -> Score:
        """Accuracy of ours minus theirs, with the 95 % interval of paired subjects."""
        mean = float(statistics.accuracy(self.ours.sum(0)) - statistics.accuracy(self.theirs.sum(0)))
        return Score(mean, *statistics.paired_bootstrap_by_subject(self.ours, self.theirs, statistics.accuracy))

    @property
    def p(self) -> float:
        """Of right answers, by sign flips of subjects: see statistics.sign_flip_test."""
        return float(statistics.sign_flip_test(right(self.ours) - right(self.theirs)))

    @property
    def by_subject(self) -> dict[str, float]:
        """Accuracy of each subject, ours minus theirs."""
        gaps = statistics.accuracy(self.ours) - statistics.accuracy(self.theirs)
        return dict(zip(self.subjects, map(float, gaps), strict=True))


def paired(ours: Tables, theirs: Tables) -> Paired | None:
    """None where the subjects are not the same, or there are none."""
    subjects = sorted(ours)
    if not subjects or sorted(theirs) != subjects:
        return None
    return Paired(tuple(subjects), *(np.stack([tables[s] for s in subjects]) for tables in (ours, theirs)))


def right(tables: np.ndarray) -> np.ndarray:
    """(..., C, C) confusion counts -> (...): right answers."""
    result: np.ndarray = np.trace(tables, axis1=-2, axis2=-1)
    return result
