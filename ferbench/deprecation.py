"""How public names, settings and the plugin interface change without breaking those who use them (docs/deprecations.md)."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ferbench import cards

CHANGES: Mapping[int, str] = {}
"""Version of the plugin interface -> what the author of a plugin changes to reach it from the version before."""

RENAMED_SETTINGS: Mapping[str, str] = {
    "evaluation.looks": "evaluation.test_curve_points",
}
"""Former name of a setting -> its present name."""

RENAMED_COMMANDS: Mapping[str, str] = {
    "report": "site --output report",
}
"""Former name of a command -> its present name, with the options that were its defaults."""

_OVERRIDE = re.compile(r"(?P<sign>[+~]{0,2})(?P<key>[\w.]+)(?P<rest>(=.*)?)", re.DOTALL)


class OutdatedPlugin(FutureWarning):
    """A plugin was written for an older interface that is still supported. Shown by default, unlike DeprecationWarning."""


def renamed(module: str, name: str, names: Mapping[str, str]) -> Any:
    """A public object by its former name, with a DeprecationWarning; the body of a module's `__getattr__` (PEP 562).

        def __getattr__(name):
            return renamed(__name__, name, {"Face": "ferbench.interfaces.detector:DetectedFace"})

    Args:
        module: the module that is asked.
        name: what it is asked for.
        names: former name -> "package.module:Name" of the object.

    Raises:
        AttributeError: `name` is not a former name.
    """
    if name not in names:
        raise AttributeError(f"module '{module}' has no attribute '{name}'")
    source, _, present = names[name].partition(":")
    warnings.warn(f"{module}.{name} is now {source}.{present}.", DeprecationWarning, stacklevel=3)
    return getattr(importlib.import_module(source), present)


def rename_overrides(words: Iterable[str]) -> tuple[list[str], list[str]]:
    """Overrides of the command line with the present names of settings, and a sentence for each that had a former one.

    >>> rename_overrides(["seeds=[0]", "evaluation.looks=5"])[0]
    ['seeds=[0]', 'evaluation.test_curve_points=5']
    """
    present, sentences = [], []
    for word in words:
        found = _OVERRIDE.fullmatch(word)
        if found and (name := RENAMED_SETTINGS.get(found["key"])):
            sentences.append(
                f"The setting '{found['key']}' is now called '{name}'; the former name will be refused later."
            )
            word = f"{found['sign']}{name}{found['rest']}"
        present.append(word)
    return present, sentences


def rename_command(words: Sequence[str]) -> tuple[list[str], str]:
    """A command with its arguments under its present name, and a sentence if it had a former one.

    >>> rename_command(["report", "results"])[0], rename_command(["run"])
    (['site', '--output', 'report', 'results'], (['run'], ''))
    """
    if not words or words[0] not in RENAMED_COMMANDS:
        return list(words), ""
    present = RENAMED_COMMANDS[words[0]]
    sentence = f"'ferbench {words[0]}' is now called 'ferbench {present}'; the former name will be refused later."
    return [*present.split(), *words[1:]], sentence


def outdated(plugin: str, given: Sequence[cards.Card]) -> str:
    """What the author of a plugin has to change because its cards state an older interface; empty if none does.

    Args:
        plugin: its name and distribution, for the sentence.
    """
    oldest = min((card.api for card in given), default=cards.API)
    if oldest >= cards.API:
        return ""
    steps = " ".join(CHANGES[version] for version in range(oldest + 1, cards.API + 1) if version in CHANGES)
    return (
        f"The plugin {plugin} was written for plugin interface {oldest}; this ferbench has {cards.API} and still loads it. "
        f"Its authors bring it up to date so: {steps} Then its cards state api={cards.API}."
    )
