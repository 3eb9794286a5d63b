"""What stays light, and what is public. Which way imports go is held by the contracts of import-linter in pyproject.toml."""

from __future__ import annotations

import ast
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import ferbench

ROOT = Path(ferbench.__file__).parent
HEAVY = ("ferbench.metrics", "ferbench.blocks", "ferbench.testing", "ferbench.training", "ferbench.interfaces.method",
         "ferbench.interfaces.backbone", "ferbench.interfaces.replicas", "ferbench.data.batches", "ferbench.data.samplers",
         "ferbench.evaluation",
         "ferbench.execution.trial", "ferbench.execution.setup", "ferbench.execution.provenance", "ferbench.execution.estimate",
         "ferbench.execution.gradients", "ferbench.execution.reevaluate", "ferbench.execution.replicas", "ferbench.execution.sound",
         "ferbench.execution.training")  # fmt: skip
"""Modules and packages that may import torch; every other module of the core may not."""

PUBLIC = (
    "api",
    "blocks",
    "cards",
    "cores",
    "errors",
    "expressions",
    "files",
    "hashing",
    "hookspecs",
    "interfaces",
    "metrics",
    "tables",
    "testing",
)
"""What a plugin may import besides `ferbench` itself."""


def light_modules() -> list[str]:
    names = [".".join(p.relative_to(ROOT.parent).with_suffix("").parts) for p in sorted(ROOT.rglob("*.py"))]
    names = [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]
    return [name for name in names if not any(name == heavy or name.startswith(f"{heavy}.") for heavy in HEAVY)]


def test_the_light_part_imports_no_torch() -> None:
    code = f"import importlib, sys\nfor name in {light_modules()!r}: importlib.import_module(name)\nprint('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_planning_a_study_imports_no_torch() -> None:
    code = """
import sys
from ferbench.config.compose import compose
from ferbench.plan.study import plan
from ferbench.registry.loader import load_registry
registry = load_registry()
study = plan(registry, compose(registry, ["method=degan", "ablation=all", "dataset.subjects=10"]))
print(len(study.trials), "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["90", "False"]


def test_every_room_is_public_or_private() -> None:
    """Plugins may import the first; the second is the list of the contract `public` in pyproject.toml."""
    contracts = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    private = next(c["forbidden_modules"] for c in contracts if c["id"] == "public")
    rooms = {f"ferbench.{name}" for _, name, _ in pkgutil.iter_modules([str(ROOT)])} - {"ferbench.__main__"}
    assert rooms == {*private, *(f"ferbench.{name}" for name in PUBLIC)}


def test_every_shipped_plugin_is_under_the_contracts() -> None:
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())
    plugins = {path.name for path in (ROOT.parent / "plugins").iterdir() if (path / "plugin.py").is_file()}
    contracts = {c["id"]: c for c in project["tool"]["importlinter"]["contracts"]}
    assert set(contracts["core"]["forbidden_modules"]) == plugins
    assert set(contracts["public"]["source_modules"]) == plugins
    assert set(contracts["plugins"]["modules"]) == plugins - {"ferbench_derl"}
    assert set(contracts["derl"]["modules"]) == plugins - {"ferbench_degan"}


def test_every_hook_is_documented() -> None:
    from ferbench import hookspecs

    hooks = [getattr(hookspecs, name) for name in dir(hookspecs) if name.startswith("ferbench_")]
    assert hooks
    assert all(hook.__doc__ for hook in hooks)


def test_public_names_can_be_imported() -> None:
    for name in ferbench.__all__:
        assert getattr(ferbench, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        ferbench.Nothing  # noqa: B018


def strings_of(path: Path) -> set[object]:
    return {n.value for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Constant)}


def test_the_core_knows_no_component_by_name() -> None:
    """No string of the core is the name of a plugin's dataset, backbone, method or detector. `table` is also a kind of output,
    and `folders` an argument of the command line."""
    from ferbench.registry.loader import load_registry

    plugins = [plugin for plugin in load_registry().plugins if plugin.name != "core"]
    names = {card.name for plugin in plugins for card in plugin.cards} - {"table", "folders"}
    found = {str(path.relative_to(ROOT)): strings_of(path) & names for path in ROOT.rglob("*.py")}
    assert {path: strings for path, strings in found.items() if strings} == {}
