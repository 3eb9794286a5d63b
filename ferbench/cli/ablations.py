"""`ferbench ablations`: what each part of a method is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from ferbench.errors import FerbenchError, UnknownName

if TYPE_CHECKING:
    from ferbench.leaderboard.ablations import Ablations, Variant

KEYS = ("method", "dataset", "results_dir")
HEADINGS = (
    "variant", "without", "folds", "accuracy %", "F1 %", "id leak", "difference [95 %]", "p", "parameters", "training",
)  # fmt: skip

NARROW = ("acc. %", "F1 %", "leak", "difference", "p", "param.", "time")
"""Of the same columns without the first three, for 80 columns."""


@click.command("ablations")
@click.argument("words", nargs=-1, metavar="[method=NAME] [dataset=NAME] [results_dir=DIR]")
@click.option("--format", "kind", type=click.Choice(["table", "markdown", "csv"]), default="table", show_default=True)
@click.option("--output", metavar="FILE", help="Write the table to a file instead of the terminal.")
@click.option(
    "--chart", metavar="FILE", help="The chart of differences (.png, .pdf, .svg); by default in the results folder."
)
def command(words: tuple[str, ...], kind: str, output: str | None, chart: str | None) -> None:
    """Compare the variants of a method with the full one, on the same subjects, folds and seeds.

    \b
    ferbench run method=degan dataset=synthfaces ablation=all
    ferbench ablations method=degan dataset=synthfaces

    A difference is of accuracy in points, variant minus full, with a 95 % interval by resampling subjects; p is of a sign flip
    test by subject, corrected by Holm over the table. Training time is of whatever machine the trials ran on.
    """
    from ferbench.cli.leaderboard import printed, read, write
    from ferbench.leaderboard.ablations import ablations
    from ferbench.report.ablations import draw

    given = _given(words)
    folder = given.get("results_dir", "results")
    records, _ = read([folder])
    for key, names in {
        "method": {r.trial.method for r in records.values()},
        "dataset": {str(r.trial.identity["dataset"]["name"]) for r in records.values()},
    }.items():
        if key in given and given[key] not in names:
            raise UnknownName(f"{key} among the records of {folder}", given[key], names)
    found = ablations(list(records.values()), given.get("method"), given.get("dataset"))
    if not found:
        raise FerbenchError(
            f"There is no full method with ablations of it in {folder}: 'ferbench run method=... ablation=all' makes them."
        )
    if kind == "table":
        write(printed(_tables(found), to_file=output is not None), output)
    else:
        write(_markdown(found) if kind == "markdown" else _csv(found), output)
    for number, table in enumerate(found):
        place = Path(chart) if chart else Path(folder) / f"ablations-{table.method}.png"
        if len(found) > 1:
            place = place.with_stem(f"{place.stem}-{number + 1}")
        try:
            draw(table, place)
        except (OSError, ValueError) as error:
            raise FerbenchError(f"The chart {place} cannot be written: {error}.") from error
        click.echo(f"Chart of {table.method} on {table.board.dataset}: {place}", err=kind != "table")


def _given(words: Sequence[str]) -> dict[str, str]:
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key not in KEYS:
            raise UnknownName("setting of 'ferbench ablations'", key, KEYS)
        found[key] = value
    return found


def _cells(variant: Variant) -> list[str]:
    from ferbench.leaderboard.columns import cell, cost_cell, points

    row = variant.row
    return [
        row.variant,
        variant.removed,
        f"{row.done}/{row.planned}",
        cell(row, "accuracy").partition(" ")[0],
        cell(row, "macro_f1"),
        cell(row, "identity_leakage"),
        points(variant.difference),
        "-" if math.isnan(variant.corrected) else f"{variant.corrected:.3f}",
        cost_cell(row, "parameters"),
        cost_cell(row, "train_seconds"),
    ]


def _tables(found: Sequence[Ablations]) -> Any:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[Any] = []
    for item in found:
        parts += [Text(""), Text(f"{item.method} · {item.board.dataset} · {item.board.protocol}", style="bold")]
        parts.append(Text(f"{item.board.setting}, backbone {item.backbone}", style="dim"))
        table = Table(box=None, pad_edge=False, padding=(0, 1), collapse_padding=True)
        table.add_column("variant")
        for heading in NARROW:
            table.add_column(heading, justify="right", no_wrap=True)
        for variant in item.variants:
            name, without, folds, *numbers = _cells(variant)
            what = Text(name if variant.row.complete else f"{name} ({folds})")
            what.append(f"\n  {without}" if without else "", style="dim")
            table.add_row(what, *map(Text, numbers), style="" if variant.row.complete else "dim")
        parts.append(table)
    return Group(*parts)


def _markdown(found: Sequence[Ablations]) -> str:
    lines = []
    for item in found:
        lines += [f"### {item.method} · {item.board.dataset} · {item.board.protocol}", "", item.board.setting, ""]
        lines += ["| " + " | ".join(HEADINGS) + " |", "|" + " --- |" * len(HEADINGS)]
        lines += ["| " + " | ".join(_cells(variant)) + " |" for variant in item.variants]
        lines.append("")
    return "\n".join(lines)


def _csv(found: Sequence[Ablations]) -> str:
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["dataset", "protocol", "method", "backbone", "variant", "without", "trials_done", "trials_planned", "accuracy",
         "macro_f1", "identity_leakage", "difference", "difference_low", "difference_high", "leakage_difference", "p",
         "p_holm"]
    )  # fmt: skip
    for item in found:
        for v in item.variants:
            scores = [v.row.scores.get(name) for name in ("accuracy", "macro_f1", "identity_leakage")]
            d = v.difference
            numbers = [
                *(None if s is None else s.mean for s in scores),
                *((None,) * 3 if d is None else (d.mean, d.low, d.high)),
                v.leakage,
                v.p,
                v.corrected,
            ]
            writer.writerow(
                [item.board.dataset, item.board.protocol, item.method, item.backbone, v.row.variant, v.removed, v.row.done,
                 v.row.planned, *("" if n is None or math.isnan(n) else round(n, 6) for n in numbers)]
            )  # fmt: skip
    return out.getvalue()
