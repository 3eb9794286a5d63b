"""Which metrics the tables for people show, and how a number with its interval is written."""

from __future__ import annotations

import math

from ferbench.leaderboard.rows import Board, Row, Score

COLUMNS = (
    ("accuracy", "accuracy %", 100),
    ("sequence_accuracy", "by seq. %", 100),
    ("macro_f1", "F1 %", 100),
    ("identity_leakage", "id leak", 1),
    ("expression_probe", "expr. probe", 1),
)
"""(metric, heading, factor)."""

COST = (
    ("images_seen", "images", 1e3, "k"),
    ("parameters", "parameters", 1e6, "M"),
    ("forward_flops", "FLOPs", 1e6, "M"),
    ("peak_memory", "memory", 2**20, "MiB"),
    ("train_seconds", "training", 1, "s"),
)
"""(name in Record.cost, heading, unit's size, unit); of one trial."""

WITH_INTERVAL = ("accuracy",)


def cell(row: Row, metric: str) -> str:
    """'81.2 [78.0, 84.1]', or '-' where there is nothing."""
    score = row.scores.get(metric)
    factor = next(f for m, _, f in COLUMNS if m == metric)
    if score is None:
        return "-"
    digits = 1 if factor == 100 else 2
    text = f"{score.mean * factor:.{digits}f}"
    if metric in WITH_INTERVAL and not math.isnan(score.low):
        text += f" [{score.low * factor:.{digits}f}, {score.high * factor:.{digits}f}]"
    return text


def rank(row: Row) -> str:
    """'3', '=1' for a shared rank, '-' for none."""
    return "-" if row.rank is None else f"={row.rank}" if row.tied else str(row.rank)


def against(row: Row) -> str:
    """The difference to the baseline."""
    return points(row.against)


def points(score: Score | None) -> str:
    """'-1.2 [-3.0, +0.4]', a difference in points, '-' where there is nothing to compare with."""
    if score is None:
        return "-"
    return f"{100 * score.mean:+.1f} [{100 * score.low:+.1f}, {100 * score.high:+.1f}]"


def footnotes(board: Board) -> list[str]:
    """What a reader has to know of a board."""
    found = []
    if any(row.tied for row in board.rows):
        found.append("=: the data do not tell these from the first of their group (sign flips by subject, Holm).")
    if board.detectable is not None:
        found.append(
            f"Differences to the best of under {100 * board.detectable:.1f} points would often go unseen here."
        )
    return found


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
    label = row.method if row.variant == "full" else f"{row.method} {row.variant}"
    seeds = sorted({seed for _, seed in row.missing})
    folds = sorted({fold for fold, _ in row.missing})
    text = f"{label}: not ranked, {row.done} of {row.planned} trials done"
    if row.failed:
        text += f", {row.failed} failed"
    return f"{text}; missing are fold {_ranges(folds)} of seed {_ranges(seeds)}."


def _ranges(numbers: list[int]) -> str:
    """'0-3, 5'."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], number]
        else:
            spans.append([number])
    return ", ".join(str(s[0]) if len(s) == 1 else f"{s[0]}-{s[-1]}" for s in spans)
