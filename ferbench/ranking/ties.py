"""Which rows of a board the data tell apart: shared ranks, intervals of ranks, and what the board could have shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ferbench.ranking import intervals
from ferbench.ranking.board import Board, Row
from ferbench.ranking.sample import Sample
from ferbench.ranking.statistics import ALPHA, holm


def tie(board: Board, rows: Sequence[Row], samples: Sequence[Sample], higher: bool = True) -> None:
    """Give ranks with ties to complete rows, the best first, and say on the board what it could have shown.

    Two rows are told apart by the test of their difference (`intervals.differences`), corrected by Holm over all pairs of the
    board, so that in 95 of 100 boards no pair of equal rows is told apart. A row shares the rank of the rows above it until it is
    told to be worse than one of these; then it begins a group, with its place as its rank: 1, 1, 3. No rank lies outside its
    interval: no row of a group is told from the row, so that only rows above the group can be told to be better.

    Rows that were not tested on the same frames get no rank, and a note says so.

    Args:
        board: its notes and what it could have shown are set. rows: the complete ones, in order. samples: of each of them.
        higher: whether a higher value is better.
    """
    if len(rows) < 2:
        for row in rows:
            row.rank = 1
        return
    for row, found in zip(rows, samples, strict=True):
        if reason := found.unlike(samples[0]):
            board.notes.append(f"{row.name} and {rows[0].name} {reason}: rows of this board are not ranked.")
            return
    board.subjects = len(samples[0].subjects)
    if board.subjects < 2:
        board.notes.append("Rows of this board are not ranked: they were tested on one subject.")
        return
    better = _told_better(board, samples, higher)
    leader = 0
    for place, row in enumerate(rows):
        if better[leader:place, place].any():
            leader = place
        row.rank = leader + 1
        row.rank_low = 1 + int(better[:, place].sum())
        row.rank_high = len(rows) - int(better[place].sum())
    for row in rows:
        row.tied = sum(other.rank == row.rank for other in rows) > 1


def _told_better(board: Board, samples: Sequence[Sample], higher: bool) -> np.ndarray:
    """(M, M), whether a row (first index) is told to be better than another."""
    first, second = np.triu_indices(len(samples), 1)
    found = intervals.differences(samples, first, second)
    told = np.zeros((len(samples), len(samples)), dtype=bool)
    for a, b, difference, p in zip(first, second, found, holm([d.p for d in found]), strict=True):
        if p < ALPHA:
            told[(a, b) if (difference.mean > 0) is higher else (b, a)] = True
    board.pairs = len(found)
    board.covers_luck = found[0].covers_luck
    board.separable = separable(board.subjects)
    board.detectable = float(np.median([intervals.detectable(d, board.pairs) for d in found[: len(samples) - 1]]))
    return told


def separable(subjects: int) -> int:
    """How many rows so many subjects can tell apart at most: of more rows, the smallest p-value times the number of pairs is not
    below 0.05.

    >>> separable(8), separable(10)
    (4, 7)
    """
    smallest = intervals.smallest_p(subjects)
    if smallest >= ALPHA:
        return 1
    rows = 2
    while rows * (rows + 1) / 2 * smallest < ALPHA and rows < 10_000:
        rows += 1
    return rows
