"""`ferbench leaderboard`: records, aggregated with statistics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ferbench.leaderboard.aggregate import View
    from ferbench.leaderboard.merge import Collected
    from ferbench.leaderboard.rows import Board
    from ferbench.records import Outcome, Record

from ferbench.errors import FerbenchError, UnknownName

FORMATS = ("table", "markdown", "csv", "json", "latex", "html")


@click.command("leaderboard")
@click.argument("folders", nargs=-1, metavar="[DIR]...", type=click.Path(file_okay=False))
@click.option("--format", "kind", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--output", metavar="FILE", help="Write to a file instead of the terminal.")
@click.option("--dataset", metavar="NAME", help="Only this dataset.")
@click.option(
    "--metric", "metrics", metavar="NAME", multiple=True, help="Show this metric; may be repeated. The first one ranks."
)
@click.option("--group", type=click.Choice(["backbone", "method"]), help="A board for each of these.")
@click.option("--by", "factor", metavar="FACTOR", help="Accuracy by subject, expression or any column of the frames.")
@click.option("--include-ablations", is_flag=True, help="Also show variants that are not the full method.")
@click.option(
    "--baseline", metavar="METHOD", help="Show each row's difference in accuracy to this method, with interval."
)
@click.option("--optimism", is_flag=True, help="Show what choosing the best epoch on the test fold would have claimed.")
@click.option("--reported", "with_reported", is_flag=True, help="Show what papers report on the same data, unranked.")
@click.option(
    "--cost", is_flag=True, help="Show images seen, parameters, FLOPs, memory and time instead of further metrics."
)
@click.option("--draws", metavar="N", type=click.IntRange(0), default=2000, show_default=True,
              help="Bootstrap draws; 0 leaves intervals, ties and comparisons out.")  # fmt: skip
def command(
    folders: tuple[str, ...],
    kind: str,
    output: str | None,
    dataset: str | None,
    metrics: tuple[str, ...],
    group: str | None,
    factor: str | None,
    include_ablations: bool,
    baseline: str | None,
    optimism: bool,
    with_reported: bool,
    cost: bool,
    draws: int,
) -> None:
    """Rank what was run, from one or several results folders (default: results).

    A board holds what may be compared: the same data, protocol, classes, preparation, pretraining and budget. A row is a method
    variant on a backbone. Intervals are 95 %: of recognition by resampling test subjects, of the others over folds.
    Rows that lack folds are shown below, without a rank; rows that the data do not tell apart share one.

    \b
    ferbench leaderboard results/a results/b --baseline cross_entropy
    ferbench leaderboard --metric identity_leakage --metric accuracy
    ferbench leaderboard --by expression
    ferbench leaderboard --format html --output board.html
    """
    from ferbench.leaderboard import plain, reported
    from ferbench.leaderboard.aggregate import View
    from ferbench.leaderboard.columns import DEFAULT, OPTIMISM, columns
    from ferbench.leaderboard.table import render

    given = collected(folders)
    titles, lower = metric_cards()
    shown = columns(metrics or (OPTIMISM if optimism else DEFAULT), titles)
    view = View(dataset, shown[0].metric, include_ablations, baseline or "", draws, group or "", lower)
    found = chosen_boards(given, view, metrics)
    papers = [reported.beside(board) if with_reported else [] for board in found]
    if factor is not None:
        if kind not in ("table", "csv"):
            raise FerbenchError(f"--by {factor} is given as a table or as CSV, not as {kind}.")
        text = _by_factor(given, found, factor, kind, draws, output is not None)
    elif kind == "table":
        text = printed(render(found, shown, cost, papers), to_file=output is not None)
    elif kind == "html":
        from ferbench.cli.show import command_of
        from ferbench.leaderboard.page import page

        if output is None:
            raise FerbenchError("--format html is a page for a browser; say where with --output FILE.html.")
        text = page(found, given, shown, papers, faces=shareable(), command=command_of)
    else:
        text = {
            "markdown": lambda: plain.markdown(found, shown, papers),
            "latex": lambda: plain.latex(found, shown),
            "csv": lambda: plain.to_csv(found),
            "json": lambda: plain.to_json(found),
        }[kind]()
    write(text, output)


def metric_cards() -> tuple[dict[str, str], frozenset[str]]:
    """Titles of metrics, and those of which less is better, from the cards of all evaluators."""
    from ferbench.cards import EvaluatorCard
    from ferbench.leaderboard.aggregate import LOWER_IS_BETTER
    from ferbench.registry import load_registry

    cards = [metric for card in load_registry().catalogue(EvaluatorCard).values() for metric in card.metrics]
    lower = {metric.name for metric in cards if not metric.higher_is_better}
    return {metric.name: metric.title for metric in cards}, LOWER_IS_BETTER | lower


def shareable() -> set[str]:
    """Datasets whose faces may be shown to anybody."""
    from ferbench.cards import DatasetCard
    from ferbench.registry import load_registry

    return {card.name for card in load_registry().catalogue(DatasetCard).values() if card.shareable}


def chosen_boards(given: Collected, view: View, wanted: Sequence[str] = ()) -> list[Board]:
    """The boards that were asked for, with the standing of submitted records. `wanted`: metrics that have to be there.

    Raises:
        UnknownName: a metric, a dataset or a baseline is not among the records.
        FerbenchError: there are only ablations.
    """
    from ferbench.leaderboard.aggregate import boards
    from ferbench.submission import mark

    records = list(given.records.values())
    known = {name for record in records for name in record.metrics}
    for name in wanted:
        if records and name not in known:
            raise UnknownName("metric", name, known)
    trials = [r.trial for r in records] + [o.trial for o in given.failures]
    names = {str(trial.identity["dataset"]["name"]) for trial in trials}
    if view.dataset is not None and view.dataset not in names:
        raise UnknownName("dataset among the records", view.dataset, names)
    methods = {trial.method for trial in trials}
    if view.baseline and view.baseline not in methods:
        raise UnknownName("method among the records", view.baseline, methods)
    found = boards(records, given.failures, view)
    if not found:
        raise FerbenchError("There are only ablations among the records; add --include-ablations.")
    mark(found, given.standing)
    return found


def _by_factor(given: Collected, found: Sequence[Board], factor: str, kind: str, draws: int, to_file: bool) -> str:
    from ferbench.leaderboard import plain
    from ferbench.leaderboard.breakdown import breakdown
    from ferbench.leaderboard.table import render_breakdown

    tables = [(board, breakdown(board, given.records, given.where, factor, draws)) for board in found]
    return plain.breakdown_csv(tables) if kind == "csv" else printed(render_breakdown(tables), to_file)


def collected(folders: Sequence[str]) -> Collected:
    """Records and failures of several folders; what was left out or contradicts itself is said on the side."""
    from ferbench.leaderboard.merge import collect

    given = collect(folders)
    for note in given.notes:
        click.echo(note, err=True)
    return given


def read(folders: Sequence[str]) -> tuple[dict[str, Record], list[Outcome]]:
    """The records, by trial, and the failures of several results folders.

    Raises:
        FerbenchError: there is neither.
    """
    given = collected(folders)
    return given.records, given.failures


def printed(table: RenderableType, to_file: bool) -> str:
    """Print a table to the terminal, or give its text."""
    import io

    from rich.console import Console

    if not to_file:
        Console(highlight=False).print(table)
        return ""
    out = io.StringIO()
    Console(file=out, width=120, highlight=False).print(table)
    return out.getvalue()


def write(text: str, output: str | None) -> None:
    """To the terminal, or to a file.

    Raises:
        FerbenchError: the file cannot be written.
    """
    from ferbench.store import replace_text

    if output is None:
        if text:
            click.echo(text, nl=False)
        return
    try:
        replace_text(Path(output), text)
    except OSError as error:
        raise FerbenchError(f"--output {output} cannot be written: {error.strerror or error}.") from error
