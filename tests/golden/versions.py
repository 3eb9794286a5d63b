"""Which version stands for a component's arithmetic, and where it is raised."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from ferbench.cards import KINDS, Card
from ferbench.plan.identity import CORE_VERSION
from ferbench.registry.loader import load_registry

CORE = "core"
"""The kind of what belongs to no card: data path, loop, judges, a whole trial."""

REPOSITORY = Path(__file__).parents[2]
CORE_PLACE = "CORE_VERSION in ferbench/plan/identity.py"


def core_version() -> int:
    return CORE_VERSION


def card(kind: str, name: str) -> Card:
    """The card of an installed component, by the word for its kind ("method")."""
    return load_registry().get(next(k for k in KINDS if k.kind == kind), name)


def version(kind: str, name: str) -> int:
    return core_version() if kind == CORE else card(kind, name).version


def place(kind: str, name: str) -> str:
    """What has to be raised: "`version` of the card of method 'grl' (plugins/ferbench_baselines/plugin.py)"."""
    if kind == CORE:
        return CORE_PLACE
    module = load_registry().owner(card(kind, name)).module
    __import__(module)
    file = Path(inspect.getfile(sys.modules[module])).resolve()
    shown = file.relative_to(REPOSITORY) if file.is_relative_to(REPOSITORY) else file
    return f"`version` of the card of {kind} '{name}' ({shown})"
