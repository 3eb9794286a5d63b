"""Error messages of Hydra and OmegaConf, rewritten as one sentence for the user."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ferbench.cards import ExecutorCard, MethodCard
from ferbench.config.groups import GROUPS, OPTIONAL, PRESETS, tree
from ferbench.config.schema import SECTIONS, RunConfig
from ferbench.errors import FerbenchError, UnknownName, not_a_choice
from ferbench.registry.loader import Registry


def _check_names(registry: Registry, parsed: Iterable[Any], config_name: str, config_dir: str | None = None) -> None:
    """Raise FerbenchError for overrides that name unknown components or presets, before Hydra reads them."""
    named = set()
    for override in parsed:
        key = override.key_or_group
        if key in GROUPS:
            if override.is_sweep_override():
                raise FerbenchError(
                    f"{override.input_line} has several values; add --multirun to run them all as one study."
                )
            named.add(key)
            if key not in OPTIONAL and (override.is_delete() or override.value() is None):
                raise FerbenchError(f"{override.input_line} leaves the run without {key}; write {key}=NAME.")
            if not override.is_delete() and override.value() not in (None, "???"):
                registry.get(GROUPS[key], str(override.value()))
        elif key.endswith(".name") and key.partition(".")[0] in GROUPS:
            group = key.partition(".")[0]
            raise FerbenchError(
                f"{key} cannot be set; write {group}={override.value()} instead of {override.input_line}."
            )
        elif key.startswith(("hydra/launcher", "hydra/sweeper")):
            raise FerbenchError(
                f"ferbench runs a sweep as one study, without Hydra's launchers and sweepers ({override.input_line}); "
                f"use executor=NAME. Known: {', '.join(registry.catalogue(ExecutorCard))}."
            )
        elif key in PRESETS and not override.is_sweep_override():
            folders = [tree() / key, *([Path(config_dir) / key] if config_dir else [])]
            known = [p.stem for folder in folders for p in folder.glob("*.yaml")]
            if override.value() not in known:
                raise UnknownName(key, override.value(), known)
        elif key in FORMER:
            raise FerbenchError(f"There is no setting '{key}'. {FORMER[key].format(value=override.value())}")
    if "method" not in named and config_name == "run":
        raise FerbenchError(f"Which method? Write method=NAME. Known: {', '.join(registry.catalogue(MethodCard))}.")


_KEY = re.compile(r"(?:Could not override '([^']+)'|Error merging override ([^\n=]+=[^\n]*))")


FORMER = {
    "seed": "Write seeds={value}, or several such as seeds=[0,1,2].",
    "experiment": "A bundle of runs is a study file: study=NAME (docs/reference/configuration.md).",
}
"""Settings that are gone, and what to write instead."""

_CHOICE = re.compile(r"Invalid value '([^']*)', expected one of \[([^\]]*)\]")


def _sentence(error: Exception, registry: Registry, parsed: Sequence[Any]) -> FerbenchError:
    """An error of Hydra or OmegaConf as one sentence: the override, what is wrong with it, and similar names."""
    match = _KEY.search(str(error))
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if match is None:
        key = getattr(error, "full_key", None)
        where = f"{key}: " if key else ""
        return FerbenchError(f"{where}{lines[0] if lines else type(error).__name__}")
    if choice := _CHOICE.search(f"{error}\n{error.__cause__ or ''}"):
        value, options = choice.group(1), choice.group(2).split(", ")
        key = (match.group(2) or match.group(1)).partition("=")[0].strip()
        return FerbenchError(not_a_choice(key, value, options))
    if match.group(2):
        cause = str(error.__cause__ or "").splitlines()
        reasons = [
            line
            for line in [*lines[1:], *cause]
            if not line.strip().startswith(("full_key", "reference_type", "object_type"))
        ]
        reason = reasons[0] if reasons else "the value has the wrong type"
        return FerbenchError(f"{match.group(2).strip()} is not possible: {reason[0].lower()}{reason[1:].rstrip('.')}.")
    key = match.group(1)
    known = _known_keys(registry, parsed)
    near = get_close_matches(key, known, 3, 0.6)
    parent = key.rpartition(".")[0]
    siblings = sorted(k for k in known if k.rpartition(".")[0] == parent)
    text = f"There is no setting '{key}'."
    if near:
        text += f" Did you mean {' or '.join(repr(n) for n in near)}?"
    if siblings:
        text += f" Known: {', '.join(siblings)}."
    return FerbenchError(text)


def _known_keys(registry: Registry, parsed: Sequence[Any]) -> list[str]:
    """All settings, with those of the chosen components; of a group without a choice, those of all its components."""
    chosen = {o.key_or_group: str(o.value()) for o in parsed if o.key_or_group in GROUPS and not o.is_sweep_override()}
    keys = [f.name for f in dataclasses.fields(RunConfig)]
    for name, section in SECTIONS.items():
        keys += [f"{name}.{f.name}" for f in dataclasses.fields(section)]
    for group, kind in GROUPS.items():
        cards = registry.catalogue(kind)
        card = cards.get(chosen.get(group, ""))
        keys += [f"{group}.{s}" for c in ([card] if card else cards.values()) for s in c.setting_names]
    return keys
