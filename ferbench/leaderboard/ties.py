"""Which rows of a board the data tell apart: tie groups, rank intervals, and what the board could have shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from ferbench import statistics
from ferbench.leaderboard.rows import Row

ALPHA = 0.05
Tables = Mapping[str, np.ndarray]
"""(C, C) counts by subject."""


def tie(rows: Sequence[Row], tables: Sequence[Tables], draws: int = statistics.DRAWS) -> float | None:
    """Give ranks with ties to complete rows, the best first.

    A row shares the rank of the first row of its group unless it is worse by a sign flip test by subject, corrected by Holm over
    all pairs of the board; the first that is worse begins a group of its own, with its place as its rank: 1, 1, 3.

    Returns:
        The smallest difference to the best row that the data would have shown in 8 of 10 studies, the median over the other
        rows; None where the rows were not tested on the same subjects, and no tie can be told.
    """
    for place, row in enumerate(rows, 1):
        row.rank = place
    subjects = sorted(tables[0]) if tables else []
    if len(rows) < 2 or len(subjects) < 2 or any(sorted(t) != subjects for t in tables):
        return None
    stacked = np.stack([[t[s] for s in subjects] for t in tables])
    right = np.trace(stacked, axis1=2, axis2=3)
    pairs = list(combinations(range(len(rows)), 2))
    first, second = (np.array([pair[i] for pair in pairs]) for i in (0, 1))
    corrected = dict(
        zip(pairs, statistics.holm(list(statistics.sign_flip_many(right[first] - right[second]))), strict=True)
    )
    leader = 0
    for place in range(1, len(rows)):
        if corrected[leader, place] < ALPHA:
            leader = place
        else:
            rows[place].rank = rows[leader].rank
    for row in rows:
        row.tied = sum(other.rank == row.rank for other in rows) > 1
    counts = statistics.resampled(len(subjects), draws).astype(float)
    drawn = np.stack([counts @ r / (counts @ t.sum((1, 2))) for r, t in zip(right, stacked, strict=True)], axis=1)
    for row, (low, high) in zip(rows, statistics.rank_intervals(drawn), strict=True):
        row.rank_low, row.rank_high = int(low), int(high)
    gaps = [np.quantile(drawn[:, 0] - drawn[:, i], [0.025, 0.975]) for i in range(1, len(rows))]
    return float(np.median([statistics.detectable(low, high) for low, high in gaps]))


def against(ours: Tables, theirs: Tables) -> tuple[float, float, float] | None:
    """Accuracy of ours minus theirs, with the interval of paired subjects; None on unlike subjects."""
    subjects = sorted(ours)
    if sorted(theirs) != subjects:
        return None
    x, y = (np.stack([t[s] for s in subjects]) for t in (ours, theirs))
    mean = float(statistics.accuracy(x.sum(0)) - statistics.accuracy(y.sum(0)))
    return mean, *statistics.paired_bootstrap_by_subject(x, y, statistics.accuracy)
