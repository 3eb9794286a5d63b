"""The leaderboard as LaTeX tables."""

from __future__ import annotations

from collections.abc import Sequence

from ferbench.ranking.board import Board
from ferbench.report.columns import Column, cells, columns, footnotes, missing


def latex(boards: Sequence[Board], shown: Sequence[Column] | None = None) -> str:
    """A table a board, for booktabs, over both columns of a page that has two. No figure is set in bold: ranks with ties say what
    the data tell apart."""
    import jinja2  # noqa: F401 - pandas' Styler needs it, and would raise an AttributeError without it
    import pandas as pd

    parts = []
    for board in boards:
        chosen = shown or columns()
        heads, rows = cells(board, chosen)
        table = (
            pd.DataFrame([[" ".join(text.split()) for text in row] for row in rows], columns=pd.Index(heads))
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
    return "".join(_LATEX.get(c, c) for c in " ".join(text.split()))
