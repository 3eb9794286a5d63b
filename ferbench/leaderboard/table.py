"""The leaderboard in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ferbench.leaderboard.columns import COLUMNS, COST, against, cell, cost_cell, footnotes, missing, rank
from ferbench.leaderboard.rows import Board, Row


def render(boards: Sequence[Board], cost: bool = False) -> RenderableType:
    """One table a board; incomplete rows below a line, without rank, with what they lack. With `cost`, what a trial of each
    row took instead of all metrics but accuracy; timings are of whatever machines the trials ran on."""
    parts: list[RenderableType] = []
    for board in boards:
        title = Text(f"{board.dataset} · {board.protocol}", style="bold")
        backbones = {row.backbone for row in board.rows}
        setting = f"{board.setting}, backbone {backbones.pop()}" if len(backbones) == 1 else board.setting
        parts += [Text(""), title, Text(setting, style="dim"), _table(board, cost)]
        parts += [Text(f"  {note}", style="dim") for row in board.rows if (note := missing(row))]
        parts += [Text(f"  {note}", style="dim") for note in footnotes(board)]
    return Group(*parts)


def _table(board: Board, cost: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), collapse_padding=True)
    table.add_column("#", justify="right")
    table.add_column("method", overflow="fold")
    several = len({row.backbone for row in board.rows}) > 1
    if several:
        table.add_column("backbone", overflow="fold")
    table.add_column("folds", justify="right")
    metrics = COLUMNS[:1] if cost or board.baseline else COLUMNS
    for _, heading, _ in metrics:
        table.add_column(heading, justify="right", no_wrap=heading.startswith("accuracy"))
    if board.baseline:
        table.add_column(f"to {board.baseline}", justify="right", no_wrap=True)
    for _, heading, _, _ in COST if cost else ():
        table.add_column(heading, justify="right", no_wrap=True)
    ended = False
    for row in board.rows:
        if row.rank is None and not ended and table.row_count:
            table.add_section()
            ended = True
        table.add_row(
            Text(rank(row)),
            Text(name(row)),
            *([Text(row.backbone)] if several else []),
            Text(f"{row.done}/{row.planned}"),
            *(Text(cell(row, metric).partition(" ")[0] if cost else cell(row, metric)) for metric, _, _ in metrics),
            *([Text(against(row))] if board.baseline else []),
            *(Text(cost_cell(row, name)) for name, _, _, _ in (COST if cost else ())),
            style="" if row.complete else "dim",
        )
    return table


def name(row: Row) -> str:
    return row.method if row.variant == "full" else f"{row.method} {row.variant}"
