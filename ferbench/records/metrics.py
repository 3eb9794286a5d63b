"""Cards of metrics in records: what a number means stays known where the plugin that gave it is no longer installed.

The core's own metrics are not stated; `ferbench.core_metrics` says what they are.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

from ferbench import core_metrics
from ferbench.cards import BySubject, Counts, CountScore, Metric
from ferbench.records.schema import Record

CARDS = "metric_cards"
"""Their key in the provenance of a record, and in what `ferbench evaluate` stores beside it."""

UNMEASURED = "unmeasured"
"""Key, in the provenance of a record, of a sentence for each evaluator that failed, by name."""

CORE = frozenset(metric.name for metric in core_metrics.ALL)

_NONE: Mapping[str, Any] = {}
_RANGE = ("low", "high")
_PLAIN = {"title": str, "heading": str, "unit": str, "interval": bool, "higher_is_better": bool}


def as_stated(metrics: Iterable[Metric], measured: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What a record states of those of the metrics that were measured, by name; an end of a range that is infinite is None.

    >>> as_stated([Metric(name="error", title="error", higher_is_better=False, high=math.inf)], ["error"])["error"]["high"]
    """
    names = {name.partition("/")[0] for name in measured} - CORE
    return {metric.name: _values(metric) for metric in metrics if metric.name in names}


def _values(metric: Metric) -> dict[str, Any]:
    values = {k: v for k, v in dataclasses.asdict(metric).items() if k != "name"}
    values |= {end: float(values[end]) if math.isfinite(values[end]) else None for end in _RANGE}
    values["by_subject"] = [metric.by_subject.counts, metric.by_subject.score] if metric.by_subject else None
    return values


def stated(record: Record) -> Mapping[str, Any]:
    """What a record states of metrics, by name, as it was read; empty for records of ferbench and of earlier versions of it."""
    found = record.provenance.get(CARDS)
    return found if isinstance(found, Mapping) else _NONE


def card(name: str, values: Any) -> Metric | None:
    """The card that a record states; None if it states none that can be read, or speaks of a metric of the core.

    >>> card("error", {"title": "error", "higher_is_better": False}).higher_is_better
    False
    >>> card("error", {"title": 3})
    """
    if name in CORE or not isinstance(values, Mapping):
        return None
    given = {key: values[key] for key in _PLAIN if key in values}
    if "title" not in given or not all(isinstance(value, _PLAIN[key]) for key, value in given.items()):
        return None
    ends, digits, by_subject = (values.get(end) for end in _RANGE), values.get("digits"), values.get("by_subject")
    low, high = (_number(end, unbounded) for end, unbounded in zip(ends, (-math.inf, math.inf), strict=True))
    if low is None or high is None or not (digits is None or (type(digits) is int and 0 <= digits <= 9)):
        return None
    try:
        score = None if by_subject is None else BySubject(Counts(by_subject[0]), CountScore(by_subject[1]))
    except (ValueError, TypeError, LookupError):
        return None
    return Metric(name=name, low=low, high=high, digits=digits, by_subject=score, **given)


def _number(value: Any, unbounded: float) -> float | None:
    if value is None:
        return unbounded
    return float(value) if type(value) in (int, float) else None


def meaning(metric: Metric) -> tuple[Any, ...]:
    """What of a card says how a number is to be read; the rest is how it is written."""
    return metric.higher_is_better, metric.unit, metric.low, metric.high, metric.by_subject
