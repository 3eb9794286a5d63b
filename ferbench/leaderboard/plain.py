"""The leaderboard as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ferbench.leaderboard.columns import WITH_INTERVAL, Column, columns, extras, footnotes, missing, number, rank
from ferbench.leaderboard.reported import NOT_RUN, Reported
from ferbench.leaderboard.rows import Board, Row

if TYPE_CHECKING:
    from ferbench.leaderboard.breakdown import Breakdown


def cells(board: Board, chosen: Sequence[Column]) -> tuple[list[str], list[list[str]]]:
    """(headings, rows of texts)."""
    several = len(board.backbones) > 1
    heads = ["#", "method", *(["backbone"] if several else []), "folds", *(column.heading for column in chosen)]
    more = extras(board)
    heads += [extra.heading for extra in more]
    rows = []
    for row in board.rows:
        line = [rank(row), row.name, *([row.backbone] if several else []), f"{row.done}/{row.planned}"]
        line += [number(row.scores.get(c.metric), c, c.metric in WITH_INTERVAL) for c in chosen]
        rows.append(line + [extra.text(row) for extra in more])
    return heads, rows


def markdown(
    boards: Sequence[Board], shown: Sequence[Column] | None = None, reported: Sequence[Sequence[Reported]] = ()
) -> str:
    lines = []
    for index, board in enumerate(boards):
        chosen = shown or columns()
        lines += [f"### {_escape(board.dataset)} · {_escape(board.protocol)}", "", _escape(board.described), ""]
        heads, rows = cells(board, chosen)
        lines += ["| " + " | ".join(map(_escape, heads)) + " |", "|" + " --- |" * len(heads)]
        lines += ["| " + " | ".join(map(_escape, row)) + " |" for row in rows]
        notes = [*(note for row in board.rows if (note := missing(row))), *footnotes(board, chosen)]
        lines += ["", *(f"- {_escape(note)}" for note in notes), *([""] if notes else [])]
        if index < len(reported) and reported[index]:
            lines += [
                f"*{NOT_RUN}*",
                "",
                "| method | accuracy % | otherwise than here | run here, minus reported | source |",
            ]
            lines += ["|" + " --- |" * 5]
            for paper in reported[index]:
                texts = [
                    f"{paper.method} ({paper.year})",
                    paper.figure,
                    "; ".join(paper.otherwise) or "-",
                    paper.gap or "-",
                    paper.source,
                ]
                lines.append("| " + " | ".join(f"*{_escape(text)}*" for text in texts) + " |")
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def latex(boards: Sequence[Board], shown: Sequence[Column] | None = None) -> str:
    """A table a board, for booktabs, over both columns of a page that has two. No figure is set in bold: ranks with ties say what
    the data tell apart."""
    import pandas as pd

    parts = []
    for board in boards:
        chosen = shown or columns()
        heads, rows = cells(board, chosen)
        table = (
            pd.DataFrame(rows, columns=pd.Index(heads))
            .style.format(escape="latex")
            .format_index(escape="latex", axis=1)
        )
        notes = [*(note for row in board.rows if (note := missing(row))), *footnotes(board, chosen)]
        caption = f"{board.dataset}, {board.protocol}; {board.described}. Intervals are 95 %. {' '.join(notes)}"
        text = table.hide(axis="index").to_latex(
            hrules=True,
            caption=_latex(caption),
            label=f"tab:{''.join(c if c.isalnum() else '-' for c in board.dataset)}",
            position="t",
            column_format="".join("l" if head in ("method", "backbone") else "r" for head in heads),
            environment="table*",
            position_float="centering",
        )
        parts.append(text.replace("\\begin{tabular}", "\\footnotesize\n\\begin{tabular}"))
    return "% needs \\usepackage{booktabs}\n" + "\n".join(parts)


_LATEX = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
}


def _latex(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in text)


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
        "assignments": " ".join(map(str, row.assignments)),
        "device": "; ".join(row.devices),
        "seen": row.seen,
        "standing": row.standing,
        **{f"trial_{name}": value for name, value in row.cost.items()},
        "seconds": row.seconds,
    }
    if len(row.assignments) > 1:
        values["spread"] = row.spread
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
                writer.writerow([*head, level, found.levels[level], *numbers])
    return out.getvalue()
