"""The examples in docstrings are run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

PACKAGES = ("ferbench.evaluation.measures", "ferbench.metrics", "ferbench.blocks")
MODULES = [
    "ferbench.cards",
    "ferbench.config.overrides",
    "ferbench.deprecation",
    "ferbench.extras",
    "ferbench.factors",
    "ferbench.protocols.splitfile",
    "ferbench.ranking.statistics",
    "ferbench.tables",
    "ferbench_slurm.cluster",
    "ferbench_slurm.submission",
] + [
    f"{package}.{module.name}"
    for package in PACKAGES
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__)
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.failed == 0, f"python -m doctest -v {name} shows what came out"


@pytest.mark.parametrize("name", [m for m in MODULES if not m.endswith((".base", ".synthesis"))])
def test_every_module_has_an_example(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).attempted > 0
