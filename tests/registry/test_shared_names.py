"""Two plugins with a component of one name: DISTRIBUTION/NAME chooses, in every command that takes a component."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ferbench import FerbenchError
from ferbench.cards import BackboneCard, DatasetCard, DetectorCard, MethodCard
from ferbench.config.compose import compose
from ferbench.config.overrides import as_registered, command_of
from ferbench.plan.study import plan
from ferbench.registry import loader
from ferbench.registry.loader import Registry, load_registry

METHODS = """
from dataclasses import dataclass

from ferbench import BackboneCard, DatasetCard, DetectorCard, ExecutorCard, MethodCard, ProtocolCard, StageCard, hookimpl
from ferbench.interfaces.protocol import ProtocolSettings

@dataclass
class Settings:
    depth: int = 3

@hookimpl
def ferbench_methods():
    stages = [StageCard(name="training", settings=frozenset({"depth"}))]
    return [MethodCard(name=n, target="bad:X", title="t", settings=Settings, stages=stages) for n in ("cross_entropy", "mine")]
"""

BAD = f"""{METHODS}
@hookimpl
def ferbench_datasets():
    return [DatasetCard(name="synthfaces", target="bad:X", title="t", expressions=("a", "b"))]

@hookimpl
def ferbench_backbones():
    return [BackboneCard(name="convnet", target="bad:X", title="t")]

@hookimpl
def ferbench_protocols():
    return [ProtocolCard(name="subject_kfold", target="bad:X", title="t", settings=ProtocolSettings)]

@hookimpl
def ferbench_executors():
    return [ExecutorCard(name="EXECUTOR", target="bad:X", title="t")]

@hookimpl
def ferbench_detectors():
    return [DetectorCard(name="uniface", target="bad:X", title="t")]
