"""`ferbench datasets`: which there are and how to obtain them; `check` holds a copy against the published counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

from ferbench.cli.options import plugin_option, say
from ferbench.config.overrides import quoted
from ferbench.errors import FerbenchError, enumerate_first

if TYPE_CHECKING:
    from ferbench.registry.loader import Registry


@click.group("datasets", invoke_without_command=True)
@plugin_option
@click.pass_context
def command(context: click.Context, plugins: tuple[str, ...]) -> None:
    """List datasets with licence, source and classes, or check a copy of one.

    \b
    ferbench datasets
    ferbench datasets check oulu dataset.root=/data/OuluCASIA
    """
    if context.invoked_subcommand is not None:
        return
    from ferbench.registry.loader import load_registry

    print_datasets(load_registry(plugins))


def print_datasets(registry: Registry) -> None:
    """Every dataset with its classes, protocol, licence, source and plugin."""
    from ferbench.cards import DatasetCard

    for card in registry.catalogue(DatasetCard).values():
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
        click.echo(f"    plugin    {registry.owner(card).origin}")


@command.command("check")
@plugin_option
@click.argument("name")
@click.argument("settings", nargs=-1, metavar="dataset.root=DIR [KEY=VALUE]...")
def check(name: str, settings: tuple[str, ...], plugins: tuple[str, ...]) -> int:
    """Compare a copy of a dataset with what is published: counts, missing and damaged frames, and its protocol.

    \b
    ferbench datasets check oulu dataset.root=/data/OuluCASIA

    Exit status: 0 where the copy is as published, 1 where it is not, 2 where it cannot be read.
    """
    from ferbench.audit.datasets import take
    from ferbench.cards import DatasetCard
    from ferbench.config.compose import compose
    from ferbench.registry.loader import load_registry

    registry = load_registry(plugins)
    card = registry.get(DatasetCard, name)
    overrides = [f"dataset={name}"]
    given = set()
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise FerbenchError(f"'{setting}' is not a setting; write dataset.root=DIR or another key=value.")
        if key in card.setting_names:
            raise FerbenchError(f"Settings of a dataset begin with its kind: write dataset.{setting}.")
        given.add(key)
        overrides.append(f"{key}={quoted(value)}" if key == "dataset.root" else setting)
    if "allow_incomplete" in card.setting_names and "dataset.allow_incomplete" not in given:
        overrides.append("dataset.allow_incomplete=true")
    (config,) = compose(registry, overrides, method_needed=False, tell=say)
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
