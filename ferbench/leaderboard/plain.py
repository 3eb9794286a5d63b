"""The leaderboard as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import Any

from ferbench.leaderboard.columns import COLUMNS, against, cell, footnotes, missing, rank
from ferbench.leaderboard.rows import Board, Row


def markdown(boards: Sequence[Board]) -> str:
    lines = []
    for board in boards:
        lines += [f"### {_escape(board.dataset)} · {_escape(board.protocol)}", "", _escape(board.setting), ""]
        heads = ["#", "method", "variant", "backbone", "folds", *(heading for _, heading, _ in COLUMNS)]
        heads += [f"to {_escape(board.baseline)}"] if board.baseline else []
        lines += ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
        for row in board.rows:
            cells = [rank(row), row.method, row.variant, row.backbone]
            cells += [f"{row.done}/{row.planned}", *(cell(row, metric) for metric, _, _ in COLUMNS)]
            cells += [against(row)] if board.baseline else []
            lines.append("| " + " | ".join(map(_escape, cells)) + " |")
        notes = [*(note for row in board.rows if (note := missing(row))), *footnotes(board)]
        lines += ["", *(f"- {_escape(note)}" for note in notes), *([""] if notes else [])]
    return "\n".join(lines).rstrip() + "\n"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


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
        "folds": row.folds,
        "seeds": " ".join(map(str, row.seeds)),
        **{f"trial_{name}": value for name, value in row.cost.items()},
        "seconds": row.seconds,
    }
    if row.against is not None:
        against_ = row.against
        values |= {"against_baseline": against_.mean, "against_low": against_.low, "against_high": against_.high}
    for metric, score in row.scores.items():
        for suffix, value in (("", score.mean), ("_low", score.low), ("_high", score.high)):
            values[metric + suffix] = None if math.isnan(value) else round(value, 6)
    return values


def to_json(boards: Sequence[Board]) -> str:
    by_row = [row for board in boards for row in board.rows]
    rows = [{**values, "trials": row.trials} for values, row in zip(flat(boards), by_row, strict=True)]
    return json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(boards: Sequence[Board]) -> str:
    rows = flat(boards)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
