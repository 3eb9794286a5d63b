"""Ablations: what each variant of a method loses against the full one, on the same subjects, folds and seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ferbench.cards import Metric
from ferbench.ranking import intervals, statistics
from ferbench.ranking.aggregate import BoardQuery, boards, sample_of, shared
from ferbench.ranking.board import Board, Difference, Row
from ferbench.ranking.cards import Cards
from ferbench.records.schema import Record

FULL = "full"


@dataclass
class Variant:
    """A row of the table.

    Attributes:
        row: its scores.
        removed: the settings in which it differs from the full method.
        difference: of the metric, variant minus full, over the folds and seeds that both ran; None for the full method, and where
            they share none, were not tested on the same frames or do not hold the metric by subject.
        leakage: of identity_leakage, variant minus full.
        corrected: p of the difference, by Holm over the table.
    """

    row: Row
    removed: str
    difference: Difference | None = None
    leakage: float = math.nan
    corrected: float = math.nan

    @property
    def clear(self) -> bool:
        """Whether the data tell the variant from the full method, after the correction."""
        return self.corrected < statistics.ALPHA


@dataclass
class Ablations:
    """The variants of one method on one backbone and board, the full one first, then by difference in `metric`."""

    board: Board
    method: str
    backbone: str
    metric: Metric
    variants: list[Variant] = field(default_factory=list)


def ablations(
    records: Sequence[Record],
    method: str | None = None,
    dataset: str | None = None,
    cards: Cards | None = None,
    metric: str = "accuracy",
) -> list[Ablations]:
    """A table for each method, board and backbone that has the full method and at least one variant of it. The differences are
    of `metric`.

    Raises:
        FerbenchError: records contradict each other in the metric's direction.
    """
    cards = (cards or Cards()).of_records(records)
    cards.need_direction(metric)
    by_id = {record.trial.id: record for record in records}
    found = []
    for board in boards(records, query=BoardQuery(dataset=dataset, cards=cards)):
        groups: dict[tuple[str, str, str], list[Row]] = {}
        for row in board.rows:
            if (method is None or row.method == method) and not row.superseded:
                groups.setdefault((row.method, row.backbone, row.extra), []).append(row)
        for (name, backbone, extra), rows in sorted(groups.items()):
            full = next((row for row in rows if row.variant == FULL), None)
            if full is None or len(rows) < 2:
                continue
            variants = [_variant(row, full, by_id, metric, cards) for row in rows]
            p_values = [v.difference.p if v.difference else math.nan for v in variants]
            for variant, p in zip(variants, statistics.holm(p_values), strict=True):
                variant.corrected = p
            variants.sort(key=lambda v: (v.row is not full, v.difference.mean if v.difference else math.inf))
            found.append(
                Ablations(board, f"{name}+{extra}" if extra else name, backbone, cards.metric(metric), variants)
            )
    return found


def _variant(row: Row, full: Row, by_id: Mapping[str, Record], metric: str, cards: Cards) -> Variant:
    ours, theirs = ([by_id[trial] for trial in r.trials] for r in (row, full))
    made = Variant(row, removed(ours[0], theirs[0]))
    ours, theirs = shared(ours, theirs)
    if row is full or not ours:
        return made
    x, y = (sample_of(found, metric, cards) for found in (ours, theirs))
    if x is not None and y is not None and not x.unlike(y):
        made.difference = intervals.difference_of(x, y)
    leaks = [[r.metrics.get("identity_leakage") for r in found] for found in (ours, theirs)]
    gaps = [a - b for a, b in zip(*leaks, strict=True) if a is not None and b is not None]
    if gaps:
        made.leakage = sum(gaps) / len(gaps)
    return made


def removed(record: Record, full: Record) -> str:
    """'identity_head=false': the settings of the method in which a record differs from one of the full method."""
    ours, theirs = (r.trial.identity.method.settings for r in (record, full))
    return ", ".join(f"{k}={_text(ours.get(k))}" for k in sorted({*ours, *theirs}) if ours.get(k) != theirs.get(k))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
