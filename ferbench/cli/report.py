"""`ferbench report`: a page with the leaderboard and its figures, each also for a paper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from ferbench.cli.options import (
    baseline_option,
    dataset_option,
    folders_argument,
    include_ablations_option,
    reported_option,
)
from ferbench.cli.output import write
from ferbench.errors import FerbenchError

if TYPE_CHECKING:
    from ferbench.ranking.board import Board
    from ferbench.ranking.cards import Cards
    from ferbench.records.merge import Collected
    from ferbench.report.page import Figure


@click.command("report")
@folders_argument
@click.option(
    "--output", metavar="DIR", default="report", show_default=True, help="Folder of the page and its figures."
)
@dataset_option
@include_ablations_option
@baseline_option
@reported_option
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
    from ferbench.cli.records import chosen_boards, collected, installed_cards, published, reproduce, shareable
    from ferbench.ranking.aggregate import BoardQuery
    from ferbench.report.page import page

    given = collected(folders)
    cards = installed_cards(given)
    query = BoardQuery(dataset, include_ablations=include_ablations, baseline=baseline or "", cards=cards)
    boards = chosen_boards(given, query)
    papers = published(boards, cards) if with_reported else []
    target = Path(output)
    if inside := next((folder for folder in folders or ("results",) if _within(target, Path(folder))), None):
        raise FerbenchError(f"--output {output} lies in the results folder {inside}; choose a folder outside of it.")
    try:
        figures = draw(boards, given, target / "figures", dataset, cards)
    except OSError as error:
        raise FerbenchError(f"--output {output} cannot be written: {error.strerror or error}.") from error
    text = page(boards, given, None, papers, figures, faces=shareable(), command=reproduce, title="ferbench report")
    write(text, str(target / "index.html"))
    click.echo(f"{target / 'index.html'}: {len(boards)} boards, {len(figures)} figures.")


def _within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def draw(
    boards: Sequence[Board], given: Collected, folder: Path, dataset: str | None = None, cards: Cards | None = None
) -> list[Figure]:
    """All figures of the boards, written to the folder; a record whose files are gone costs its own figure only."""
    from ferbench.ranking.ablations import ablations
    from ferbench.ranking.across import across
    from ferbench.report.figures import ablations as chart
    from ferbench.report.figures import board as figures
    from ferbench.report.figures import style
    from ferbench.report.page import Figure

    made: list[Figure] = []

    def keep(figure: object, name: str, title: str, words: str, trials: Sequence[str]) -> None:
        if figure is not None:
            png = style.save(figure, folder, name, trials)
            files = tuple(f"figures/{name}.{ending}" for ending in style.FORMATS)
            made.append(Figure(title, words, png, files))

    numbers = style.numbered(boards)
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
            first = min((given.records[t] for t in row.trials), key=lambda r: r.trial.repetition, default=None)
            if first is None:
                continue
            try:
                figure = figures.representations(row.name, given.where[first.trial.id], first)
            except (FerbenchError, OSError, ValueError) as error:
                sentence = str(error).removesuffix(".")
                click.echo(f"The representation of {first.trial.id} cannot be drawn: {sentence}.", err=True)
                continue
            keep(
                figure,
                f"representation-{number}-{row.name.replace('/', '-')}",
                f"{board.dataset}: representation of {row.name}",
                "Clusters on the left and none on the right are what a method wants that separates expression from identity. "
                "Distances between clusters mean nothing in t-SNE.",
                [first.trial.id],
            )
    tables = ablations(list(given.records.values()), dataset=dataset, cards=cards)
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
