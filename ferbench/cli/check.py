"""`ferbench check`: does a component keep the rules?"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import rich_click as click

from ferbench.cli.options import plugin_option, say
from ferbench.errors import FerbenchError, UnknownName, a, enumerate_first

if TYPE_CHECKING:
    from ferbench.cards import Card, MethodCard
    from ferbench.registry.loader import Registry
    from ferbench.testing.findings import Finding


@click.command("check")
@click.option("--only", metavar="CHECK", help="Run the checks whose name begins so.")
@plugin_option
@click.argument("words", nargs=-1, required=True, metavar="[KIND=]NAME [SETTING=VALUE]...")
def command(words: tuple[str, ...], only: str | None, plugins: tuple[str, ...]) -> int:
    """Hold a method, dataset, backbone, protocol, evaluator, executor or tracker to the rules of its interface.

    \b
    ferbench check degan
    ferbench check --plugin mine.py mine
    ferbench check yale root=/data/yale
    ferbench check dataset=yale dataset.root=/data/yale      the same, as in ferbench run

    What is said of each broken rule: what is wrong, in which variants of a method, and what to do. Exit status 1 where a rule is
    broken.
    """
    from ferbench.cards import MethodCard
    from ferbench.registry.loader import load_registry

    registry = load_registry(plugins)
    kind, name, settings = component_of(registry, words)
    from ferbench.testing.checks import checks_of
    from ferbench.testing.findings import findings

    checks = [c for c in checks_of(kind, name, registry, settings) if not only or str(c).startswith(only)]
    if not checks:
        raise UnknownName("check", only, {c.name for c in checks_of(kind, name, registry, settings)})
    variants = len({c.component for c in checks})
    found = []
    told: set[str] = set()
    for finding in findings(checks):
        found.append(finding)
        _tell(finding, variants, told)
    broken = sum(bool(finding.broken) for finding in found)
    if kind == MethodCard.kind and not only and not broken:
        _tell_obstacles(registry, registry.get(MethodCard, name), settings)
    if broken:
        click.echo(f"{broken} of {len(found)} rules broken.")
    else:
        not_tried = sum(not finding.held for finding in found)
        click.echo(f"All hold{f'; {not_tried} could not be tried' if not_tried else ''}.")
    return 1 if broken else 0


def component_of(registry: Registry, words: Sequence[str]) -> tuple[str, str, dict[str, Any]]:
    """Which component is meant: its kind, its name, and the settings that are given.

    Args:
        words: NAME or KIND=NAME, and settings as KEY=VALUE or KIND.KEY=VALUE.

    Raises:
        FerbenchError: no component is named, several are, or several kinds have one of that name; or a setting is wrong.
        UnknownName: there is no such component or setting.
    """
    from ferbench.cards import KINDS, DetectorCard

    catalogues = {kind.kind: registry.catalogue(kind) for kind in KINDS if kind is not DetectorCard}
    named = [word for word in words if "=" not in word or word.partition("=")[0] in catalogues]
    if len(named) != 1:
        told = f"Several components are named: {', '.join(named)}" if named else "No component is named"
        raise FerbenchError(f"{told}. Write one, as NAME or as KIND=NAME, such as dataset=NAME, and then its settings.")
    first, equals, name = named[0].partition("=")
    kind = first
    if not equals:
        name = first
        having = [k for k, cards in catalogues.items() if name in set(_names(registry, cards))]
        if not having:
            known = {n for cards in catalogues.values() for n in cards}
            raise UnknownName("component", name, known, hint=registry.broken_hint())
        if len(having) > 1:
            raise FerbenchError(
                f"'{name}' is the name of {' and of '.join(map(a, having))}: write {' or '.join(f'{k}={name}' for k in having)}."
            )
        (kind,) = having
    return kind, name, _settings(registry, kind, name, [word for word in words if word not in named])


def _names(registry: Registry, cards: Mapping[str, Card]) -> Iterator[str]:
    """What the components of a catalogue may be called: by their names, with or without their distribution."""
    for name, card in cards.items():
        yield from (name, card.name, f"{registry.owner(card).distribution}/{card.name}")


def _settings(registry: Registry, kind: str, name: str, words: Sequence[str]) -> dict[str, Any]:
    """The settings of a component, with their types."""
    from ferbench.config.compose import compose
    from ferbench.config.groups import GROUPS

    if kind not in GROUPS and words:
        raise FerbenchError(f"A component of the kind {kind} has no settings; leave out {', '.join(words)}.")
    if kind not in GROUPS:
        return {}
    given = []
    for word in words:
        group, dot, _ = word.partition("=")[0].partition(".")
        if dot and group != kind:
            raise FerbenchError(f"'{word}' is no setting of {a(kind)}. Write {kind}.SETTING=VALUE, or SETTING=VALUE.")
        given.append(word if dot else f"{kind}.{word}")
    needed = [f for f in dataclasses.fields(registry.get(GROUPS[kind], name).settings) if _has_no_default(f)]
    if not given and not needed:
        return {}
    (config,) = compose(registry, [f"{kind}={name}", *given], method_needed=False, tell=say)
    return dict(getattr(config, kind).settings)


def _has_no_default(f: dataclasses.Field[Any]) -> bool:
    return f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING


def _tell(finding: Finding, variants: int, told: set[str]) -> None:
    """Say what a rule found, in one line for what is the same in several variants. `told`: reasons that were given already."""
    for sentence, components in finding.broken.items():
        click.echo(f"BROKEN     {finding.name}[{_in_words(components, variants)}]: {sentence}")
    if finding.broken:
        click.echo(f"           The rule: {finding.rule}\n           What to do: {finding.mend}")
    for reason, components in finding.not_tried.items():
        words = "for the same reason" if reason in told else reason
        told.add(reason)
        click.echo(f"not tried  {finding.name}[{_in_words(components, variants)}]: {words}")
    if finding.held:
        click.echo(f"holds      {finding.name}[{_in_words(finding.held, variants)}]")


def _in_words(components: Sequence[str], variants: int) -> str:
    if len(components) > 1 and len(components) == variants:
        return f"all {variants} variants"
    return enumerate_first(components, 3)


def _tell_obstacles(registry: Registry, card: MethodCard, settings: Mapping[str, Any]) -> None:
    """Say which stages are recorded as graphs on a GPU."""
    from ferbench.testing import make_method
    from ferbench.testing.graphs import obstacles

    for stage, why in obstacles(card, lambda: make_method(registry, card, dict(settings))).items():
        told = why or f"Nothing in stage '{stage}' stands in the way of recording it as a graph."
        click.echo(f"note       {told}")
