"""The leaderboard in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ferbench.ranking.board import Board
from ferbench.ranking.reported import NOT_RUN, Reported
from ferbench.report.columns import (
    COST,
    Column,
    columns,
    cost_cell,
    devices,
    extras,
    footnotes,
    missing,
    number,
    rank,
)

if TYPE_CHECKING:
    from ferbench.ranking.breakdown import Breakdown


def render(
    boards: Sequence[Board],
    shown: Sequence[Column] | None = None,
    cost: bool = False,
    reported: Sequence[Sequence[Reported]] = (),
) -> RenderableType:
    """One table a board; incomplete rows below a line, without rank, with what they lack.

    Args:
        shown: the columns.
        cost: what a trial of each row took instead of all metrics but the first.
        reported: for each board what papers report on its data, shown below it.
    """
    parts: list[RenderableType] = []
    for index, board in enumerate(boards):
        chosen = list(shown or columns())
        if cost or board.baseline:
            chosen = chosen[:1]
        title = Text(f"{board.dataset} · {board.protocol}", style="bold")
        parts += [Text(""), title, Text(board.described, style="dim"), _table(board, chosen, cost)]
        notes = [note for row in board.rows if (note := missing(row))] + footnotes(board, chosen)
        if cost:
            notes += [f"{mark} {name}" for name, mark in devices(board).items() if mark]
        parts += [Padding(Text(note, style="dim"), (0, 0, 0, 2)) for note in notes]
        if index < len(reported) and reported[index]:
            parts.append(_reported(reported[index]))
    return Group(*parts)


def _table(board: Board, chosen: Sequence[Column], cost: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), collapse_padding=True)
    table.add_column("#", justify="right")
    table.add_column("method", overflow="fold")
    several = len(board.backbones) > 1
    if several:
        table.add_column("backbone", overflow="fold")
    table.add_column("folds", justify="right")
    for column in chosen:
        table.add_column(Text(column.heading), justify="right", no_wrap=column.interval)
    more = extras(board, with_spread=not cost)
    for extra in more:
        table.add_column(extra.heading, justify="right", no_wrap=True)
    for _, heading, _, _ in COST if cost else ():
        table.add_column(heading, justify="right", no_wrap=True)
    marks = devices(board)
    ended = False
    for row in board.rows:
        if not row.complete and not ended and table.row_count:
            table.add_section()
            ended = True
        mark = marks.get("; ".join(row.devices), "")
        table.add_row(
            Text(rank(row)),
            Text(row.name + (f" ({row.submission_status})" if row.submission_status else "")),
            *([Text(row.backbone)] if several else []),
            Text(f"{row.done}/{row.planned}"),
            *(Text(number(row.scores.get(c.metric), c, c.interval and not cost)) for c in chosen),
            *(Text(extra.text(row)) for extra in more),
            *(
                Text(cost_cell(row, name) + (mark if name == "train_seconds" else ""))
                for name, _, _, _ in (COST if cost else ())
            ),
            style="" if row.complete else "dim",
        )
    return table


def _reported(rows: Sequence[Reported]) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 1), collapse_padding=True, style="italic")
    for heading in ("method", "accuracy %", "otherwise than here"):
        table.add_column(heading, justify="right" if heading == "accuracy %" else "left")
    for row in rows:
        words = "; ".join(row.otherwise) or "-"
        words += f"\nrun here: {row.gap}" if row.gap else ""
        table.add_row(Text(f"{row.method} ({row.year})"), Text(row.figure), Text(words))
    return Group(
        Text(f"  {NOT_RUN}", style="italic"),
        table,
    )


def render_breakdown(tables: Sequence[tuple[Board, Breakdown]]) -> RenderableType:
    """A table a board: levels of the factor in rows, so that many fit, methods in columns."""
    parts: list[RenderableType] = []
    for board, found in tables:
        parts += [Text(""), Text(f"{board.dataset} · {board.protocol} · accuracy % by {found.factor}", style="bold")]
        table = Table(box=None, pad_edge=False, padding=(0, 1), collapse_padding=True)
        table.add_column(Text(found.factor))
        table.add_column("frames", justify="right")
        several = len({row.backbone for row, _ in found.rows}) > 1
        for row, _ in found.rows:
            name = Text(f"{row.name} {row.backbone}" if several else row.name)
            table.add_column(name, justify="right", overflow="fold")
        (column,) = columns(["accuracy"])
        for level, frames in found.levels.items():
            cells = (number(scores.get(level), column, len(found.rows) < 4) for _, scores in found.rows)
            table.add_row(Text(level), str(frames), *map(Text, cells))
        parts.append(table)
    return Group(*parts)
