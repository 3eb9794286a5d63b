"""`ferbench new`: what it writes, and what it refuses."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ferbench.kit.package import KINDS, first_steps
from ferbench.records.store import Store
from tests.environments import Environment

Run = Callable[..., Any]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_does_what_its_readme_says(
    ferbench: Run, environment: Environment, tmp_path: Path, kind: str
) -> None:
    """Its commands are followed in a clean environment: it is installed, checked, run and tested, and then removed."""
    done = ferbench("new", kind, "mini-try", "--into", tmp_path)
    assert done.status == 0, done.err
    folder, before = tmp_path / "ferbench-mini-try", environment.files()
    installing, *commands = first_steps(folder)
    assert installing == "pip install --editable '.[test]'"
    environment.pip("install", "--no-deps", "--no-index", "--no-build-isolation", folder)
    told = {}
    for command in commands:
        words = command.split()
        module = words[2:] if words[0] == "python" else words
        told[" ".join(words[:2])] = environment.run("-m", *module, folder=folder)
    assert "All hold." in told["ferbench check"]
    records, damaged = Store(folder / "results").scan()
    assert not damaged
    assert len(records) == (4 if kind == "method" else 2), "two folds, of a method with its ablation"
    for record in records:
        assert "mini_try" in (record.metrics if kind == "evaluator" else {record.trial.config[kind]["name"]})
    assert " passed" in told["pytest"]
    if kind == "evaluator":
        assert "probability of the true expression" in told["ferbench leaderboard"]
    assert f"{kind} mini_try" in environment.run("-m", "ferbench", "plugins")
    environment.pip("uninstall", "--yes", "ferbench-mini-try")
    assert environment.files() == before
    assert "mini_try" not in environment.run("-m", "ferbench", "plugins")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_in_order(ferbench: Run, tmp_path: Path, kind: str) -> None:
    done = ferbench("new", kind, "a-rather-long-name-for-something-small", "--into", tmp_path)
    assert done.status == 0, done.err
    folder = tmp_path / "ferbench-a-rather-long-name-for-something-small"
    package = folder / "src" / "ferbench_a_rather_long_name_for_something_small"
    assert {path.name for path in package.iterdir()} >= {"__init__.py", "plugin.py", "py.typed", f"{kind}.py"}
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in written if "@" in path.name or path.suffix == ".tmpl"]
    assert not [path for path in written if re.search(r"@\w+@", path.read_text())]
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == folder.name
    assert project["entry-points"]["ferbench"] == {"a_rather_long_name_for_something_small": f"{package.name}.plugin"}
    assert yaml.safe_load((folder / ".github" / "workflows" / "test.yml").read_text())["jobs"]["test"]["steps"]
    for path in folder.rglob("*.py"):
        compile(path.read_text(), path, "exec")
    assert done.out.splitlines()[-len(first_steps(folder)) - 1].strip() == f"cd {folder}"


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_passes_ruff(ferbench: Run, tmp_path: Path, kind: str) -> None:
    ferbench("new", kind, "mine", "--into", tmp_path)
    ruff = [sys.executable, "-m", "ruff"]
    rules = ("--isolated", "--no-cache", "--line-length", "132")
    for words in (["check", *rules, "--select", "E,F,I,B,UP,SIM,RUF", "."], ["format", *rules, "--check", "."]):
        done = subprocess.run([*ruff, *words], cwd=tmp_path / "ferbench-mine", capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["metod", "mine"], "There is no kind of package 'metod'. Did you mean 'method'? Known: backbone, dataset"),
        (["method", "My Method"], "'My Method' cannot be the name of a method: a name has the lower-case letters"),
        (["method", "My Method"], "Write my_method."),
        (["method", "2nd"], "Write nd."),
        (["method", "mine-"], "Write mine."),
        (["method", "../mine"], "Write mine."),
        (["method", "é"], "and begins with a letter. Write e."),
        (["method", "Über Gesicht"], "Write uber_gesicht."),
        (
            ["method", "Straße"],
            "'-' or '_' between words, and begins with a letter.\n",
        ),
        (["evaluator", "My Own"], "'My Own' cannot be the name of an evaluator"),
        (["method", ""], "'' cannot be the name of a method"),
        (["method", "degan"], "There is a method 'degan' already (ferbench "),
        (["method", "cross-entropy"], "There is a method 'cross_entropy' already"),
        (["evaluator", "accuracy"], "There is a metric 'accuracy' already, of the evaluator 'recognition'."),
        (["dataset", "convnet"], "A Python package 'ferbench_convnet' is installed already."),
        (
            ["method", "mine", "--into", "nowhere"],
            "There is no folder nowhere. Make it, or name another with --into DIR.",
        ),
        (["method", "there"], "ferbench-there exists already. Choose another name, or another folder with --into DIR."),
    ],
)
def test_what_is_refused(
    ferbench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ferbench-there").mkdir()
    done = ferbench("new", *words)
    assert done.status == 2
    assert sentence in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["ferbench-there"]
    assert not list((tmp_path / "ferbench-there").iterdir())


def test_what_cannot_be_written_leaves_nothing(ferbench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def full(path: Path, *values: object, **more: object) -> None:
        written.append(path)
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        path.touch()

    monkeypatch.setattr(Path, "write_text", full)
    done = ferbench("new", "method", "mine", "--into", tmp_path)
    assert done.status == 2
    assert "ferbench-mine cannot be written: No space left on device." in done.err
    assert not list(tmp_path.iterdir())


def test_the_wheel_has_the_templates(tmp_path: Path) -> None:
    """As hatchling collects them, without building all of it."""
    from hatchling.builders.wheel import WheelBuilder

    root = Path(__file__).parents[2]
    builder = WheelBuilder(str(root))
    found = {file.distribution_path for file in builder.recurse_selected_project_files()}
    templates = {
        path.relative_to(root).as_posix() for path in (root / "ferbench" / "kit" / "templates").rglob("*.tmpl")
    }
    assert len(templates) > 20
    assert templates <= found
