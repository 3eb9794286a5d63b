"""Commands of plugins: `ferbench mytool`, by a `CommandCard`."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import rich_click as click
from click.exceptions import Exit

from ferbench.errors import FerbenchError, printable

if TYPE_CHECKING:
    from ferbench.cards import CommandCard
    from ferbench.registry.loader import Plugin, Registry

PANEL = "Commands of plugins"
FAILED = 1


class Outside(click.RichCommand):
    """A command of a plugin: its function gets all words behind the command's name, `--help` among them."""

    def __init__(self, name: str, card: CommandCard, plugin: Plugin) -> None:
        super().__init__(name=name, help=printable(card.title), panel=PANEL, add_help_option=False)
        self._card, self._plugin = card, plugin

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.args = list(args)
        return []

    def invoke(self, ctx: click.Context) -> Any:
        return call(self._card, self._plugin, ctx.args)


def named(registry: Registry, core: Sequence[str]) -> dict[str, Outside]:
    """The commands of plugins by what is typed. Those whose name one of the core's has are left out."""
    from ferbench.cards import CommandCard

    found = {}
    for name, card in registry.catalogue(CommandCard).items():
        typed = _typed(name)
        if typed not in core:
            found[typed] = Outside(typed, card, registry.owner(card))
    return found


def clashes(registry: Registry, core: Sequence[str]) -> list[str]:
    """A sentence for each command of a plugin that has the name of another one."""
    from ferbench.cards import CommandCard

    found = []
    for (kind, name), owners in registry.owners.items():
        if kind != CommandCard.kind:
            continue
        typed, origins = _typed(name), [f"'{plugin.name}' ({plugin.origin})" for plugin in owners]
        if typed in core:
            found += [
                f"The plugin {origin} has a command '{typed}', which is one of ferbench's own." for origin in origins
            ]
        elif len(owners) > 1:
            choices = " or ".join(sorted({f"ferbench {plugin.distribution}/{typed}" for plugin in owners}))
            found.append(
                f"Two plugins have a command '{typed}': {' and '.join(origins)}. Write {choices}, or uninstall one of them."
            )
    return found


def call(card: CommandCard, plugin: Plugin, words: Sequence[str]) -> int:
    """Import the function and call it. Gives the exit status.

    Raises:
        FerbenchError: it is not there, raises a FerbenchError, or returns something else than an exit status.
        SystemExit: it ends the process.
    """
    what = f"The command '{_typed(card.name)}' of plugin '{plugin.name}' ({plugin.origin})"
    try:
        status = _function(card, what)(list(words))
    except (FerbenchError, click.ClickException, click.Abort, Exit, BrokenPipeError):
        raise
    except Exception as error:
        traceback.print_exc()
        sentence = f"{what} failed: {type(error).__name__}: {error}"
        click.echo(f"Error: {printable(sentence, lines=True)}", err=True)
        return FAILED
    if status is None:
        return 0
    if type(status) is not int:
        raise FerbenchError(f"{what} returned {status!r}; it has to return its exit status, or None for 0.")
    return status


def _function(card: CommandCard, what: str) -> Any:
    try:
        return card.load()
    except SystemExit as stop:
        raise FerbenchError(f"{what} could not be imported: its module ended the process (sys.exit).") from stop


def _typed(name: str) -> str:
    """As it is typed: 'my-tool', or 'DIST/my-tool' where two plugins have one of the name."""
    distribution, slash, own = name.rpartition("/")
    return f"{distribution}{slash}{own.replace('_', '-')}"
