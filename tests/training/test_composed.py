"""Stages that compose their batches: with graphs, micro-batches, checkpoints, and in a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ferbench import MethodCard
from ferbench.data.batches import Batches, Labels
from ferbench.interfaces.method import Method
from ferbench.registry.loader import Registry, load_registry
from ferbench.testing import EXPRESSIONS, Drawn, checks_of, make_method, make_task, training
from ferbench.training.graph import Rehearsal
from ferbench.training.loop import train
from tests.training.composed import SOURCE
from tests.training.test_graph import batches, same


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plugin") / "pairs.py"
    path.write_text(SOURCE)
    return path


@pytest.fixture(scope="module")
def registry(file: Path) -> Registry:
    return load_registry([str(file)])


def method_of(registry: Registry) -> Method:
    return make_method(registry, registry.get(MethodCard, "pairs"))


def of_images(rows: int = 24) -> Batches:
    """24 images of 4 subjects, each with every expression."""
    made = batches()
    index = torch.arange(rows)
    subject = index // len(EXPRESSIONS)
    labels = Labels(index, index % len(EXPRESSIONS), subject, subject, index % 2 == 0)
    return Batches(made.images, labels, made.augment, 8, (0,))


def trained(method: Method, **more: Any) -> list[Any]:
    return [train(method, stage, 12, training(**{"batches": of_images(), **more})).losses for stage in method.stages()]


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("resident", [True, False])
def test_replayed_steps_see_the_same_batches(registry: Registry, accumulate: int, resident: bool) -> None:
    plain, graphed = method_of(registry), method_of(registry)
    source = of_images()
    if not resident:
        source.images.resident = None
    losses = trained(plain, accumulate=accumulate)
    recorder = Rehearsal()
    found = []
    for stage in graphed.stages():
        done = train(graphed, stage, 12, training(batches=source, graph=recorder, accumulate=accumulate))
        assert done.obstacle == ""
        found.append(done.losses)
    assert found == losses
    assert same(plain, graphed)


def test_a_training_goes_on_from_a_checkpoint(registry: Registry, tmp_path: Path) -> None:
    whole, broken = method_of(registry), method_of(registry)
    losses = trained(whole)

    class Stop(Exception):
        pass

    def stop(step: int, *_: object) -> None:
        if step > 5:
            raise Stop

    for number, stage in enumerate(broken.stages()):
        path = tmp_path / f"{number}.safetensors"
        cut = method_of(registry)
        cut.load_state_dict(broken.state_dict())
        until = training(batches=of_images(), checkpoint=path, checkpoint_every=5, on_losses=stop)
        with pytest.raises(Stop):
            train(cut, cut.stages()[number], 12, until)
        assert path.is_file()
        assert train(broken, stage, 12, training(batches=of_images(), checkpoint=path)).losses == losses[number]
    assert same(whole, broken)


def test_checks_compose_batches_as_stages_ask(registry: Registry) -> None:
    first, second = method_of(registry).stages()
    batch = Drawn(make_task()).of(first)(3)
    assert (batch.subject.view(-1, 4) == batch.subject.view(-1, 4)[:, :1]).all()
    assert batch.second is not None
    assert batch.second.related is not None
    assert batch.second.related.float().mean() not in (0, 1)
    assert Drawn(make_task()).of(second)(3).third is None


@pytest.mark.slow
def test_the_method_keeps_all_rules(registry: Registry) -> None:
    for check in checks_of("method", "pairs", registry):
        check.run()


def test_a_run_counts_what_stands_in_and_shows_it(
    ferbench: Callable[..., Any], smoke: tuple[str, ...], file: Path, tmp_path: Path
) -> None:
    """In the confounded preset, subjects show few expressions."""
    words = ("run", "--plugin", file, "method=pairs", *smoke, "dataset.preset=confounded", "dataset.takes=1")
    assert ferbench(*words).status == 0
    (path,) = (tmp_path / "results").glob("*/record.json")
    notes = json.loads(path.read_text())["notes"]
    counted = [note for note in notes if note.startswith("Batches of stage 'pairs'")]
    assert any("no frame of another subject with the same expression" in note for note in counted), notes
    assert counted[-1] in ferbench("show", path.parent.name, tmp_path / "results").out


def test_a_run_that_would_tear_groups_ends_before_training(
    ferbench: Callable[..., Any], smoke: tuple[str, ...], file: Path, tmp_path: Path
) -> None:
    done = ferbench("run", "--plugin", file, "method=pairs", *smoke, "trainer.accumulate=8")
    assert done.status == 1
    assert "tear them apart" in done.out + done.err
    assert not list((tmp_path / "results").glob("**/stage.json"))
