"""Methods across datasets: Friedman's test and Nemenyi's critical difference (Demsar, JMLR 7, 2006)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ferbench.ranking import statistics
from ferbench.ranking.board import Board

FEW = 5
"""With fewer datasets than this the test hardly ever tells methods apart, and the words say so."""


@dataclass(frozen=True)
class Across:
    """Attributes:
    metric: that was ranked.
    methods, datasets: without a gap between them; where backbones differ, they are part of the name.
    scores: (datasets, methods). ranks: (methods,), the mean over datasets; 1 is the best.
    chi2, p: of Friedman's test. difference: critical difference of mean ranks.
    """

    metric: str
    methods: tuple[str, ...]
    datasets: tuple[str, ...]
    scores: np.ndarray
    ranks: np.ndarray
    chi2: float
    p: float
    difference: float

    def words(self) -> str:
        """What may be concluded."""
        text = f"{len(self.methods)} methods on {len(self.datasets)} datasets: Friedman's test gives p = {self.p:.3f}"
        if self.p >= statistics.ALPHA:
            text += "; it does not tell the methods apart"
        else:
            text += f"; mean ranks that differ by less than {self.difference:.2f} are not told apart (Nemenyi)"
        if len(self.datasets) < FEW:
            text += f". {len(self.datasets)} datasets are few for this test: no conclusion should rest on it"
        return text + "."


def across(boards: Sequence[Board], metric: str = "accuracy", higher: bool = True) -> Across | None:
    """The methods that are complete on every board, which stand for datasets; None for fewer than three methods or two boards."""
    tables = [
        {
            (row.name, row.backbone): row.scores[metric].mean
            for row in board.rows
            if row.complete and metric in row.scores
        }
        for board in boards
    ]
    if len(tables) < 2:
        return None
    shared = [key for key in tables[0] if all(key in table for table in tables)]
    if len(shared) < 3:
        return None
    scores = np.array([[table[key] for key in shared] for table in tables])
    ranked = scores if higher else -scores
    several = len({backbone for _, backbone in shared}) > 1
    chi2, p = statistics.friedman(ranked)
    return Across(
        metric=metric,
        methods=tuple(f"{name} {backbone}" if several else name for name, backbone in shared),
        datasets=tuple(board.dataset for board in boards),
        scores=scores,
        ranks=statistics.mean_ranks(ranked),
        chi2=chi2,
        p=p,
        difference=statistics.critical_difference(len(shared), len(boards)),
    )
