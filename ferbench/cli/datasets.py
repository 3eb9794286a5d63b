"""`ferbench datasets`: which there are and how to obtain them; `check` holds a copy against the published counts."""

from __future__ import annotations

from typing import Any

import rich_click as click

from ferbench.cli.options import plugin_option
from ferbench.config import quoted
from ferbench.errors import FerbenchError, enumerate_first


@click.group("datasets", invoke_without_command=True)
@plugin_option
@click.pass_context
def command(context: click.Context, plugins: tuple[str, ...]) -> None:
    """List datasets with licence, source and classes, or check a copy of one.

    \b
    ferbench datasets
    ferbench datasets check oulu root=/data/OuluCASIA
    """
    if context.invoked_subcommand is not None:
        return
    from ferbench.cards import DatasetCard
    from ferbench.registry import load_registry

    for card in load_registry(plugins).catalogue(DatasetCard).values():
        click.secho(card.name, bold=True, nl=False)
        click.echo(f"  {card.title}")
        if card.expressions:
            click.echo(f"    classes   {', '.join(card.expressions)}")
        click.echo(f"    has       {', '.join(sorted(card.provides)) or 'what its file has'}")
        click.echo(f"    protocol  {card.protocol}, frames {card.frames}")
        if card.licence:
            click.echo(f"    licence   {card.licence}")
        if card.obtain:
            click.echo(f"    from      {card.obtain}")
        if card.paper:
            click.echo(f"    paper     {card.paper}")


@command.command("check")
@plugin_option
@click.argument("name")
@click.argument("settings", nargs=-1, metavar="root=DIR [key=value]...")
def check(name: str, settings: tuple[str, ...], plugins: tuple[str, ...]) -> int:
    """Compare a copy of a dataset with what is published: counts, missing and damaged frames, and its protocol.

    Exit status: 0 where the copy is as published, 1 where it is not, 2 where it cannot be read.
    """
    from ferbench.cards import DatasetCard
    from ferbench.config import compose
    from ferbench.inventory import take
    from ferbench.registry import load_registry

    registry = load_registry(plugins)
    card = registry.get(DatasetCard, name)
    overrides = [f"dataset={name}"]
    given = set()
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise FerbenchError(f"'{setting}' is no setting; write root=DIR or another key=value.")
        given.add(key)
        overrides.append(f"dataset.{key}={quoted(value)}" if key in card.setting_names else setting)
    if "allow_incomplete" in card.setting_names and "allow_incomplete" not in given:
        overrides.append("dataset.allow_incomplete=true")
    (config,) = compose(registry, overrides, method_needed=False)
    found = take(registry, config)
    click.secho(card.title, bold=True)
    width = max(len(what) for what, _, _ in found.counts)
    click.echo(f"  {'':{width}}  {'here':>8}  {'published':>9}")
    for what, here, published in found.counts:
        text = f"  {what:{width}}  {here:>8}  {'-' if published is None else published:>9}"
        if published is not None and here != published:
            text += f"  {abs(here - published)} {'missing' if here < published else 'more'}"
        click.echo(text)
    if found.source:
        click.echo(f"  published: {found.source}.")
    _list("missing", found.missing, f"{len(found.missing)} of subject x expression")
    for sentence in found.passed_over:
        click.echo(f"  not as it should be: {sentence}")
    _list("damaged", list(found.damaged.values()), f"{len(found.damaged)} of {found.read} frames")
    if not found.damaged:
        click.echo(f"  All {found.read} frames that count, and neutral faces, can be read.")
    click.echo(f"  Protocol {found.protocol}.")
    if found.source:
        click.echo("As published." if found.as_published else "Not as published.")
    else:
        click.echo("No published counts are known to compare with.")
    return 0 if found.as_published else 1


def _list(what: str, items: Any, count: str) -> None:
    if items:
        click.echo(f"  {what}: {count}: {enumerate_first(items)}.")