"""

WORDS = (
    "method=ferbench/cross_entropy", "dataset=ferbench/synthfaces", "dataset.subjects=4", "backbone=ferbench/convnet",
    "backbone.width=8", "protocol=ferbench/subject_kfold", "protocol.k=2", "budget=smoke",
)  # fmt: skip
PLAIN = tuple(word.replace("=ferbench/", "=") for word in WORDS)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Puts distributions on sys.path, as pip would."""
    (tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    loader._load.cache_clear()
    modules: list[str] = []

    def install(distribution: str, code: str, *points: str) -> None:
        site = tmp_path / "site"
        info = site / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        names = points or (distribution.replace("-", "_"),)
        (info / "entry_points.txt").write_text("[ferbench]\n" + "".join(f"{name} = {name}\n" for name in names))
        for name in names:
            modules.append(name)
            (site / f"{name}.py").write_text(code)
        importlib.invalidate_caches()
        loader._load.cache_clear()

    yield install
    loader._load.cache_clear()
    for name in modules:
        sys.modules.pop(name, None)


def bad(executor: str = "inprocess") -> str:
    return BAD.replace("EXECUTOR", executor)


def test_one_bad_package_blocks_no_method(ferbench: Callable[..., Any], installed: Callable[..., None]) -> None:
    before = plan(load_registry(), compose(load_registry(), PLAIN))
    installed("bad-tools", bad())
    refused = ferbench("run", "--dry-run", *PLAIN)
    assert refused.status == 2
    assert (
        "Write method=bad-tools/cross_entropy or method=ferbench/cross_entropy, or leave one of them out."
        in refused.err
    )
    registry = load_registry()
    study = plan(registry, compose(registry, [*WORDS, "executor=ferbench/inprocess"]))
    assert [trial.id for trial in study.trials] == [trial.id for trial in before.trials], "stored trials stay valid"
    first = study.trials[0]
    assert (first.method, first.identity.backbone.name, first.identity.protocol.name) == (
        "cross_entropy", "convnet", "subject_kfold",
    )  # fmt: skip
    assert first.config["method"]["name"] == "ferbench/cross_entropy", "a worker process finds it"
    assert "method=ferbench/cross_entropy" in command_of(registry, first)


def test_a_strangers_component_is_recorded_by_its_whole_name(installed: Callable[..., None]) -> None:
    words = ["method=far-tools/mine", *(word for word in PLAIN if not word.startswith("method="))]
    installed(
        "far-tools",
        bad().partition("@hookimpl\ndef ferbench_datasets")[0].replace('("cross_entropy", "mine")', '("mine",)'),
    )
    registry = load_registry()
    alone = plan(registry, compose(registry, words)).trials[0]
    assert alone.method == "mine", "nobody else has the name"
    assert alone.config["method"]["name"] == "mine"
    installed("near-tools", (Path(sys.path[0]) / "far_tools.py").read_text())
    registry = load_registry()
    far, near = (
        plan(registry, compose(registry, [f"method={which}-tools/mine", *words[1:]])).trials[0]
        for which in ("far", "near")
    )
    assert (far.method, near.method) == ("far-tools/mine", "near-tools/mine")
    assert far.id != near.id
    assert far.stages[0].key != near.stages[0].key, "neither takes the other's weights"
    assert dataclasses.replace(far.identity, method=near.identity.method).id == near.id


def test_several_in_one_sweep(installed: Callable[..., None]) -> None:
    installed("bad-tools", bad())
    registry = load_registry()
    words = ["method=ferbench/cross_entropy,ferbench/degan", *WORDS[1:]]
    assert [config.method.name for config in compose(registry, words, sweep=True)] == [
        "ferbench/cross_entropy",
        "degan",
    ]


def test_a_default_that_two_plugins_have_is_a_sentence(installed: Callable[..., None]) -> None:
    installed("bad-tools", bad("auto"))
    registry = load_registry()
    with pytest.raises(FerbenchError, match="Write executor=bad-tools/auto or executor=ferbench/auto"):
        compose(registry, WORDS)
    (config,) = compose(registry, [*WORDS, "executor=ferbench/auto", "executor.lanes=2"])
    assert config.executor.settings["lanes"] == 2


def test_settings_are_those_of_the_one_that_is_meant(installed: Callable[..., None]) -> None:
    installed("bad-tools", bad())
    registry = load_registry()
    (config,) = compose(registry, ["method=bad-tools/cross_entropy", "method.depth=4", *WORDS[1:]])
    assert config.method.settings == {"depth": 4}
    with pytest.raises(FerbenchError, match="There is no setting 'method.depth'"):
        compose(registry, ["method=ferbench/cross_entropy", "method.depth=4", *WORDS[1:]])


def test_a_whole_name_works_where_nobody_shares_it() -> None:
    registry = load_registry()
    assert as_registered(registry, ["method=ferbench/degan", "+test_dataset='ferbench/oulu'", "dataset.root=a/b"]) == [
        "method=degan", "+test_dataset=oulu", "dataset.root=a/b",
    ]  # fmt: skip
    with pytest.raises(FerbenchError, match="There is no method 'ferbench/degun'"):
        as_registered(registry, ["method=ferbench/degun"])


@pytest.mark.needs("torch")
@pytest.mark.parametrize(
    "words",
    [
        ("check", "--only", "card", "ferbench/cross_entropy"),
        ("splits", "dataset=ferbench/synthfaces", "dataset.subjects=4", *WORDS[-3:-1]),
        ("datasets", "check", "ferbench/synthfaces", "dataset.subjects=10"),
    ],
)
def test_other_commands(ferbench: Callable[..., Any], installed: Callable[..., None], words: tuple[str, ...]) -> None:
    installed("bad-tools", bad())
    done = ferbench(*words)
    assert done.status == 0, done.err + done.out


def test_one_distribution_with_two_of_a_name(installed: Callable[..., None]) -> None:
    code = bad().partition("@hookimpl\ndef ferbench_datasets")[0].replace('("cross_entropy", "mine")', '("mine",)')
    installed("twice-tools", code, "one_mine", "other_mine")
    registry: Registry = load_registry()
    for name in ("mine", "twice-tools/mine"):
        with pytest.raises(FerbenchError, match=r"Two plugins have a method 'mine': .*\. Leave one of them out\."):
            registry.get(MethodCard, name)


def test_two_plugin_files_with_one_name(tmp_path: Path) -> None:
    files = [tmp_path / "one.py", tmp_path / "other.py"]
    for file in files:
        file.write_text(METHODS)
    registry = load_registry([str(file) for file in files])
    for name in ("mine", "file/mine"):
        with pytest.raises(FerbenchError) as error:
            registry.get(MethodCard, name)
        assert all(str(file) in str(error.value) for file in files)
        assert "'file/mine' does not tell files apart: rename one in its card, or leave out" in str(error.value)


def test_what_is_typed_for_a_detector(installed: Callable[..., None]) -> None:
    installed("bad-tools", bad())
    registry = load_registry()
    with pytest.raises(
        FerbenchError, match="Write preparation.detector=bad-tools/uniface or preparation.detector=ferbench/uniface"
    ):
        registry.get(DetectorCard, "uniface")
    assert registry.get(DetectorCard, "ferbench/uniface").target.startswith("ferbench_uniface")
    assert {"bad-tools/synthfaces", "ferbench/synthfaces"} <= set(registry.catalogue(DatasetCard))
    assert registry.recorded(registry.get(BackboneCard, "ferbench/convnet")) == "convnet"
