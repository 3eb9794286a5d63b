"""A table of ablations as texts."""

from __future__ import annotations

from ferbench.cards import Metric
from ferbench.ranking.ablations import Variant
from ferbench.ranking.cards import Cards
from ferbench.report.columns import cell, cost_cell, p_value, points

SHOWN = ("accuracy", "macro_f1", "identity_leakage")
"""Metrics that each table shows; another one that is compared stands in place of the second."""


def headings(metric: Metric) -> list[str]:
    """The headings of a table whose differences are of a metric."""
    return [
        "variant", "without", "folds", "accuracy %", beside(metric).column, "id leak", "difference [95 %]", "p", "parameters",
        "training",
    ]  # fmt: skip


def beside(metric: Metric) -> Metric:
    """The metric in the second column."""
    return Cards().metric(SHOWN[1]) if metric.name in SHOWN else metric


def cells(variant: Variant, metric: Metric) -> list[str]:
    """A text for each of `headings`."""
    row = variant.row
    second = beside(metric)
    return [
        row.variant,
        variant.removed,
        f"{row.done}/{row.planned}",
        cell(row, "accuracy").partition(" ")[0],
        cell(row, second.name, Cards({second.name: second})).partition(" ")[0],
        cell(row, "identity_leakage"),
        points(variant.difference, metric),
        p_value(variant.corrected),
        cost_cell(row, "parameters"),
        cost_cell(row, "train_seconds"),
    ]
