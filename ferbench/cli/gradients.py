"""`ferbench gradients`: which term of a loss moves which part of a trained method."""

from __future__ import annotations

import rich_click as click

from ferbench.cli.options import folders_argument, plugin_option


@click.command("gradients")
@click.argument("trial")
@folders_argument
@click.option(
    "--batches", type=click.IntRange(min=1), default=8, show_default=True, help="Training batches to average over."
)
@plugin_option
def command(trial: str, folders: tuple[str, ...], batches: int, plugins: tuple[str, ...]) -> None:
    """Print how strongly each term of the loss pulls at each part of a trained method.

    \b
    ferbench gradients 3f9a

    TRIAL is the name of a record's folder, or the first letters of it. Where an ablation changes nothing, its term may hardly move
    anything: share is the norm of its gradient among all terms in that part, cosine its agreement with their sum. The weights are
    those after the last step, on batches that would have come next; nothing is trained.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ferbench.api.reading import with_plugins
    from ferbench.cli.records import find
    from ferbench.execution.gradients import gradients

    record, folder = find(trial, folders)
    found = gradients(with_plugins(record, plugins), folder, batches)
    console = Console()
    console.print(Text(record.trial.label, style="bold"))
    for stage, rows in found.groupby("stage", sort=False):
        table = Table(box=None, pad_edge=False)
        table.add_column(f"{stage}: term", no_wrap=True)
        table.add_column("part", no_wrap=True)
        for heading in ("value", "norm", "share %", "cosine"):
            table.add_column(heading, justify="right", no_wrap=True)
        for term, parts in rows.groupby("term", sort=False):
            for number, (_, row) in enumerate(parts.iterrows()):
                first = number == 0
                table.add_row(
                    str(term) if first else "",
                    row["module"],
                    f"{row['value']:.3g}" if first else "",
                    f"{row['norm']:.3g}",
                    f"{100 * row['share']:.0f}",
                    f"{row['cosine']:+.2f}",
                )
        console.print(table)
