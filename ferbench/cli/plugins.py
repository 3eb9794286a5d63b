"""`ferbench plugins`: which plugins there are, and what is wrong with one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich_click as click

from ferbench.cli.options import plugin_option

if TYPE_CHECKING:
    from ferbench.registry.loader import Registry


@click.command("plugins")
@click.option("-v", "--verbose", is_flag=True, help="Show the traceback of what could not be loaded.")
@plugin_option
def command(verbose: bool, plugins: tuple[str, ...]) -> int:
    """List the plugins: the cards of each, or why it could not be loaded.

    \b
    ferbench plugins -v

    Exit status 1 where one is broken, or two claim one name. FERBENCH_PLUGINS=a,b loads only these.
    """
    from ferbench.registry.loader import load_registry

    return print_plugins(load_registry(plugins, needed=False), verbose)


def print_plugins(registry: Registry, verbose: bool) -> int:
    """Print them; gives the exit status: 1 where one is broken, or two claim one name."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ferbench.cards import CommandCard
    from ferbench.cli.main import COMMANDS
    from ferbench.cli.outside import clashes

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    for heading in ("plugin", "from", "state", "cards"):
        table.add_column(heading, overflow="fold")
    for plugin in registry.plugins:
        cards = ", ".join(f"{card.kind} {card.name}" for card in plugin.cards)
        table.add_row(plugin.name, Text(plugin.origin), plugin.state, Text(plugin.error or cards))
    console.print(table)
    for (kind, name), owners in registry.doubled().items():
        if kind == CommandCard.kind:
            continue
        claims = " and ".join(f"{p.origin} ({p.module})" for p in owners)
        console.print(Text(f"Two plugins claim the {kind} '{name}': {claims}."))
    outside = clashes(registry, COMMANDS)
    for sentence in outside:
        console.print(Text(sentence))
    if verbose:
        for plugin in registry.plugins:
            if plugin.trace:
                console.print(Text(f"\n{plugin.name} ({plugin.module}):\n{plugin.trace}"))
    return 1 if outside or registry.doubled() or any(p.state == "broken" for p in registry.plugins) else 0
