"""`ferbench evaluate`: new metrics for finished records, without training again."""

from __future__ import annotations

import rich_click as click

from ferbench.cli.options import folders_argument, plugin_option


@click.command("evaluate")
@folders_argument
@click.option("--metric", "metrics", metavar="NAME", multiple=True, help="Only this metric; may be repeated.")
@click.option("--again", is_flag=True, help="Also metrics that the records have already.")
@plugin_option
def command(folders: tuple[str, ...], metrics: tuple[str, ...], again: bool, plugins: tuple[str, ...]) -> int:
    """Work out metrics that finished records lack, from their predictions and embeddings.

    \b
    ferbench evaluate results --metric mig
    ferbench leaderboard results --metric mig --metric accuracy

    What it finds is kept in results/.evaluated; the records stay as they are. Without --metric: all metrics that installed plugins
    know, MIG, SAP and DCI among them.
    """
    from ferbench.execution.reevaluate import chosen, evaluate
    from ferbench.records.store import Store
    from ferbench.registry.loader import load_registry

    registry = load_registry(plugins)
    cards = chosen(registry, metrics)
    done = failed = 0
    for folder in folders or ("results",):
        store = Store(folder)
        records, damaged = store.scan()
        for item in damaged:
            click.echo(f"Left out: {item.path} ({item.reason}).", err=True)
        for found in evaluate(registry, store, records, cards, again):
            if found.error:
                failed += 1
                click.echo(f"{found.record.trial.id}  {found.record.trial.label}: {found.error}", err=True)
                continue
            done += 1
            wanted = {k: v for k, v in found.metrics.items() if not metrics or k in metrics}
            figures = ", ".join(f"{k} {'-' if v is None else f'{v:.3f}'}" for k, v in wanted.items())
            click.echo(f"{found.record.trial.id}  {found.record.trial.label}: {figures or 'nothing to measure'}")
            for note in found.notes:
                click.echo(f"    {note}")
    click.echo(f"{done} records evaluated" + (f", {failed} could not be." if failed else "."))
    return 1 if failed else 0
