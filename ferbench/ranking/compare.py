"""Two methods on the same subjects, folds and seeds: by how much they differ, and what may be concluded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ferbench.errors import FerbenchError, UnknownName, enumerate_first
from ferbench.ranking import statistics
from ferbench.ranking.aggregate import BoardQuery, boards, shared, tables_by_subject
from ferbench.ranking.board import Board, Row, Score
from ferbench.ranking.cards import Cards
from ferbench.ranking.paired import paired
from ferbench.records.schema import Record


@dataclass(frozen=True)
class Comparison:
    """`ours` against `theirs` on one board.

    Attributes:
        difference: of accuracy, ours minus theirs, with the 95 % interval of paired subjects.
        p: of sign flips by subject. p_folds: of the corrected resampled t-test over folds and seeds.
        subjects: accuracy of each subject, ours minus theirs.
        classes: (expression, recall of ours, recall of theirs).
        detectable: the smallest difference that these data would show in 8 of 10 studies.
        code: a sentence where the two were trained by other code of ferbench itself; empty where they were not.
        trials: how many each has on the folds and seeds that both ran; nothing else is compared.
    """

    board: Board
    ours: Row
    theirs: Row
    difference: Score
    p: float
    p_folds: float
    subjects: dict[str, float]
    classes: list[tuple[str, float, float]]
    detectable: float
    trials: int
    code: str = ""

    @property
    def clear(self) -> bool:
        """Whether the data tell the two apart: the interval excludes 0 and the sign flip test rejects."""
        return not self.difference.low <= 0 <= self.difference.high and self.p < statistics.ALPHA

    def words(self) -> str:
        """What may be concluded."""
        ours, theirs = self.ours.name, self.theirs.name
        size = f"{abs(100 * self.difference.mean):.1f} points"
        if self.clear:
            better, worse = (ours, theirs) if self.difference.mean > 0 else (theirs, ours)
            text = f"{better} recognises expressions better than {worse} here, by {size}"
            if self.p_folds >= statistics.ALPHA:
                text += "; the folds and seeds alone do not show it (second p), so a repetition is worth its time"
            return text + "."
        return (
            f"These data do not tell {ours} and {theirs} apart. That is no proof of equality: a true difference of less than "
            f"{100 * self.detectable:.1f} points would often have gone unseen."
        )


def compare(
    records: Sequence[Record], ours: str, theirs: str, dataset: str | None = None, cards: Cards | None = None
) -> list[Comparison]:
    """A comparison on every board that has both.

    Args:
        ours, theirs: "method" or "method/variant".
        cards: of what is installed, for the names of datasets and backbones.

    Raises:
        UnknownName: there is no such row.
        FerbenchError: no board has both on the same folds and seeds.
    """
    by_id = {record.trial.id: record for record in records}
    all_boards = boards(records, query=BoardQuery(dataset=dataset, cards=cards or Cards()))
    names = {row.name for board in all_boards for row in board.rows}
    for wanted in (ours, theirs):
        if wanted not in names:
            raise UnknownName("method among the records", wanted, names)
    if ours == theirs:
        raise FerbenchError(f"'{ours}' is compared with itself; name two.")
    found, unlike = [], []
    for board in all_boards:
        pairs = [(a, b) for a in board.rows for b in board.rows if (a.name, b.name) == (ours, theirs)]
        for a, b in pairs:
            if a.backbone != b.backbone:
                continue
            x, y = shared(*([by_id[trial] for trial in row.trials] for row in (a, b)))
            if x:
                found.append(_compare(board, a, b, x, y))
            else:
                unlike.append(f"{board.dataset} ({a.done} and {b.done} trials)")
    if not found:
        reason = f"; they ran on other folds or seeds on {enumerate_first(unlike)}" if unlike else ""
        raise FerbenchError(f"No board has {ours} and {theirs} on the same backbone, folds and seeds{reason}.")
    return found


def _compare(board: Board, a: Row, b: Row, ours: list[Record], theirs: list[Record]) -> Comparison:
    pair = paired(tables_by_subject(ours, "confusion"), tables_by_subject(theirs, "confusion"))
    assert pair is not None  # the same folds of one board test the same subjects
    difference, counts = pair.difference, (pair.ours.sum(0), pair.theirs.sum(0))
    gaps = [
        float(x.metrics["accuracy"] or 0) - float(y.metrics["accuracy"] or 0) for x, y in zip(ours, theirs, strict=True)
    ]
    identity = ours[0].trial.identity
    ratio = max(1, len(identity.test_subjects)) / max(1, len(identity.train_subjects))
    recalls = [np.diagonal(table) / np.maximum(table.sum(1), 1) for table in counts]
    shown = counts[0].sum(1) > 0
    classes = [
        (expression, float(recalls[0][i]), float(recalls[1][i]))
        for i, expression in enumerate(ours[0].expressions)
        if shown[i]
    ]
    return Comparison(
        board=board,
        ours=a,
        theirs=b,
        difference=difference,
        p=pair.p,
        p_folds=statistics.corrected_resampled_t(gaps, ratio)[1],
        subjects=pair.by_subject,
        classes=classes,
        detectable=statistics.detectable(difference.low, difference.high),
        trials=len(ours),
        code=_code(ours, theirs),
    )


def _code(ours: Sequence[Record], theirs: Sequence[Record]) -> str:
    """Whether one state of ferbench's own code made both: that of the methods differs in any case."""
    found = [{r.code["core"] for r in records if "core" in r.code} for records in (ours, theirs)]
    if len(found[0] | found[1]) < 2:
        return ""
    count = len(found[0] | found[1])
    return f"Their records were made by {count} states of ferbench's code, of the same declared versions."
