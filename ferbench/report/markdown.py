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
        lines += [f"### {escaped(board.dataset)} · {escaped(board.protocol)}", "", escaped(board.described), ""]
        heads, rows = cells(board, chosen)
        lines += ["| " + " | ".join(map(escaped, heads)) + " |", "|" + " --- |" * len(heads)]
        lines += ["| " + " | ".join(map(escaped, row)) + " |" for row in rows]
        notes = [*(note for row in board.rows if (note := missing(row))), *footnotes(board, chosen)]
        lines += ["", *(f"- {escaped(note)}" for note in notes), *([""] if notes else [])]
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
                lines.append("| " + " | ".join(f"*{escaped(text)}*" for text in texts) + " |")
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def escaped(text: str) -> str:
    r"""A text in a line or a cell of Markdown: no HTML, no link, no picture, no new line.

    >>> escaped("a|b <b>"), escaped("![x](http://y)\n# z")
    ('a\\|b &lt;b>', '![x]\\(http://y) # z')
    """
    plain = " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return plain.replace("](", "]\\(").replace("][", "]\\[").replace("]:", "]\\:")
