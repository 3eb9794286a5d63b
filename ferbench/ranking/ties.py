"""Which rows of a board the data tell apart: tie groups, rank intervals, and what the board could have shown."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from ferbench.ranking import statistics
from ferbench.ranking.board import Row
from ferbench.ranking.paired import Tables, right


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
    answers = right(stacked)
    pairs = list(combinations(range(len(rows)), 2))
    first, second = (np.array([pair[i] for pair in pairs]) for i in (0, 1))
    p_values = statistics.sign_flip_test(answers[first] - answers[second])
    corrected = dict(zip(pairs, statistics.holm(p_values.tolist()), strict=True))
    leader = 0
    for place in range(1, len(rows)):
        if corrected[leader, place] < statistics.ALPHA:
            leader = place
        else:
            rows[place].rank = rows[leader].rank
    for row in rows:
        row.tied = sum(other.rank == row.rank for other in rows) > 1
    counts = statistics.resampled(len(subjects), draws).astype(float)
    drawn = np.stack([counts @ r / (counts @ t.sum((1, 2))) for r, t in zip(answers, stacked, strict=True)], axis=1)
    for row, (low, high) in zip(rows, statistics.rank_intervals(drawn), strict=True):
        row.rank_low, row.rank_high = int(low), int(high)
    gaps = [np.quantile(drawn[:, 0] - drawn[:, i], [0.025, 0.975]) for i in range(1, len(rows))]
    return float(np.median([statistics.detectable(low, high) for low, high in gaps]))
