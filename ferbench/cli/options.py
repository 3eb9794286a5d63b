"""What several subcommands share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import rich_click as click

from ferbench.errors import FerbenchError, UnknownName, enumerate_first, printable

plugin_option = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    metavar="FILE.py",
    help="Load a Python file as a plugin, without packaging it. May be repeated.",
)
folders_argument = click.argument("folders", nargs=-1, metavar="[DIR]...", type=click.Path(file_okay=False))
"""Results folders; by default `results`."""

dataset_option = click.option("--dataset", metavar="NAME", help="Only this dataset.")
method_option = click.option("--method", metavar="NAME", help="Only this method, with its ablations.")
include_ablations_option = click.option(
    "--include-ablations", is_flag=True, help="Also show variants that are not the full method."
)
baseline_option = click.option(
    "--baseline", metavar="METHOD", help="Show each row's difference in accuracy to this method, with interval."
)
reported_option = click.option(
    "--reported", "with_reported", is_flag=True, help="Show what papers report on the same data, unranked."
)


def say(sentence: str) -> None:
    """On stderr, beside what a command prints."""
    click.echo(printable(sentence, lines=True), err=True)


def by_beginning(kind: str, start: str, names: Iterable[str]) -> str:
    """The one name that begins with `start`.

    Raises:
        FerbenchError: none does, or several.
    """
    known = sorted(names)
    found = [name for name in known if name.startswith(start)]
    if not found:
        raise UnknownName(kind, start, known)
    if len(found) > 1:
        raise FerbenchError(
            f"'{start}' is the beginning of {len(found)} {kind}s: {enumerate_first(found)}; write more of it."
        )
    return found[0]


def complete_overrides(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    """Hydra's own completion of overrides: groups, options of a group, settings."""
    from click.shell_completion import CompletionItem

    from ferbench.config.compose import complete
    from ferbench.registry.loader import load_registry

    given = list(ctx.params.get("overrides") or ())
    prefix = ""
    if given and given[-1] == "=":  # bash breaks words at '='
        prefix = f"{given[-2]}="
        given = given[:-2]
    elif incomplete == "=" and given:
        prefix, incomplete = f"{given[-1]}=", ""
        given = given[:-1]
    found = complete(load_registry(), given, prefix + incomplete)
    return [CompletionItem(item.removeprefix(prefix)) for item in found]
