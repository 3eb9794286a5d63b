"""`ferbench check`: does a component keep the rules?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich_click as click

from ferbench.cli.options import plugin_option
from ferbench.errors import UnknownName

if TYPE_CHECKING:
    from ferbench.cards import MethodCard
    from ferbench.registry.loader import Registry


@click.command("check")
@click.option("--only", metavar="CHECK", help="Run the checks whose name begins so.")
@plugin_option
@click.argument("name")
def command(name: str, only: str | None, plugins: tuple[str, ...]) -> int:
    """Hold a method, backbone or dataset to the rules of its interface.

    \b
    ferbench check degan
    ferbench check --plugin mine.py mine

    A dataset that needs a folder is checked by its adapter's own tests. Exit status 1 where a rule is broken.
    """
    from ferbench import cards
    from ferbench.registry.loader import load_registry

    registry = load_registry(plugins)
    kinds = (cards.MethodCard, cards.BackboneCard, cards.DatasetCard)
    known = {n: k.kind for k in kinds for n in registry.catalogue(k)}
    if name not in known:
        raise UnknownName("method, backbone or dataset", name, known, hint=registry.broken_hint())
    from ferbench.testing import checks_of

    broken = 0
    for check in checks_of(known[name], name, registry):
        if only and not str(check).startswith(only):
            continue
        try:
            check.run()
        except Exception as error:
            broken += 1
            reason = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
            click.echo(f"BROKEN  {check}: {reason}")
        else:
            click.echo(f"holds   {check}")
    if known[name] == cards.MethodCard.kind and not only and not broken:
        _tell_obstacles(registry, registry.get(cards.MethodCard, name))
    click.echo(f"{broken} broken." if broken else "All hold.")
    return 1 if broken else 0


def _tell_obstacles(registry: Registry, card: MethodCard) -> None:
    """Say which stages are recorded as graphs on a GPU."""
    from ferbench.testing import make_method
    from ferbench.testing.graphs import obstacles

    for stage, why in obstacles(card, lambda: make_method(registry, card)).items():
        click.echo(
            f"note    {why}"
            if why
            else f"note    Nothing in stage '{stage}' stands in the way of recording it as a graph."
        )
