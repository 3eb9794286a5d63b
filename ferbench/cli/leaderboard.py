"""`ferbench leaderboard`: records, aggregated with statistics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ferbench.records import Outcome, Record

from ferbench.errors import FerbenchError, UnknownName


@click.command("leaderboard")
@click.argument("folders", nargs=-1, metavar="[DIR]...", type=click.Path(file_okay=False))
@click.option(
    "--format",
    "kind",
    type=click.Choice(["table", "markdown", "csv", "json"]),
    default="table",
    show_default=True,
)
@click.option("--output", metavar="FILE", help="Write to a file instead of the terminal.")
@click.option("--dataset", metavar="NAME", help="Only this dataset.")
@click.option("--sort", metavar="METRIC", default="accuracy", show_default=True, help="Rank by this metric.")
@click.option("--include-ablations", is_flag=True, help="Also show variants that are not the full method.")
@click.option(
    "--baseline", metavar="METHOD", help="Show each row's difference in accuracy to this method, with interval."
)
@click.option(
    "--cost", is_flag=True, help="Show images seen, parameters, FLOPs, memory and time instead of further metrics."
)
def command(
    folders: tuple[str, ...],
    kind: str,
    output: str | None,
    dataset: str | None,
    sort: str,
    include_ablations: bool,
    baseline: str | None,
    cost: bool,
) -> None:
    """Rank what was run, from one or several results folders (default: results).

    A board holds what may be compared: the same data, protocol, classes, preparation and budget. A row is a method
    variant on a backbone. Intervals are 95 %: of recognition by resampling test subjects, of the others over folds.
    Rows that lack folds are shown below, without a rank; rows that the data do not tell apart share one.
    """
    from ferbench.leaderboard import plain
    from ferbench.leaderboard.aggregate import boards
    from ferbench.leaderboard.table import render

    records, failures = read(folders)
    metrics = {name for record in records.values() for name in record.metrics}
    if records and sort not in metrics:
        raise UnknownName("metric", sort, metrics)
    names = {
        str(t.identity["dataset"]["name"]) for t in [r.trial for r in records.values()] + [o.trial for o in failures]
    }
    if dataset is not None and dataset not in names:
        raise UnknownName("dataset among the records", dataset, names)
    methods = {record.trial.method for record in records.values()}
    if baseline is not None and baseline not in methods:
        raise UnknownName("method among the records", baseline, methods)
    found = boards(list(records.values()), failures, dataset, sort, include_ablations, baseline or "")
    if not found:
        raise FerbenchError("There are only ablations among the records; add --include-ablations.")
    if kind == "table":
        text = printed(render(found, cost), to_file=output is not None)
    else:
        text = {"markdown": plain.markdown, "csv": plain.to_csv, "json": plain.to_json}[kind](found)
    write(text, output)


def read(folders: Sequence[str]) -> tuple[dict[str, Record], list[Outcome]]:
    """The records, by trial, and the failures of several results folders; damaged ones are named on the side.

    Raises:
        FerbenchError: there is neither.
    """
    from ferbench.store import Store

    records: dict[str, Record] = {}
    failures: list[Outcome] = []
    for folder in folders or ("results",):
        store = Store(folder)
        whole, damaged = store.scan()
        records |= {record.trial.id: record for record in whole}
        failures += store.failures()
        for item in damaged:
            click.echo(f"Left out: {item.path} ({item.reason}).", err=True)
    if not records and not failures:
        raise FerbenchError(f"There is no record in {', '.join(folders or ('results',))}.")
    return records, failures


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
