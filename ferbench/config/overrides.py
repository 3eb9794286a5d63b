"""Overrides as text: values written so that Hydra reads them back, and the command that makes a record again."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ferbench.config.groups import GROUPS
from ferbench.config.schema import SECTIONS
from ferbench.errors import FerbenchError
from ferbench.records.schema import Trial
from ferbench.registry.loader import Registry


def quoted(text: str) -> str:
    """Text as Hydra takes any text: in quotes, where it holds more than names are made of.

    >>> quoted("/data/CK+"), quoted("resnet18"), quoted("")
    ("'/data/CK+'", 'resnet18', "''")
    """
    if text and all(c.isalnum() or c in "_-./:" for c in text):
        return text
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def formatted(value: Any) -> str:
    """A value of a setting as an override states it.

    >>> formatted([True, 0.5, "a b"])
    "[true,0.5,'a b']"
    """
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(formatted, value))}]"
    return str(value)


def component_words(group: str, node: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    """`group=name`, and `group.key=value` for every setting that is not at its default.

    >>> component_words("method", {"name": "degan", "lr": 0.1, "r1": 0.0}, {"r1": 0.0})
    ['method=degan', 'method.lr=0.1']
    """
    settings = {k: v for k, v in node.items() if k != "name" and (k not in defaults or defaults[k] != v)}
    return [f"{group}={node['name']}", *(f"{group}.{k}={formatted(v)}" for k, v in settings.items())]


def command_of(registry: Registry, trial: Trial) -> str:
    """`ferbench run ...` with every setting that differs from its default, and fold and seed."""
    words = [f"--plugin {quoted(str(file))}" for file in trial.plugin_files]
    for group, kind in GROUPS.items():
        node = {k: v for k, v in (trial.config.get(group) or {}).items() if k != "folds"}
        if not node:
            continue
        try:
            defaults = registry.get(kind, node["name"]).defaults()
        except FerbenchError:  # its plugin is gone: all settings are written
            defaults = {}
        words += component_words(group, node, defaults)
    words.append(f"protocol.folds={trial.fold}")
    for section, settings in SECTIONS.items():
        plain: dict[str, Any] = dataclasses.asdict(settings())
        node = {k: v for k, v in trial.config.get(section, {}).items() if k != "name" and plain.get(k) != v}
        words += [f"{section}.{k}={formatted(v)}" for k, v in node.items()]
    words.append(f"seeds={trial.seed}")
    if trial.config["results_dir"] != "results":
        words.append(f"results_dir={quoted(trial.config['results_dir'])}")
    return " ".join(["ferbench run", *words])
