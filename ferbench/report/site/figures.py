"""The figures of a site, as files: those of boards, of methods, and across datasets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ferbench.errors import FerbenchError
from ferbench.ranking.ablations import Ablations
from ferbench.ranking.across import across
from ferbench.ranking.board import Board, Row
from ferbench.records.merge import Collected
from ferbench.report.figures import ablations as chart
from ferbench.report.figures import board as figures
from ferbench.report.figures import style
from ferbench.report.site.names import board_key, key, row_key


@dataclass(frozen=True)
class Figure:
    """A figure as PNG, PDF and SVG.

    Attributes:
        title, words: what it shows, and how to read it.
        name: of its files, without their endings.
        board: key of the board beside which it stands; empty for the figure across datasets.
        method: the method on whose page it stands; empty for the home page.
    """

    title: str
    words: str
    name: str
    board: str = ""
    method: str = ""

    @property
    def files(self) -> list[str]:
        return [f"figures/{self.name}.{ending}" for ending in style.FORMATS]


def draw(
    boards: Sequence[Board],
    tables: Sequence[Ablations],
    given: Collected,
    folder: Path,
    say: Callable[[str], None],
) -> list[Figure]:
    """All figures, written to the folder. A record whose files are gone costs its own figure only.

    Args:
        tables: of ablations. say: takes a sentence on each figure that cannot be drawn.

    Raises:
        OSError: a figure cannot be written.
    """
    made = []
    for drawn, figure, trials in _drawn(boards, tables, given, say):
        if drawn is not None:
            style.save(drawn, folder, figure.name, trials)
            made.append(figure)
    return made


def _drawn(
    boards: Sequence[Board], tables: Sequence[Ablations], given: Collected, say: Callable[[str], None]
) -> Iterator[tuple[object, Figure, Sequence[str]]]:
    numbers = style.numbered(boards)
    for board in boards:
        yield from _of_board(board, given.where, numbers)
        for row in board.rows:
            yield from _of_row(board, row, given, say)
    for table in tables:
        if any(v.difference for v in table.variants):
            place = board_key(table.board)
            yield (
                chart.figure(table),
                Figure(
                    f"{table.board.dataset}: ablations of {table.method}",
                    "Each variant minus the full method, on the same subjects, folds and seeds; gray intervals hold 0.",
                    f"ablations-{place}-{key(f'{table.method} {table.backbone}')}",
                    place,
                    table.method,
                ),
                chart.trials_of(table),
            )
    if (found := across(boards)) is not None:
        trials = [trial for board in boards for row in board.rows for trial in row.trials]
        yield (
            figures.critical_differences(found),
            Figure("Across datasets", found.words(), "critical-difference"),
            trials,
        )


def _of_board(
    board: Board, where: Mapping[str, Path], numbers: Mapping[str, int]
) -> Iterator[tuple[object, Figure, Sequence[str]]]:
    place = board_key(board)
    trials = [trial for row in board.rows for trial in row.trials]
    yield (
        figures.leakage(board, numbers),
        Figure(
            f"{board.dataset}: leakage against accuracy",
            "Up and to the left is better. Hollow points are of rows that are not complete; dashed lines are what representations "
            "that were not made by any method leak.",
            f"leakage-{place}",
            place,
        ),
        trials,
    )
    yield (
        figures.curves(board, where, numbers),
        Figure(
            f"{board.dataset}: in training",
            "Means over folds and seeds. Test accuracy was looked at and never used; the last step is what counts.",
            f"curves-{place}",
            place,
        ),
        trials,
    )


def _of_row(
    board: Board, row: Row, given: Collected, say: Callable[[str], None]
) -> Iterator[tuple[object, Figure, Sequence[str]]]:
    first = min((given.records[t] for t in row.trials), key=lambda r: r.trial.repetition, default=None)
    if first is None:
        return
    try:
        drawn = figures.representations(row.name, given.where[first.trial.id], first)
    except (FerbenchError, OSError, ValueError) as error:
        say(f"The representation of {first.trial.id} cannot be drawn: {str(error).removesuffix('.')}.")
        return
    yield (
        drawn,
        Figure(
            f"{board.dataset}: representation of {row.name}",
            "Clusters on the left and none on the right are what a method wants that separates expression from identity. "
            "Distances between clusters mean nothing in t-SNE.",
            f"representation-{row_key(board, row)}",
            board_key(board),
            row.method,
        ),
        [first.trial.id],
    )
