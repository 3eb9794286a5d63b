"""The leaderboard as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ferbench.ranking.board import Board, Row
from ferbench.tables import cell

if TYPE_CHECKING:
    from ferbench.ranking.breakdown import Breakdown


def flat(boards: Sequence[Board]) -> list[dict[str, Any]]:
    """A dictionary a row, with every metric and its interval; numbers that there are none of are None."""
    rows = []
    for board in boards:
        for row in board.rows:
            rows.append({"dataset": board.dataset, "protocol": board.protocol, "setting": board.setting, **_flat(row)})
    return rows


def _flat(row: Row) -> dict[str, Any]:
    values: dict[str, Any] = {
        "rank": row.rank,
        "rank_low": row.rank_low,
        "rank_high": row.rank_high,
        "tied": row.tied,
        "method": row.method,
        "method_version": row.version,
        "variant": row.variant,
        "backbone": row.backbone,
        "trials_done": row.done,
        "trials_planned": row.planned,
        "trials_failed": row.failed,
        "folds": row.fold_count,
        "seeds": " ".join(map(str, row.seeds)),
        "assignments": " ".join(map(str, row.assignments)),
        "device": "; ".join(row.devices),
        "pretraining": row.pretraining,
        "submission_status": row.submission_status,
        **{f"trial_{name}": value for name, value in row.cost.items()},
        "seconds": row.seconds,
    }
    if len(row.assignments) > 1:
        values["spread"] = row.spread
    if row.against is not None:
        against_ = row.against
        values |= {
            "against_baseline": against_.mean, "against_low": against_.low, "against_high": against_.high, "against_p": against_.p,
        }  # fmt: skip
    for metric, score in row.scores.items():
        for suffix, value in (("", score.mean), ("_low", score.low), ("_high", score.high)):
            values[metric + suffix] = value
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in values.items()}


def to_json(boards: Sequence[Board]) -> str:
    by_row = [row for board in boards for row in board.rows]
    rows = [{**values, "trials": row.trials} for values, row in zip(flat(boards), by_row, strict=True)]
    return json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(boards: Sequence[Board]) -> str:
    rows = flat(boards)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(cell, columns))
    writer.writerows([cell(row.get(name)) for name in columns] for row in rows)
    return out.getvalue()


def breakdown_csv(tables: Sequence[tuple[Board, Breakdown]]) -> str:
    """A line a board, row and level."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["dataset", "protocol", "method", "variant", "backbone", "factor", "level", "frames", "accuracy", "low", "high"]
    )
    for board, found in tables:
        for row, scores in found.rows:
            for level, score in scores.items():
                numbers = ["" if math.isnan(v) else round(v, 6) for v in (score.mean, score.low, score.high)]
                head = [board.dataset, board.protocol, row.method, row.variant, row.backbone, found.factor]
                writer.writerow([*map(cell, head), cell(level), found.levels[level], *numbers])
    return out.getvalue()
