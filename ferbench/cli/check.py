"""`ferbench check`: does a component keep the rules?"""

from __future__ import annotations

import rich_click as click

from ferbench.cli.options import plugin_option
from ferbench.errors import UnknownName


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
    from ferbench.testing.checks import checks_of

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
    click.echo(f"{broken} broken." if broken else "All hold.")
    return 1 if broken else 0
