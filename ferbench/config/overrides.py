"""Overrides as text: values written so that Hydra reads them back, and the command that makes a record again."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_type_hints

from ferbench.config.groups import GROUPS, PRESETS
from ferbench.config.schema import SECTIONS, RunConfig
from ferbench.errors import FerbenchError
from ferbench.records.schema import Trial
from ferbench.registry.loader import Registry

_OVERRIDE = re.compile(r"(?P<sign>\+{0,2})(?P<key>[\w.]+)=(?P<value>.+)", re.DOTALL)
_BARE = re.compile(r"[A-Za-z_./][\w./:-]*", re.ASCII)
_WORDS = frozenset({"true", "false", "null", "inf", "nan"})


def quoted(text: str) -> str:
    """Text as Hydra takes any text: in quotes, where it holds more than names are made of. Nothing in it is replaced by a value.

    >>> quoted("/data/CK+"), quoted("resnet18"), quoted(""), quoted("${HOME}")
    ("'/data/CK+'", 'resnet18', "''", "'\\\\${HOME}'")
    """
    if _BARE.fullmatch(text) and text.lower() not in _WORDS:
        return text
    literal = re.sub(r"(\\*)\$\{", lambda match: f"{match[1] * 2}\\${{", text)
    escaped = re.sub(r"(\\*)('|\Z)", lambda match: match[1] * 2 + ("\\'" if match[2] else ""), literal)
    return f"'{escaped}'"


def texts_quoted(registry: Registry, words: Sequence[str], sweep: bool = False) -> list[str]:
    """Overrides with the values of settings that are texts, such as paths, in quotes, so that each is taken as it was typed.

    Args:
        words: the overrides. A value that is in quotes already stays as it is.
        sweep: whether a value may be several values, which stay as they are.
    """
    chosen = _chosen(words)
    found = []
    for word in words:
        match = _OVERRIDE.fullmatch(word)
        if match and is_text(registry, match["key"], chosen) and not _stays(match["value"], sweep):
            word = f"{match['sign']}{match['key']}={quoted(match['value'])}"
        found.append(word)
    return found


def as_registered(registry: Registry, words: Sequence[str]) -> list[str]:
    """Overrides in which a component that is named DISTRIBUTION/NAME has the name that it is registered by: NAME, where no other
    plugin has it.

    Raises:
        FerbenchError: there is no such component.
    """
    found = []
    for word in words:
        key, equals, value = word.partition("=")
        kind = GROUPS.get(key.lstrip("+"))
        if kind is not None and "/" in value:
            names = (registry.typed(registry.get(kind, name.strip("'\" "))) for name in value.split(","))
            word = f"{key}{equals}{','.join(names)}"
        found.append(word)
    return found


def is_text(registry: Registry, key: str, chosen: Mapping[str, str]) -> bool:
    """Whether a setting has the type str.

    Args:
        key: such as "dataset.root" or "results_dir".
        chosen: name of the component by group. A setting of another group is a text if it is one in every component that has it.
    """
    group, _, name = key.partition(".")
    if not name:
        return get_type_hints(RunConfig).get(key) is str
    if group in SECTIONS:
        return get_type_hints(SECTIONS[group]).get(name) is str
    if group not in GROUPS:
        return False
    cards = registry.catalogue(GROUPS[group])
    asked = [cards[chosen[group]]] if chosen.get(group) in cards else list(cards.values())
    kinds = [get_type_hints(card.schema)[name] for card in asked if name in card.setting_names]
    return bool(kinds) and all(kind is str for kind in kinds)


def _chosen(words: Iterable[str]) -> dict[str, str]:
    pairs = (word.lstrip("+").partition("=") for word in words)
    return {key: name.strip("'\" ") for key, _, name in pairs if key in GROUPS}


def _stays(value: str, sweep: bool) -> bool:
    """Whether Hydra reads a value as it is meant: text in quotes, or several values of a sweep."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import QuotedString
    from hydra.errors import HydraException

    if value[0] not in "'\"" and not sweep:
        return False
    try:
        parsed = OverridesParser.create().parse_override(f"key={value}")
    except HydraException:
        return False
    return isinstance(parsed._value, QuotedString) or (sweep and parsed.is_sweep_override())


def formatted(value: Any) -> str:
    """A value of a setting as an override states it.

    >>> formatted([True, 0.5, "a b"])
    "[true,0.5,'a b']"
    """
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    if isinstance(value, str | os.PathLike):
        return quoted(os.fspath(value))
    if isinstance(value, list | tuple):
        return f"[{','.join(map(formatted, value))}]"
    return str(value)


def component_words(group: str, node: Mapping[str, Any]) -> list[str]:
    """`group=name`, and `group.key=value` for every setting.

    >>> component_words("method", {"name": "degan", "lr": 0.1})
    ['method=degan', 'method.lr=0.1']
    """
    return [f"{group}={node['name']}", *(f"{group}.{k}={formatted(v)}" for k, v in node.items() if k != "name")]


def words_of(settings: Mapping[str, Any], within: str = "") -> list[str]:
    """Settings as overrides. A mapping is a component or a section: its `name` is what is chosen, the rest are settings.

    Args:
        within: the setting that they belong to, with a dot.

    >>> from pathlib import Path
    >>> words_of({"method": {"name": "degan", "lr": 0.1}, "dataset.root": Path("/data/CK+"), "seeds": [0, 1]})
    ['method=degan', 'method.lr=0.1', "dataset.root='/data/CK+'", 'seeds=[0,1]']
    >>> words_of({"method": ["degan", "derl"]})
    ['method=degan,derl']
    """
    words = []
    for name, value in settings.items():
        key = f"{within}{name}"
        if key == "study":
            words.append(f"study={os.fspath(value)}")
        elif isinstance(value, Mapping):
            words += words_of({key: value["name"]} if "name" in value else {})
            words += words_of({k: v for k, v in value.items() if k != "name"}, f"{key}.")
        elif key in (*GROUPS, *PRESETS) and isinstance(value, list | tuple):
            words.append(f"{key}={','.join(map(formatted, value))}")
        else:
            words.append(f"{key}={formatted(value)}")
    return words


def command_of(registry: Registry, trial: Trial) -> str:
    """`ferbench run ...` with every setting that differs from its default, and fold and seed, as words of a shell."""
    words = [part for file in trial.plugin_files for part in ("--plugin", str(file))]
    nodes = {group: {k: v for k, v in (trial.config.get(group) or {}).items() if k != "folds"} for group in GROUPS}
    chosen = {group: str(node["name"]) for group, node in nodes.items() if node}

    def add(key: str, value: Any) -> None:
        bare = isinstance(value, str) and value and is_text(registry, key, chosen) and not _stays(value, sweep=False)
        words.append(f"{key}={value if bare else formatted(value)}")

    for group, name in chosen.items():
        try:
            defaults = registry.get(GROUPS[group], name).defaults()
        except FerbenchError:  # its plugin is gone: all settings are written
            defaults = {}
        words.append(f"{group}={name}")
        for key, value in nodes[group].items():
            if key != "name" and (key not in defaults or defaults[key] != value):
                add(f"{group}.{key}", value)
    words.append(f"protocol.folds={trial.fold}")
    for section, settings in SECTIONS.items():
        plain: dict[str, Any] = dataclasses.asdict(settings())
        for key, value in trial.config.get(section, {}).items():
            if key != "name" and plain.get(key) != value:
                add(f"{section}.{key}", value)
    words.append(f"seeds={trial.seed}")
    if trial.config["results_dir"] != "results":
        add("results_dir", trial.config["results_dir"])
    return shlex.join(["ferbench", "run", *words])
