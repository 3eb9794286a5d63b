"""`ferbench report`: a page with the leaderboard and its figures, each also for a paper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from ferbench.errors import FerbenchError

if TYPE_CHECKING:
    from ferbench.leaderboard.merge import Collected
    from ferbench.leaderboard.page import Figure
    from ferbench.leaderboard.rows import Board


@click.command("report")
@click.argument("folders", nargs=-1, metavar="[DIR]...", type=click.Path(file_okay=False))
@click.option(
    "--output", metavar="DIR", default="report", show_default=True, help="Folder of the page and its figures."
)
@click.option("--dataset", metavar="NAME", help="Only this dataset.")
@click.option("--include-ablations", is_flag=True, help="Also variants that are not the full method.")
@click.option("--baseline", metavar="METHOD", help="Show each row's difference in accuracy to this method.")
@click.option("--reported", "with_reported", is_flag=True, help="Show what papers report on the same data, unranked.")
def command(
    folders: tuple[str, ...],
    output: str,
    dataset: str | None,
    include_ablations: bool,
    baseline: str | None,
    with_reported: bool,
) -> None:
    """Write a page with the leaderboard, and below it leakage against accuracy, ablations, curves in training and representations.

    \b
    ferbench report results --output report
    report/index.html            works offline
    report/figures/*.pdf, *.svg  the same figures for a paper, with the ids of their trials
    """
    from ferbench.cli.leaderboard import chosen_boards, collected, metric_cards, shareable, write
    from ferbench.cli.show import command_of
    from ferbench.leaderboard import reported
    from ferbench.leaderboard.aggregate import View
    from ferbench.leaderboard.page import page

    given = collected(folders)
    _, lower = metric_cards()
    view = View(dataset, include_ablations=include_ablations, baseline=baseline or "", lower=lower)
    boards = chosen_boards(given, view)
    papers = [reported.beside(board) if with_reported else [] for board in boards]
    place = Path(output)
    try:
        figures = draw(boards, given, place / "figures", dataset)
    except OSError as error:
        raise FerbenchError(f"--output {output} cannot be written: {error.strerror or error}.") from error
    text = page(boards, given, None, papers, figures, faces=shareable(), command=command_of, title="ferbench report")
    write(text, str(place / "index.html"))
    click.echo(f"{place / 'index.html'}: {len(boards)} boards, {len(figures)} figures.")


def draw(boards: Sequence[Board], given: Collected, folder: Path, dataset: str | None = None) -> list[Figure]:
    """All figures of the boards, written to the folder; a record whose files are gone costs its own figure only."""
    from ferbench.leaderboard.ablations import ablations
    from ferbench.leaderboard.across import across
    from ferbench.leaderboard.page import Figure
    from ferbench.report import ablations as chart
    from ferbench.report import board as figures

    made: list[Figure] = []

    def keep(figure: object, name: str, title: str, words: str, trials: Sequence[str]) -> None:
        if figure is not None:
            png = figures.save(figure, folder, name, trials)
            files = tuple(f"figures/{name}.{ending}" for ending in figures.FORMATS)
            made.append(Figure(title, words, png, files))

    numbers = figures.numbered(boards)
    for number, board in enumerate(boards, 1):
        trials = [trial for row in board.rows for trial in row.trials]
        keep(
            figures.leakage(board, numbers),
            f"leakage-{number}",
            f"{board.dataset}: leakage against accuracy",
            "Up and to the left is better. Hollow points are of rows that are not complete; dashed lines are what representations "
            "that were not made by any method leak.",
            trials,
        )
        keep(
            figures.curves(board, given.where, numbers),
            f"curves-{number}",
            f"{board.dataset}: in training",
            "Means over folds and seeds. Test accuracy was looked at and never used; the last step is what counts.",
            trials,
        )
        for row in board.rows:
            first = min((given.records[t] for t in row.trials), key=lambda r: r.trial.place, default=None)
            if first is None:
                continue
            try:
                figure = figures.representations(row.name, given.where[first.trial.id], first)
            except (OSError, ValueError) as error:
                click.echo(f"The representation of {first.trial.id} cannot be drawn: {error}.", err=True)
                continue
            keep(
                figure,
                f"representation-{number}-{row.name.replace('/', '-')}",
                f"{board.dataset}: representation of {row.name}",
                "Clusters on the left and none on the right are what a method wants that separates expression from identity. "
                "Distances between clusters mean nothing in t-SNE.",
                [first.trial.id],
            )
    tables = ablations(list(given.records.values()), dataset=dataset)
    for number, table in enumerate((t for t in tables if any(v.difference for v in t.variants)), 1):
        keep(
            chart.figure(table),
            f"ablations-{number}",
            f"{table.board.dataset}: ablations of {table.method}",
            "Each variant minus the full method, on the same subjects, folds and seeds; gray intervals hold 0.",
            chart.trials_of(table),
        )
    if (found := across(boards)) is not None:
        keep(
            figures.critical_differences(found),
            "critical-difference",
            "Across datasets",
            found.words(),
            [trial for board in boards for row in board.rows for trial in row.trials],
        )
    return made
