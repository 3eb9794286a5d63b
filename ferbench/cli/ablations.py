"""`ferbench ablations`: what each part of a method is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from ferbench.cli.options import dataset_option, folders_argument, method_option, plugin_option
from ferbench.cli.output import printed, write
from ferbench.errors import FerbenchError

if TYPE_CHECKING:
    from ferbench.ranking.ablations import Ablations

NARROW = {
    "accuracy %": "acc. %",
    "id leak": "leak",
    "difference [95 %]": "difference",
    "parameters": "param.",
    "training": "time",
}
"""Shorter headings, for 80 columns."""


@click.command("ablations")
@folders_argument
@method_option
@dataset_option
@click.option("--metric", metavar="NAME", default="accuracy", show_default=True, help="Of what the differences are.")
@click.option("--format", "kind", type=click.Choice(["table", "markdown", "csv"]), default="table", show_default=True)
@click.option("--output", metavar="FILE", help="Write the table to a file instead of the terminal.")
@click.option("--chart", metavar="FILE", help="Also draw the differences (.png, .pdf or .svg).")
@plugin_option
def command(
    folders: tuple[str, ...],
    method: str | None,
    dataset: str | None,
    metric: str,
    kind: str,
    output: str | None,
    chart: str | None,
    plugins: tuple[str, ...],
) -> None:
    """Compare the variants of a method with the full one, on the same subjects, folds and seeds.

    \b
    ferbench run method=degan dataset=synthfaces ablation=all
    ferbench ablations --method degan --dataset synthfaces --chart degan.png

    A difference is of accuracy in points, or of another --metric, variant minus full, with a 95 % interval; p is of a t-test in
    which subjects and trainings are both samples, corrected by Holm over the table. Training time is of whatever machine the
    trials ran on.
    """
    from ferbench.api.reading import known_cards, need_metric, need_names
    from ferbench.cli.records import collected
    from ferbench.ranking.ablations import ablations
    from ferbench.registry.loader import load_registry
    from ferbench.report.figures.ablations import draw

    given = collected(folders)
    need_names(given, dataset, method)
    need_metric(given, metric)
    found = ablations(list(given.records.values()), method, dataset, known_cards(load_registry(plugins), given), metric)
    if not found:
        raise FerbenchError(
            f"There is no full method with ablations of it in {', '.join(folders) or 'results'}: "
            "'ferbench run method=... ablation=all' makes them."
        )
    if kind == "table":
        write(printed(_tables(found), to_file=output is not None), output)
    else:
        write(_markdown(found) if kind == "markdown" else _csv(found), output)
    for number, table in enumerate(found if chart else [], 1):
        target = Path(chart or "")
        if len(found) > 1:
            target = target.with_stem(f"{target.stem}-{number}")
        try:
            draw(table, target)
        except (OSError, ValueError) as error:
            raise FerbenchError(f"The chart {target} cannot be written: {error}.") from error
        click.echo(f"Chart of {table.method} on {table.board.dataset}: {target}", err=kind != "table")


def _tables(found: Sequence[Ablations]) -> Any:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from ferbench.report.ablations import cells, headings

    parts: list[Any] = []
    for item in found:
        parts += [Text(""), Text(f"{item.method} · {item.board.dataset} · {item.board.protocol}", style="bold")]
        parts.append(Text(f"{item.board.setting}, backbone {item.backbone}", style="dim"))
        table = Table(box=None, pad_edge=False, padding=(0, 1), collapse_padding=True)
        table.add_column("variant")
        for heading in headings(item.metric)[3:]:
            table.add_column(NARROW.get(heading, heading), justify="right", no_wrap=True)
        for variant in item.variants:
            name, without, folds, *numbers = cells(variant, item.metric)
            what = Text(name if variant.row.complete else f"{name} ({folds})")
            what.append(f"\n  {without}" if without else "", style="dim")
            table.add_row(what, *map(Text, numbers), style="" if variant.row.complete else "dim")
        parts.append(table)
    return Group(*parts)


def _markdown(found: Sequence[Ablations]) -> str:
    from ferbench.report.ablations import cells, headings
    from ferbench.report.markdown import escaped

    lines = []
    for item in found:
        title = f"### {item.method} · {item.board.dataset} · {item.board.protocol}"
        lines += [escaped(title), "", escaped(item.board.setting), ""]
        heads = headings(item.metric)
        lines += ["| " + " | ".join(map(escaped, heads)) + " |", "|" + " --- |" * len(heads)]
        lines += ["| " + " | ".join(map(escaped, cells(variant, item.metric))) + " |" for variant in item.variants]
        lines.append("")
    return "\n".join(lines)


def _csv(found: Sequence[Ablations]) -> str:
    import csv
    import io

    from ferbench.report.ablations import SHOWN
    from ferbench.tables import cell

    def rounded(numbers: Sequence[float | None]) -> list[object]:
        return ["" if n is None or math.isnan(n) else round(n, 6) for n in numbers]

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["dataset", "protocol", "method", "backbone", "variant", "without", "trials_done", "trials_planned", "accuracy",
         "macro_f1", "identity_leakage", "metric", "value", "difference", "difference_low", "difference_high",
         "leakage_difference", "p", "p_holm"]
    )  # fmt: skip
    for item in found:
        for v in item.variants:
            scores = [v.row.scores.get(name) for name in (*SHOWN, item.metric.name)]
            *means, value = (None if s is None else s.mean for s in scores)
            d = v.difference
            numbers = [
                value,
                *((None,) * 3 if d is None else (d.mean, d.low, d.high)),
                v.leakage,
                v.difference.p if v.difference else math.nan,
                v.corrected,
            ]
            head = [item.board.dataset, item.board.protocol, item.method, item.backbone, v.row.variant, v.removed]
            writer.writerow(
                [
                    *map(cell, head),
                    v.row.done,
                    v.row.planned,
                    *rounded(means),
                    cell(item.metric.name),
                    *rounded(numbers),
                ]
            )
    return out.getvalue()
