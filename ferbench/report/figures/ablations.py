"""The chart of ablations: the difference of each variant to the full method, with its interval."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ferbench.ranking.ablations import Ablations
from ferbench.report.figures.style import BETTER, INK, UNCLEAR, WORSE, pyplot, write


def draw(table: Ablations, target: Path) -> None:
    """The chart as a file, which carries the ids of its trials.

    Raises:
        OSError, ValueError: the file cannot be written, or its ending is of no picture.
    """
    drawn = figure(table)
    try:
        write(drawn, target, trials_of(table))
    finally:
        pyplot().close(drawn)


def trials_of(table: Ablations) -> list[str]:
    return [trial for v in table.variants for trial in v.row.trials]


def figure(table: Ablations) -> Any:
    """The metric on the left, identity leakage on the right, variant minus full; what is not told from 0 after the correction is
    gray."""
    variants = [v for v in table.variants if v.difference is not None][::-1]
    made, (left, right) = pyplot().subplots(
        1, 2, figsize=(8.4, 1.3 + 0.36 * max(len(variants), 1)), sharey=True, width_ratios=[2, 1]
    )
    for place_, v in enumerate(variants):
        d = v.difference
        assert d is not None
        better = (d.mean > 0) is table.metric.higher_is_better
        colour = UNCLEAR if not v.clear else BETTER if better else WORSE
        factor = table.metric.factor
        left.plot([factor * d.low, factor * d.high], [place_, place_], color=colour, linewidth=2, solid_capstyle="butt")
        left.plot([factor * d.mean], [place_], "o", color=colour, markersize=6)
        right.barh(place_, v.leakage, height=0.55, color=WORSE if v.leakage > 0 else BETTER)
    unit = ", points" if table.metric.unit == "%" else ""
    left.set_yticks(range(len(variants)), [v.row.variant for v in variants])
    left.set_ylim(-0.6, max(len(variants), 1) - 0.4)
    for axis, label in (
        (left, f"{table.metric.title}{unit} (variant minus full)"),
        (right, "identity leakage (likewise)"),
    ):
        axis.axvline(0, color=INK, linewidth=1)
        axis.set_xlabel(label, color=INK)
        axis.grid(axis="x", color="#e4e4e4", linewidth=0.7)
        axis.set_axisbelow(True)
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.tick_params(length=0, colors=INK)
    seeds = {seed for v in table.variants for seed in v.row.seeds}
    made.suptitle(
        f"{table.method} on {table.board.dataset}: {table.variants[0].row.fold_count} folds, "
        f"{len(seeds)} seed{'s' * (len(seeds) > 1)}",
        color=INK, fontsize=11,
    )  # fmt: skip
    made.tight_layout()
    return made
