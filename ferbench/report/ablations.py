"""A table of ablations as texts."""

from __future__ import annotations

from ferbench.cards import Metric
from ferbench.ranking.ablations import Variant
from ferbench.report.columns import cell, cost_cell, p_value, points

HEADINGS = (
    "variant", "without", "folds", "accuracy %", "F1 %", "id leak", "difference [95 %]", "p", "parameters", "training",
)  # fmt: skip


def cells(variant: Variant, metric: Metric) -> list[str]:
    """A text for each of HEADINGS."""
    row = variant.row
    return [
        row.variant,
        variant.removed,
        f"{row.done}/{row.planned}",
        cell(row, "accuracy").partition(" ")[0],
        cell(row, "macro_f1"),
        cell(row, "identity_leakage"),
        points(variant.difference, metric),
        p_value(variant.corrected),
        cost_cell(row, "parameters"),
        cost_cell(row, "train_seconds"),
    ]
