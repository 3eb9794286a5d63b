"""`ferbench list`: what is installed."""

from __future__ import annotations

from typing import Any

import rich_click as click

from ferbench.cli.options import plugin_option

KINDS = (
    "datasets",
    "backbones",
    "methods",
    "protocols",
    "evaluators",
    "executors",
    "detectors",
    "trackers",
    "commands",
    "plugins",
)


@click.command("list")
@plugin_option
@click.argument("kind", type=click.Choice(KINDS))
def command(kind: str, plugins: tuple[str, ...]) -> int:
    """List datasets, backbones, methods, protocols, evaluators, executors, detectors, trackers, commands of plugins, or plugins.

    \b
    ferbench list methods

    'ferbench list plugins' is 'ferbench plugins', and 'ferbench list datasets' is 'ferbench datasets'.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ferbench import cards
    from ferbench.registry.loader import load_registry

    registry = load_registry(plugins, needed=kind != "plugins")
    if kind == "plugins":
        from ferbench.cli.plugins import print_plugins

        return print_plugins(registry, verbose=False)
    if kind == "datasets":
        from ferbench.cli.datasets import print_datasets

        print_datasets(registry)
        return 0
    card_kind: Any = next(k for k in cards.KINDS if f"{k.kind}s" == kind)
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "what", "plugin"):
        table.add_column(heading, overflow="fold")
    for name, card in registry.catalogue(card_kind).items():
        table.add_row(name, Text(card.title), Text(registry.owner(card).origin))
    Console().print(table)
    if any(p.state == "broken" for p in registry.plugins):
        click.echo("Some plugins could not be loaded; 'ferbench plugins' says which and why.", err=True)
    return 0
