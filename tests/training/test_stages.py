"""The cache of trained stages."""

from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path

import pytest
import torch

from ferbench.cards import MethodCard
from ferbench.errors import TrainingError
from ferbench.hashing import file_digest
from ferbench.interfaces.executor import Progress
from ferbench.interfaces.method import Batch, Method
from ferbench.records import files
from ferbench.records.doctor import examine
from ferbench.records.schema import StageNode
from ferbench.records.seals import seal, unseal
from ferbench.records.store import Store
from ferbench.registry.loader import load_registry
from ferbench.testing import make_batch, make_method, training
from ferbench.training.checkpoint import Checkpoint, CheckpointError, load, load_tensors, save, save_tensors
from ferbench.training.stages import run_stage
from tests.damage import DAMAGES, flipped

NODE = StageNode("training", "abc", 4)


def method() -> Method:
    registry = load_registry()
    return make_method(registry, registry.get(MethodCard, "cross_entropy"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "results")
    made.prepare()
    return made


def killed_in_training(store: Store, code: str = "") -> None:
    """Train the stage NODE until its process is killed in step 3, after the checkpoint of step 2."""
    killed = method()
    made = training(checkpoint_every=2, code=code)

    def dies(step: int) -> Batch:
        if step == 3:
            raise KeyboardInterrupt
        return make_batch(killed.task, seed=step)

    made.batches = dies
    with pytest.raises(KeyboardInterrupt):
        run_stage(store, NODE, killed, killed.stages()[0], made, Progress())


def test_a_trained_stage_is_trained_once(store: Store) -> None:
    first, second = method(), method()
    run, losses = run_stage(store, NODE, first, first.stages()[0], training(), Progress())
    again, found = run_stage(store, NODE, second, second.stages()[0], training(), Progress())
    assert (run.steps_run, again.steps_run) == (4, 0)
    assert run.weights == again.weights
    assert losses == found
    assert all(torch.equal(v, second.state_dict()[k]) for k, v in first.state_dict().items())


@pytest.mark.parametrize("trained", [False, True])
def test_a_stage_is_said_to_be_in_training_only_while_it_is(
    store: Store, trained: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another holds its lease, to train it or to read it, until somebody has looked which of both it is."""
    if trained:
        first = method()
        run_stage(store, NODE, first, first.stages()[0], training(), Progress())
    told, other, held, looked = Told(), method(), threading.Event(), threading.Event()
    is_trained = store.trained

    def look(key: str) -> bool:
        looked.set()
        return is_trained(key)

    def hold() -> None:
        with store.lease(f"stage-{NODE.key}"):
            held.set()
            looked.wait(60)

    monkeypatch.setattr(store, "trained", look)
    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    run, _ = run_stage(store, NODE, other, other.stages()[0], training(), told)
    holder.join()
    assert run.steps_run == (0 if trained else 4)
    said = [text for text in told.messages if text.startswith("waiting for stage 'training', in training by ")]
    assert len(said) == (0 if trained else 1)


def test_a_killed_stage_goes_on_from_its_checkpoint(store: Store) -> None:
    whole, resumed = method(), method()
    run_stage(store, StageNode("training", "whole", 4), whole, whole.stages()[0], training(), Progress())
    killed_in_training(store)
    begun: list[tuple[str, int, int]] = []

    class Listener(Progress):
        def stage(self, name: str, step: int, steps: int) -> None:
            begun.append((name, step, steps))

    run, losses = run_stage(store, NODE, resumed, resumed.stages()[0], training(), Listener())
    assert begun == [("training", 2, 4)]
    assert run.steps_run == 2
    assert [step for step, _, _ in losses] == [0, 1, 2, 3]
    assert all(torch.equal(v, resumed.state_dict()[k]) for k, v in whole.state_dict().items())
    assert not list((store.root / ".stages").glob("*.checkpoint.safetensors"))


def test_a_method_that_disagrees_with_its_card(store: Store) -> None:
    made = method()
    with pytest.raises(TrainingError, match="returns 'training' where its card says 'other'"):
        run_stage(store, StageNode("other", "x", 4), made, made.stages()[0], training(), Progress())


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    save(path, Checkpoint(7, {"a": torch.arange(3.0)}, [(0, "x", 1.5)]))
    saved = load(path)
    assert saved is not None
    assert (saved.step, saved.losses) == (7, [(0, "x", 1.5)])
    assert torch.equal(saved.tensors["a"], torch.arange(3.0))
    assert load(path, code="other") is None
    assert load(tmp_path / "nothing") is None


def test_each_flip_of_a_bit_of_a_checkpoint_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    save(path, Checkpoint(7, {"a": torch.arange(3.0), "b": torch.ones(2, dtype=torch.bfloat16)}, [(0, "x", 1.5)], "c"))
    content = path.read_bytes()
    for position in range(len(content)):
        flipped(path, position)
        with pytest.raises(CheckpointError, match="is damaged"):
            load(path, "c")
        path.write_bytes(content)
    assert load(path, "c") is not None


def test_the_checkpoint_of_another_stage_is_not_continued(tmp_path: Path) -> None:
    save(tmp_path / "one", Checkpoint(7, {"a": torch.arange(3.0)}, []))
    (tmp_path / "one").rename(tmp_path / "two")
    with pytest.raises(CheckpointError, match="two is damaged: it is one"):
        load(tmp_path / "two")


class Told(Progress):
    """What was said."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied"])
