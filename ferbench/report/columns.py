"""Which metrics a table shows, and how a number with its interval is written."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ferbench.cards import Metric
from ferbench.errors import enumerate_first
from ferbench.ranking.board import Board, Row, Score
from ferbench.ranking.cards import Cards


@dataclass(frozen=True)
class Column:
    """A metric, or one of a reference ("metric/pixels"), as a table shows it."""

    metric: str
    card: Metric

    @property
    def heading(self) -> str:
        reference = self.metric.partition("/")[2]
        return f"{self.card.column} ({reference})" if reference else self.card.column

    @property
    def interval(self) -> bool:
        """Whether the interval stands beside the figure."""
        return self.card.interval and self.metric == self.card.name


DEFAULT = ("accuracy", "sequence_accuracy", "macro_f1", "identity_leakage", "expression_probe")
OPTIMISM = ("accuracy", "best_epoch_accuracy", "optimism")

REFERENCES = {
    "pixels": "raw pixels",
    "untrained": "untrained backbone",
    "identity": "backbone trained on identity",
    "constant": "a constant",
}
"""What representation metrics are held against: "metric/pixels" and so on."""

COST = (
    ("images_seen", "images", 1e3, "k"),
    ("parameters", "parameters", 1e6, "M"),
    ("forward_flops", "FLOPs", 1e6, "M"),
    ("peak_memory", "memory", 2**20, "MiB"),
    ("train_seconds", "training", 1, "s"),
)
"""(name in Record.cost, heading, unit's size, unit); of one trial."""

MARKS = "¹²³⁴⁵⁶⁷⁸⁹"


def columns(metrics: Sequence[str] = DEFAULT, cards: Cards | None = None) -> list[Column]:
    """Columns of metrics; one without a card has its name as its heading."""
    return [Column(metric, (cards or Cards()).metric(metric)) for metric in metrics]


def number(score: Score | None, column: Column, interval: bool = False) -> str:
    """'81.2 [78.0, 84.1]', or '-' where there is nothing."""
    if score is None:
        return "-"
    factor, digits = column.card.factor, column.card.decimals
    text = f"{score.mean * factor:.{digits}f}"
    if interval and not math.isnan(score.low):
        text += f" [{score.low * factor:.{digits}f}, {score.high * factor:.{digits}f}]"
    return text


def cell(row: Row, metric: str, cards: Cards | None = None) -> str:
    """A row's figure, with its interval where the metric's card wants it shown."""
    (column,) = columns([metric], cards)
    return number(row.scores.get(metric), column, column.interval)


def rank(row: Row) -> str:
    """'3', '=1' for a shared rank, '-' for none."""
    return "-" if row.rank is None else f"={row.rank}" if row.tied else str(row.rank)


def against(row: Row) -> str:
    """The difference to the baseline."""
    return points(row.against)


def points(score: Score | None, card: Metric | None = None) -> str:
    """'-1.2 [-3.0, +0.4]', a difference as the metric is shown, of accuracy without a card; '-' where there is nothing to compare
    with."""
    if score is None:
        return "-"
    factor, digits = (card.factor, card.decimals) if card else (100, 1)
    mean, low, high = (f"{factor * value:+.{digits}f}" for value in (score.mean, score.low, score.high))
    return mean if math.isnan(score.low) else f"{mean} [{low}, {high}]"


def p_value(value: float) -> str:
    """'0.034', '< 0.001', or '-' where there is none."""
    return "-" if math.isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


def spread(row: Row) -> str:
    """The standard deviation of accuracy over assignments of subjects to folds, in points."""
    return "-" if math.isnan(row.spread) else f"{100 * row.spread:.1f}"


def repeated(board: Board) -> bool:
    """Whether a row ran with several assignments of subjects to folds."""
    return any(len(row.assignments) > 1 for row in board.rows)


@dataclass(frozen=True)
class Extra:
    """A column that a board may have besides its metrics: how a row's cell reads, and by what it sorts."""

    heading: str
    text: Callable[[Row], str]
    value: Callable[[Row], float]


def extras(board: Board, with_spread: bool = True) -> list[Extra]:
    """The spread over assignments, where there are several, and the difference to a baseline, where there is one."""
    found = []
    if with_spread and repeated(board):
        found.append(Extra("± by folds", spread, lambda row: row.spread))
    if board.baseline:
        found.append(Extra(f"to {board.baseline}", against, lambda row: row.against.mean if row.against else math.nan))
    return found


def footnotes(board: Board, shown: Sequence[Column] = ()) -> list[str]:
    """What a reader has to know of a board and of the columns that are shown."""
    found = references(board, shown)
    for column in shown:
        partly = [r.name for r in board.rows if 0 < r.measured.get(column.metric, r.done) < r.done]
        if partly:
            found.append(
                f"{column.heading}: some records of {enumerate_first(partly)} lack it and do not count; 'ferbench evaluate' "
                "works out what they allow."
            )
        without = [r.name for r in board.rows if r.done and r.measured.get(column.metric) == 0]
        if without:
            found.append(
                f"{column.heading}: not measurable for {enumerate_first(without)}; the records say why ('ferbench show')."
            )
    if any(row.tied for row in board.rows):
        found.append(
            "=: the data do not tell these from the others of their group (t-test of subjects and trainings, Holm over "
            f"{board.pairs} {'pairs' if board.pairs > 1 else 'pair'})."
        )
    ranked = sum(row.rank is not None for row in board.rows)
    if board.pairs and ranked > board.separable:
        most = f"at most {board.separable} rows" if board.separable > 1 else "no rows"
        found.append(
            f"{board.subjects} subjects can tell {most} apart: of {ranked} rows, no difference can be told from chance in "
            f"{board.pairs} tests. Fewer rows or more subjects can."
        )
    elif board.detectable is not None and board.metric is not None:
        found.append(
            f"Differences to the best of under {board.metric.size(board.detectable)} would often go unseen here."
        )
    if board.pairs and not board.covers_luck:
        found.append(
            "One seed: training luck could not be measured, so ranks are of these trainings, not of the methods in general."
        )
    if mixed := [row.name for row in board.rows if row.codes > 1]:
        found.append(
            f"Records of {enumerate_first(mixed)} were made by several states of the code of the same declared versions; "
            "'ferbench show' names them."
        )
    if unlike := [row.name for row in board.rows if row.starts > 1]:
        found.append(
            f"Trainings of {enumerate_first(unlike)} started from different pretrained weights of one name; their records have the "
            "digests (provenance.initial_weights)."
        )
    for backbone, pretraining in dict.fromkeys(
        (row.backbone, row.pretraining) for row in board.rows if row.pretraining
    ):
        found.append(f"The weights of {backbone} have seen: {pretraining}.")
    return found + board.notes


def references(board: Board, shown: Sequence[Column]) -> list[str]:
    """'id leak of raw pixels 0.58, ...': between what representation metrics lie, for each backbone."""
    found = []
    backbones = board.backbones
    for column in shown:
        for backbone in backbones:
            parts = []
            for name, words in REFERENCES.items():
                scores = [row.scores.get(f"{column.metric}/{name}") for row in board.rows if row.backbone == backbone]
                known = [score for score in scores if score is not None]
                if known:
                    parts.append(f"{words} {number(known[0], column)}")
            if parts:
                label = f" ({backbone})" if len(backbones) > 1 else ""
                found.append(f"{column.heading}{label}: {', '.join(parts)}.")
    return found


def devices(board: Board) -> dict[str, str]:
    """A mark for each device that rows of the board ran on; empty marks where it is one. Times compare within one only."""
    names = sorted({"; ".join(row.devices) for row in board.rows if row.devices})
    return dict.fromkeys(names, "") if len(names) < 2 else dict(zip(names, MARKS, strict=False))


def cost_cell(row: Row, name: str) -> str:
    """'1.84 M', or '-' for records that do not hold it."""
    if name not in row.cost:
        return "-"
    _, _, size, unit = next(c for c in COST if c[0] == name)
    value = row.cost[name] / size
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"


def missing(row: Row) -> str:
    """What an incomplete row lacks, in words; empty for a complete one."""
    if row.complete:
        return ""
    text = f"{row.name}: not ranked, {row.done} of {row.planned} trials done"
    if row.failed:
        text += f", {row.failed} failed"
    assignments, folds, seeds = (sorted({repetition[i] for repetition in row.missing}) for i in range(3))
    text += f"; missing are fold {_ranges(folds)} of seed {_ranges(seeds)}"
    return f"{text}, assignment {_ranges(assignments)}." if len(row.assignments) > 1 else f"{text}."


def _ranges(numbers: list[int]) -> str:
    """'0-3, 5'."""
    spans: list[list[int]] = []
    for number_ in numbers:
        if spans and number_ == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], number_]
        else:
            spans.append([number_])
    return ", ".join(str(s[0]) if len(s) == 1 else f"{s[0]}-{s[-1]}" for s in spans)


def cells(board: Board, chosen: Sequence[Column]) -> tuple[list[str], list[list[str]]]:
    """(headings, rows of texts)."""
    several = len(board.backbones) > 1
    heads = ["#", "method", *(["backbone"] if several else []), "folds", *(column.heading for column in chosen)]
    more = extras(board)
    heads += [extra.heading for extra in more]
    rows = []
    for row in board.rows:
        line = [rank(row), row.name, *([row.backbone] if several else []), f"{row.done}/{row.planned}"]
        line += [number(row.scores.get(c.metric), c, c.interval) for c in chosen]
        rows.append(line + [extra.text(row) for extra in more])
    return heads, rows
