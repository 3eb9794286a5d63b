"""The leaderboard as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from ferbench.ranking.board import Board
from ferbench.ranking.reported import NOT_RUN, Reported
from ferbench.report.columns import Column, cells, columns, footnotes, missing


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


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