def test_a_damaged_checkpoint_is_named_and_the_stage_starts_again(store: Store, damage: str) -> None:
    whole, again = method(), method()
    run_stage(store, StageNode("training", "whole", 4), whole, whole.stages()[0], training(), Progress())
    killed_in_training(store)
    path = files.checkpoint(store.stage(NODE.key))
    DAMAGES[damage](path)
    told = Told()
    run, _ = run_stage(store, NODE, again, again.stages()[0], training(), told)
    assert run.steps_run == 4
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in whole.state_dict().items())
    (message,) = told.messages
    assert message.startswith(f"The checkpoint {path} is damaged: ")
    assert message.endswith("and the stage starts again")
    assert [moved.name.partition(".")[0] for moved in (store.root / ".damaged").iterdir()] == [NODE.key]


@pytest.mark.parametrize("file", ["stage.json", "weights.safetensors", "losses.parquet"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_nothing_starts_from_a_damaged_stage(store: Store, file: str, damage: str) -> None:
    first, second = method(), method()
    before, losses = run_stage(store, NODE, first, first.stages()[0], training(), Progress())
    DAMAGES[damage](store.stage(NODE.key) / file)
    told = Told()
    run, found = run_stage(store, NODE, second, second.stages()[0], training(), told)
    assert (run.steps_run, run.weights) == (4, before.weights)
    assert found == losses
    (message,) = told.messages
    assert message.startswith(f"the stage in {store.stage(NODE.key)} is damaged (")
    assert message.endswith(", and trained again")
    assert store.stage_damage(NODE.key) is None


def test_the_stage_of_a_later_version_is_left_alone(store: Store) -> None:
    first, second = method(), method()
    run_stage(store, NODE, first, first.stages()[0], training(), Progress())
    path = store.stage(NODE.key) / "stage.json"
    path.write_text(seal(json.dumps({**unseal(path.read_text()), "schema": 3})))
    before = path.read_text()
    with pytest.raises(TrainingError, match=r"a later ferbench wrote it: schema version 3.*results_dir=FOLDER"):
        run_stage(store, NODE, second, second.stages()[0], training(), Progress())
    assert path.read_text() == before


def test_the_checkpoint_of_a_trained_stage_is_removed(store: Store) -> None:
    """Its process was killed when it had stored the stage."""
    first, second = method(), method()
    run_stage(store, NODE, first, first.stages()[0], training(), Progress())
    path = files.checkpoint(store.stage(NODE.key))
    save(path, Checkpoint(2, {}, []))
    assert [found.path for found in examine(store)] == [path]
    run_stage(store, NODE, second, second.stages()[0], training(), Progress())
    assert not path.exists()


def test_a_checkpoint_of_other_code_is_not_continued(store: Store) -> None:
    after = method()
    killed_in_training(store, code="old")
    run, losses = run_stage(store, NODE, after, after.stages()[0], training(code="new"), Progress())
    assert (run.steps_run, run.code) == (4, "new")
    assert [step for step, _, _ in losses] == [0, 1, 2, 3]


def test_weights_of_other_code_that_no_longer_fit_are_trained_again(store: Store) -> None:
    first, second = method(), method()
    run_stage(store, NODE, first, first.stages()[0], training(code="old"), Progress())
    weights = store.stage(NODE.key) / "weights.safetensors"
    kept, _ = run_stage(store, NODE, second, second.stages()[0], training(code="new"), Progress())
    assert (kept.steps_run, kept.code) == (0, "old"), "they fit, and are reused"
    tensors = load_tensors(weights)
    name = next(iter(tensors))
    save_tensors(weights, tensors | {name: torch.zeros(7, 7)})
    (weights.parent / "stage.json").unlink()
    store.write_stage(dataclasses.replace(kept, weights=file_digest(weights)), weights.parent)
    third = method()
    again, _ = run_stage(store, NODE, third, third.stages()[0], training(code="new"), Progress())
    assert (again.steps_run, again.code) == (4, "new")


def test_stages_are_readable_by_others(store: Store) -> None:
    made = method()
    run_stage(store, NODE, made, made.stages()[0], training(), Progress())
    place = store.stage("abc")
    assert {p.name for p in place.iterdir()} == {"stage.json", "weights.safetensors", "losses.parquet"}
    assert json.loads((place / "stage.json").read_text())["steps"] == 4
    assert all(p.stat().st_mode & 0o044 for p in place.iterdir())
