"""Two methods on the same subjects, folds and seeds: by how much they differ, and what may be concluded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ferbench.cards import Counts, Metric
from ferbench.errors import FerbenchError, UnknownName, enumerate_first
from ferbench.ranking import intervals
from ferbench.ranking.aggregate import BoardQuery, boards, sample_of, shared
from ferbench.ranking.answers import Answers
from ferbench.ranking.board import Board, Difference, Row
from ferbench.ranking.cards import Cards
from ferbench.ranking.scores import accuracy
from ferbench.ranking.statistics import ALPHA
from ferbench.records.schema import Record


@dataclass(frozen=True)
class Comparison:
    """`ours` against `theirs` on one board.

    Attributes:
        metric: the card of the metric that is compared.
        difference: of the metric, ours minus theirs.
        subjects: accuracy of each subject, ours minus theirs.
        classes: (expression, recall of ours, recall of theirs).
        code: a sentence where the two were trained by other code of ferbench itself; empty where they were not.
        trials: how many each has on the folds and seeds that both ran; nothing else is compared.
    """

    board: Board
    ours: Row
    theirs: Row
    metric: Metric
    difference: Difference
    subjects: dict[str, float]
    classes: list[tuple[str, float, float]]
    trials: int
    code: str = ""

    def words(self) -> str:
        """What may be concluded, and of what."""
        ours, theirs, difference = self.ours.name, self.theirs.name, self.difference
        if math.isnan(difference.p):
            return f"{ours} and {theirs} were tested on one subject; nothing can be concluded from it."
        size = self.metric.size(abs(difference.mean))
        if intervals.smallest_p(difference.subjects) >= ALPHA:
            return (
                f"{difference.subjects} subjects cannot tell {ours} and {theirs} apart, whatever they show: p is at least "
                f"{intervals.smallest_p(difference.subjects):.3f}."
            )
        if not difference.clear:
            return (
                f"These data do not tell {ours} and {theirs} apart. That is no proof of equality: a true difference of less than "
                f"{self.metric.size(intervals.detectable(difference))} would often have gone unseen.{self._luck()}"
            )
        ahead = (difference.mean > 0) is self.metric.higher_is_better
        better, worse = (ours, theirs) if ahead else (theirs, ours)
        if self.metric.name == "accuracy":
            many, one = "recognise expressions better", "recognises expressions better"
        else:
            many, one = f"have a better {self.metric.title}", f"has a better {self.metric.title}"
        if not difference.covers_luck:
            return f"These trainings of {better} {many} than those of {worse}, by {size}.{self._luck()}"
        return f"{better} {one} than {worse} here, by {size}.{self._luck()}"

    def _luck(self) -> str:
        """What is known of training luck."""
        difference = self.difference
        if not math.isnan(difference.luck):
            return (
                " Training luck is part of the interval: between two trainings the difference varies by "
                f"{self.metric.size(difference.luck)} (standard deviation)."
            )
        if difference.covers_luck:
            return " Each subject was tested by trainings of its own, so that training luck is part of the interval."
        text = " Training luck could not be measured, because each fold was trained with one seed."
        if not difference.clear:
            return text
        limit = self.metric.size(intervals.overturned_by(difference))
        return (
            f"{text} If the difference between two trainings varies by more than {limit} (standard deviation), it may "
            "be luck. So nothing is said of the methods in general; seeds=[0,1,2] would tell."
        )


def compare(
    records: Sequence[Record],
    ours: str,
    theirs: str,
    dataset: str | None = None,
    cards: Cards | None = None,
    metric: str = "accuracy",
) -> list[Comparison]:
    """A comparison on every board that has both.

    Args:
        ours, theirs: "method" or "method/variant".
        cards: of what is installed, for metrics and the names of datasets and backbones.
        metric: what is compared.

    Raises:
        UnknownName: there is no such row.
        FerbenchError: no board has both on the same folds and seeds, or the records do not hold the metric by subject, or
            contradict each other in its direction.
    """
    cards = (cards or Cards()).of_records(records)
    cards.need_direction(metric)
    by_id = {record.trial.id: record for record in records}
    all_boards = boards(records, query=BoardQuery(dataset=dataset, cards=cards))
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
                found.append(_compare(board, a, b, x, y, metric, cards))
            else:
                unlike.append(f"{board.dataset} ({a.done} and {b.done} trials)")
    if not found:
        reason = f"; they ran on other folds or seeds on {enumerate_first(unlike)}" if unlike else ""
        raise FerbenchError(f"No board has {ours} and {theirs} on the same backbone, folds and seeds{reason}.")
    return found


def _compare(
    board: Board, a: Row, b: Row, ours: list[Record], theirs: list[Record], metric: str, cards: Cards
) -> Comparison:
    samples = [sample_of(records, metric, cards) for records in (ours, theirs)]
    if samples[0] is None or samples[1] is None:
        raise FerbenchError(
            f"{metric} of {a.name} and {b.name} on {board.dataset} cannot be compared: their records do not hold it by subject. "
            f"'ferbench evaluate --metric {metric}' works it out from stored outputs, if its evaluator gives it by subject."
        )
    if reason := samples[0].unlike(samples[1]):
        raise FerbenchError(f"{a.name} and {b.name} {reason} on {board.dataset}, and cannot be compared.")
    x, y = Answers.of(ours, Counts.FRAMES), Answers.of(theirs, Counts.FRAMES)
    gaps = accuracy(x.by_subject) - accuracy(y.by_subject)
    recalls = [np.diagonal(table) / np.maximum(table.sum(1), 1) for table in (x.pooled, y.pooled)]
    shown = x.pooled.sum(1) > 0
    classes = [
        (expression, float(recalls[0][i]), float(recalls[1][i]))
        for i, expression in enumerate(ours[0].expressions)
        if shown[i]
    ]
    return Comparison(
        board=board,
        ours=a,
        theirs=b,
        metric=cards.metric(metric),
        difference=intervals.difference_of(samples[0], samples[1]),
        subjects=dict(zip(x.subjects, map(float, gaps), strict=True)),
        classes=classes,
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
