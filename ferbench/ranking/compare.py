"""Two methods on the same subjects, folds and seeds: by how much they differ, and what may be concluded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from ferbench.cards import Counts, Metric
from ferbench.errors import FerbenchError, UnknownName, enumerate_first
from ferbench.ranking import intervals
from ferbench.ranking.aggregate import BoardQuery, boards, sample_of, shared
from ferbench.ranking.answers import Answers
from ferbench.ranking.board import Board, Difference, Row
from ferbench.ranking.cards import Cards
from ferbench.ranking.sample import Sample
from ferbench.ranking.scores import accuracy
from ferbench.ranking.statistics import ALPHA
from ferbench.records.schema import Record


@dataclass(frozen=True)
class Comparison:
    """`ours` against `theirs` on one board.

    Attributes:
        metric: the card of the metric that is compared.
        difference: of the metric, ours minus theirs.
        answers: of both, on frames.
        code: a sentence where the two were trained by other code of ferbench itself; empty where they were not.
        trials: how many each has on the folds and seeds that both ran; nothing else is compared.
    """

    board: Board
    ours: Row
    theirs: Row
    metric: Metric
    difference: Difference
    answers: tuple[Answers, Answers]
    trials: int
    code: str = ""

    @property
    def heading(self) -> str:
        """What is compared, and on what."""
        place = (self.board.dataset, self.board.protocol, self.ours.backbone)
        return " · ".join([f"{self.ours.name} against {self.theirs.name}", *place])

    @property
    def subjects(self) -> dict[str, float]:
        """Accuracy of each subject, ours minus theirs."""
        ours, theirs = self.answers
        gaps = accuracy(ours.by_subject) - accuracy(theirs.by_subject)
        return dict(zip(ours.subjects, map(float, gaps), strict=True))

    @property
    def classes(self) -> list[tuple[str, float, float]]:
        """(expression, recall of ours, recall of theirs) of each expression that was tested."""
        tables = [answers.pooled for answers in self.answers]
        recalls = [np.diagonal(table) / np.maximum(table.sum(1), 1) for table in tables]
        return [
            (expression, float(recalls[0][i]), float(recalls[1][i]))
            for i, expression in enumerate(self.board.expressions)
            if tables[0][i].sum() > 0
        ]

    def turned(self) -> Comparison:
        """`theirs` against `ours`."""
        d = self.difference
        difference = replace(d, mean=0.0 - d.mean, low=0.0 - d.high, high=0.0 - d.low)  # no -0.0
        return replace(self, ours=self.theirs, theirs=self.ours, difference=difference, answers=self.answers[::-1])

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
                sides = _Side.of(x, metric, cards), _Side.of(y, metric, cards)
                found.append(_compare(board, a, b, *sides, metric, cards))
            else:
                unlike.append(f"{board.dataset} ({a.done} and {b.done} trials)")
    if not found:
        reason = f"; they ran on other folds or seeds on {enumerate_first(unlike)}" if unlike else ""
        raise FerbenchError(f"No board has {ours} and {theirs} on the same backbone, folds and seeds{reason}.")
    return found


def pairs(
    board: Board, records: Mapping[str, Record], cards: Cards, metric: str = "accuracy", most: int | None = None
) -> Iterator[tuple[Row, Row, Comparison | str]]:
    """What `compare` says of any two rows of a board, each pair once: a comparison, or the sentence why there is none.

    Args:
        records: by trial. most: of so many rows only, the first ones.
    """
    known: dict[tuple[str, ...], _Side] = {}

    def side(found: Sequence[Record]) -> _Side:
        key = tuple(record.trial.id for record in found)
        if key not in known:
            known[key] = _Side.of(found, metric, cards)
        return known[key]

    rows = [(row, [records[trial] for trial in row.trials]) for row in board.rows[:most] if row.trials]
    for (a, ours), (b, theirs) in combinations(rows, 2):
        x, y = shared(ours, theirs)
        if a.backbone != b.backbone:
            yield a, b, f"{a.name} ran on {a.backbone} and {b.name} on {b.backbone}; rows of one backbone are compared."
        elif not x:
            yield a, b, f"{a.name} and {b.name} ran on other folds or seeds."
        else:
            try:
                yield a, b, _compare(board, a, b, side(x), side(y), metric, cards)
            except FerbenchError as error:
                yield a, b, str(error)


@dataclass(frozen=True, eq=False)
class _Side:
    """One of the two that are compared.

    Attributes:
        sample: of the metric; None if its records do not hold it by subject. answers: on frames.
        codes: digests of ferbench's own code that made its records. trials: how many there are.
    """

    sample: Sample | None
    answers: Answers
    codes: frozenset[str]
    trials: int

    @classmethod
    def of(cls, records: Sequence[Record], metric: str, cards: Cards) -> _Side:
        codes = frozenset(code["core"] for r in records if "core" in (code := r.code))
        return cls(sample_of(records, metric, cards), Answers.of(records, Counts.FRAMES), codes, len(records))


def _compare(board: Board, a: Row, b: Row, ours: _Side, theirs: _Side, metric: str, cards: Cards) -> Comparison:
    if ours.sample is None or theirs.sample is None:
        raise FerbenchError(
            f"{metric} of {a.name} and {b.name} on {board.dataset} cannot be compared: their records do not hold it by subject. "
            f"'ferbench evaluate --metric {metric}' works it out from stored outputs, if its evaluator gives it by subject."
        )
    if reason := ours.sample.unlike(theirs.sample):
        raise FerbenchError(f"{a.name} and {b.name} {reason} on {board.dataset}, and cannot be compared.")
    return Comparison(
        board=board,
        ours=a,
        theirs=b,
        metric=cards.metric(metric),
        difference=intervals.difference_of(ours.sample, theirs.sample),
        answers=(ours.answers, theirs.answers),
        trials=ours.trials,
        code=_code(ours.codes | theirs.codes),
    )


def _code(codes: frozenset[str]) -> str:
    """Whether one state of ferbench's own code made both: that of the methods differs in any case."""
    if len(codes) < 2:
        return ""
    return f"Their records were made by {len(codes)} states of ferbench's code, of the same declared versions."
