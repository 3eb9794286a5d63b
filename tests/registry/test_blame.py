"""An error inside a component of a plugin names the component and the plugin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferbench import FerbenchError
from ferbench.cards import EvaluatorCard
from ferbench.config.compose import compose
from ferbench.registry.loader import Plugin, Registry, load_registry
from tests.conftest import SMOKE

pytestmark = pytest.mark.needs("torch")  # the plugin has a method

PLUGIN = """
from dataclasses import dataclass

from ferbench import (
    Backbone, BackboneCard, Dataset, DatasetCard, Executor, ExecutorCard, Method, MethodCard, Protocol, ProtocolCard, StageCard,
    hookimpl,
)
from ferbench.interfaces.protocol import ProtocolSettings


class Faulty(Dataset):
    def frames(self):
        return {}["frames"]

    def image(self, frame_id):
        raise NotImplementedError

    def fingerprint(self):
        return "0"


class Splits(Protocol):
    def assign_folds(self, frames):
        return frames["no such column"]


class Runs(Executor):
    def run(self, work, progress):
        raise KeyError("queue")
        yield


class Net(Backbone):
    def __init__(self, settings, image_size):
        raise KeyError("weights")

    def forward(self, images):
        return []


class Mine(Method):
    def __init__(self, task, backbone, settings):
        raise KeyError("head")

    def stages(self):
        return []

    features = logits = lambda self, images: images


@dataclass
class FaultySettings:
    root: str = "."


def card(kind, name, of, **more):
    return kind(name=name, target=f"{__name__}:{of}", title="t", **more)


@hookimpl
def ferbench_datasets():
    return [card(DatasetCard, "faulty", "Faulty", expressions=("a", "b"), settings=FaultySettings)]

@hookimpl
def ferbench_protocols():
    return [card(ProtocolCard, "splits", "Splits", settings=ProtocolSettings)]

@hookimpl
def ferbench_executors():
    return [card(ExecutorCard, "runs", "Runs", prepares=False)]

@hookimpl
def ferbench_backbones():
    return [card(BackboneCard, "net", "Net")]

@hookimpl
def ferbench_methods():
    return [card(MethodCard, "mine", "Mine", stages=[StageCard(name="training")])]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "strange.py"
    path.write_text(PLUGIN)
    return path


@pytest.mark.parametrize(
    ("words", "component"),
    [
        (("dataset=faulty", "--dry-run"), "dataset 'faulty'"),
        (("dataset=synthfaces", "dataset.subjects=4", "protocol=splits", "--dry-run"), "protocol 'splits'"),
        (("dataset=synthfaces", "dataset.subjects=4", "protocol=loso", "executor=runs"), "executor 'runs'"),
    ],
)
def test_what_a_command_meets(
    ferbench: Callable[..., Any], file: Path, tmp_path: Path, words: tuple[str, ...], component: str
) -> None:
    with pytest.raises(KeyError) as failed:
        ferbench(
            "run", "--plugin", file, "method=cross_entropy", "budget=smoke", f"results_dir={tmp_path / 'r'}", *words
        )
    assert failed.value.__notes__ == [f"This happened in {component} of the plugin file {file}."]


@pytest.mark.parametrize(("word", "component"), [("backbone=net", "backbone 'net'"), ("method=mine", "method 'mine'")])
def test_what_a_trial_meets(file: Path, word: str, component: str) -> None:
    from ferbench.execution.setup import build
    from ferbench.interfaces.method import Task

    registry = load_registry([str(file)])
    (config,) = compose(registry, ["method=cross_entropy", "dataset=synthfaces", word])
    with pytest.raises(KeyError) as failed:
        build(registry, config, Task(("a", "b"), ("s",), 32, 0))
    assert failed.value.__notes__ == [f"This happened in {component} of the plugin file {file}."]


def test_a_failed_trial_keeps_the_name(ferbench: Callable[..., Any], file: Path, tmp_path: Path) -> None:
    data = ("dataset.subjects=4", "protocol=subject_kfold", "protocol.k=2", "protocol.folds=0", "evaluation.judges=0")
    done = ferbench("run", "--plugin", file, "method=mine", *SMOKE, *data, f"results_dir={tmp_path / 'r'}")
    assert done.status == 1
    assert f"KeyError: 'head' This happened in method 'mine' of the plugin file {file}." in " ".join(done.out.split())


def test_a_sentence_is_left_as_it_is_and_a_distribution_is_named() -> None:
    card = EvaluatorCard(name="gaze", target="gaze:evaluate", title="t", metrics=[])
    registry = Registry((Plugin("gaze", "gaze", "gaze-tools", "1.2", "loaded", cards=(card,)),))
    with pytest.raises(FerbenchError) as said, registry.blaming(card):
        raise FerbenchError("The table is missing.")
    assert not hasattr(said.value, "__notes__")
    with pytest.raises(ValueError, match="no") as failed, registry.blaming(card), registry.blaming(card):
        raise ValueError("no")
    assert failed.value.__notes__ == ["This happened in evaluator 'gaze' of the plugin 'gaze' (gaze-tools 1.2)."]
