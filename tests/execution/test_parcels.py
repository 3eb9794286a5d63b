"""What goes to machines that do not have the results folder, and what comes home."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ferbench.config.compose import compose
from ferbench.interfaces import parcels
from ferbench.interfaces.executor import Node
from ferbench.plan.study import plan
from ferbench.records import files
from ferbench.records.schema import FAILED, Outcome, Trial
from ferbench.records.store import Store
from ferbench.registry.loader import load_registry
from tests.onehead import plugin

STEP = 'yield Update("all", F.cross_entropy(self.logits(batch.images), batch.expression))'


def planned(*overrides: str, plugins: tuple[Path, ...] = ()) -> Trial:
    registry = load_registry(map(str, plugins))
    return plan(registry, compose(registry, list(overrides))).trials[0]


@pytest.fixture
def node(smoke: tuple[str, ...]) -> Node:
    """A trial of which nothing has run, in a folder of its own."""
    trial = planned("method=degan", *smoke)
    return parcels.at(Node(trial.id, trial), trial.config["results_dir"])


def elsewhere(node: Node, tmp_path: Path) -> Node:
    return parcels.at(node, tmp_path / "elsewhere")


def store_of(node: Node) -> Store:
    return Store(node.trial.config["results_dir"])


def make_stage(node: Node, text: bytes) -> None:
    folder = store_of(node).stage(node.key)
    folder.mkdir()
    (folder / files.WEIGHTS).write_bytes(text)
    (folder / files.STAGE).write_bytes(b"of " + text)


def test_where_there_is_nothing_nothing_goes(node: Node) -> None:
    assert parcels.pack(node) == {}
    assert [parcels.pack(stage) for stage in parcels.stages_of(node)] == [{}, {}, {}]


def test_a_trained_stage_replaces_its_checkpoint(node: Node, tmp_path: Path) -> None:
    own = elsewhere(node, tmp_path)
    stage, there = parcels.stages_of(node)[0], parcels.stages_of(own)[0]
    checkpoint = files.checkpoint(store_of(own).stage(there.key))
    checkpoint.write_bytes(b"half")
    parcels.adopt(stage, parcels.pack(there))
    assert files.checkpoint(store_of(node).stage(stage.key)).read_bytes() == b"half"
    checkpoint.unlink()
    make_stage(there, b"weights")
    parcels.adopt(stage, parcels.pack(there))
    assert parcels.pack(stage) == parcels.pack(there)
    assert not files.checkpoint(store_of(node).stage(stage.key)).exists()
    parcels.adopt(stage, {"checkpoint": b"late"})
    assert not files.checkpoint(store_of(node).stage(stage.key)).exists(), "it is trained"


def test_a_stage_that_was_trained_again_replaces_the_old_one(node: Node, tmp_path: Path) -> None:
    stage, there = parcels.stages_of(node)[0], parcels.stages_of(elsewhere(node, tmp_path))[0]
    make_stage(stage, b"old")
    make_stage(there, b"new")
    parcels.adopt(stage, parcels.pack(there))
    assert parcels.pack(stage)[files.WEIGHTS] == b"new"
    assert [path.name for path in store_of(node).stage(stage.key).parent.iterdir()] == [stage.key], "no drafts"


def test_a_failure_comes_home_with_the_trial_of_here(node: Node, tmp_path: Path) -> None:
    own = elsewhere(node, tmp_path)
    store_of(own).write_failure(Outcome(own.trial, FAILED, "no reason", step=3))
    parcels.adopt(node, parcels.pack(own))
    failure = store_of(node).failure(node.key)
    assert failure is not None
    assert failure == Outcome(failure.trial, FAILED, "no reason", step=3)
    assert failure.trial.config["results_dir"] == node.trial.config["results_dir"]


def test_a_plugin_file_goes_with_what_it_imports(tmp_path: Path, smoke: tuple[str, ...]) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "aside").mkdir(parents=True)
    (here / "carried.py").write_text(plugin("carried", STEP) + "\nfrom aside.first import ONE\n")
    (here / "aside" / "__init__.py").write_text("")
    (here / "aside" / "first.py").write_text("from . import second\nONE = second.TWO - 1\n")
    (here / "aside" / "second.py").write_text("TWO = 2\n")
    (here / "aside" / "third.py").write_text("THREE = 3\n")
    trial = planned("method=carried", *smoke, plugins=(here / "carried.py",))
    sent = parcels.plugin_files([trial])
    assert list(sent) == [str(here / "carried.py")]
    names = ["aside/__init__.py", "aside/first.py", "aside/second.py", "carried.py"]
    assert sorted(sent[str(here / "carried.py")]) == names
    parcels.place(sent, there)
    assert not there.exists(), "they are here"
    (here / "carried.py").unlink()
    parcels.place(sent, there)
    assert sorted(path.relative_to(there / "0").as_posix() for path in there.rglob("*.py")) == names


def test_what_is_installed(smoke: tuple[str, ...]) -> None:
    trial = planned("method=degan", *smoke)
    installed = parcels.installed([trial])
    assert installed["the code of method degan"] == trial.code["method"]
    assert installed["the code of ferbench"] == trial.code["core"]
    assert {"Python", "ferbench", "torch", "numpy"} <= installed.keys()
    assert parcels.installed([dataclasses.replace(trial, variant="other")]) == installed
