"""`ferbench power`: before a study, how many seeds it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import rich_click as click

from ferbench.cli.options import plugin_option
from ferbench.errors import FerbenchError

if TYPE_CHECKING:
    from ferbench.ranking.power import Spread

SHOWN = (2, 3, 5, 10, 20)


@click.command("power")
@click.argument("folders", nargs=-1, metavar="[DIR]...", type=click.Path(file_okay=False))
@click.option("--difference", metavar="POINTS", type=click.FloatRange(0, 100, min_open=True), required=True,
              help="The difference in accuracy that the study has to show.")  # fmt: skip
@click.option("--subjects", metavar="N", type=click.IntRange(2), required=True, help="How many subjects are tested.")
@click.option("--folds", metavar="N", type=click.IntRange(1), default=10, show_default=True, help="How many folds.")
@plugin_option
def command(folders: tuple[str, ...], difference: float, subjects: int, folds: int, plugins: tuple[str, ...]) -> None:
    """Say before a study how many seeds two methods need to show a difference in accuracy.

    \b
    ferbench power --difference 2 --subjects 80
    ferbench power results/pilot --difference 2 --subjects 80 --folds 10

    The smallest difference that 8 of 10 such studies would show, at the level 0.05, depends on how much subjects and trainings
    differ. That is taken from the records of an earlier study in DIR, with two seeds at least; without DIR from the study of
    docs/results.md on made faces, which may be unlike yours. A row of a leaderboard of many methods needs more, because all
    pairs are tested.
    """
    from ferbench.ranking.intervals import smallest_p
    from ferbench.ranking.power import ASSUMED, MOST_SEEDS
    from ferbench.ranking.statistics import ALPHA

    if smallest_p(subjects) >= ALPHA:
        raise FerbenchError(
            f"{subjects} subjects cannot show any difference: p is at least {smallest_p(subjects):.3f}."
        )
    if folds > subjects:
        raise FerbenchError(
            f"--folds {folds} are more than --subjects {subjects}; each fold tests at least one subject."
        )
    spread = _earlier(folders, plugins) if folders else ASSUMED
    where = (
        f"median of the pairs of methods in {', '.join(folders)}" if folders else "as in docs/results.md, on made faces"
    )
    lines = [
        (
            f"Standard deviations of the difference of two methods ({where}): {100 * spread.subject:.1f} points between subjects, "
            f"{100 * spread.luck:.1f} between trainings, {100 * spread.rest:.1f} of a subject between trainings."
        ),
        f"The smallest difference that 8 of 10 studies of {subjects} subjects and {folds} folds would show:",
    ]
    for line in lines:
        click.echo(click.wrap_text(line, 80))
    needed = spread.seeds_for(difference / 100, subjects, folds)
    if folds < subjects:
        click.echo("   1 seed   not known: training luck is not measured")
    for seeds in sorted({*([] if folds < subjects else [1]), *SHOWN, *([needed] if needed else [])}):
        mark = "  <- enough" if seeds == needed else ""
        click.echo(f"{seeds:4} seeds  {100 * spread.detectable(subjects, folds, seeds):5.2f} points{mark}")
    if needed:
        click.echo(f"For {difference:g} points: {needed} seeds, which are {needed * folds} trainings of each method.")
    else:
        least = 100 * spread.detectable(subjects, folds, MOST_SEEDS)
        sentence = (
            f"{difference:g} points cannot be shown with {subjects} subjects: even {MOST_SEEDS} seeds show {least:.2f} points at "
            "best. It takes more subjects."
        )
        click.echo(click.wrap_text(sentence, 80))


def _earlier(folders: Sequence[str], plugins: Sequence[str]) -> Spread:
    """The spread of the largest board of an earlier study.

    Raises:
        FerbenchError: no board has two complete rows and two seeds.
    """
    from ferbench.api.reading import known_cards
    from ferbench.cards import Counts
    from ferbench.cli.records import collected
    from ferbench.ranking.aggregate import BoardQuery, boards
    from ferbench.ranking.answers import Answers
    from ferbench.ranking.power import spread_of
    from ferbench.ranking.sample import counted
    from ferbench.ranking.scores import SCORES
    from ferbench.registry.loader import load_registry

    given = collected(folders)
    cards = known_cards(load_registry(plugins), given)
    for board in sorted(
        boards(list(given.records.values()), query=BoardQuery(cards=cards)), key=lambda b: -len(b.rows)
    ):
        rows = [row for row in board.rows if row.complete]
        answers = [Answers.of([given.records[trial] for trial in row.trials], Counts.FRAMES) for row in rows]
        samples = [counted(of_row, SCORES["accuracy"]) for of_row in answers]
        if (spread := spread_of([sample for sample in samples if not sample.unlike(samples[0])])) is not None:
            return spread
    raise FerbenchError(
        f"{', '.join(folders)} has no board on which two methods ran with two seeds on the same folds of several subjects; "
        "without a folder, 'ferbench power' assumes what a study of ours found."
    )
