"""Paths with any character are taken as they are typed, and the printed command gives the same configuration."""

from __future__ import annotations

import dataclasses
import functools
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferbench.config.compose import compose
from ferbench.config.overrides import command_of, quoted, texts_quoted
from ferbench.config.schema import RunConfig
from ferbench.plan.study import plan
from ferbench.records.schema import Trial
from ferbench.registry.loader import load_registry

REGISTRY = load_registry()
TELLING = [*"数据 é'\"=,$(){}[]+~%\\-#&;|<>*?!^@:`\t", "${", "\\${", "\\'", "range(1,3)"]
PATHS = st.lists(
    st.one_of(st.sampled_from(TELLING), st.characters(codec="utf-8", exclude_characters="\0")),
    max_size=12,
)
ABSOLUTE = PATHS.map(lambda parts: "/" + "".join(parts))
KNOWN = [
    "/data/数据", "/data/my copy", "/data/it's", '/data/"x"', "/data/a=b", "/data/a,b", "/data/$HOME", "/data/${oc.env:HOME}",
    "/data/\\${x}", "/data/{x}", "/data/[x]", "/data/CK+", "~/data", "/data/100%", "-data", "data\\", " /data", "007", "1e3",
    "null", "true", "/a#b", "range(1,3)", "Å/ß/Ω", "/data/\\'x",
]  # fmt: skip


def one(*overrides: str) -> RunConfig:
    (config,) = compose(REGISTRY, list(overrides), method_needed=False)
    return config


@functools.cache
def some_trial() -> Trial:
    return plan(REGISTRY, [one("method=cross_entropy", "protocol.folds=0", "dataset.subjects=10")]).trials[0]


@pytest.mark.parametrize("path", KNOWN)
def test_a_path_is_taken_as_it_is_typed(path: str) -> None:
    config = one(
        "dataset=oulu",
        f"dataset.root={path}",
        f"results_dir={path}",
        f"cache_dir={path}",
        f"preparation.detector={path}",
    )
    assert config.dataset.settings["root"] == path
    assert (config.results_dir, config.cache_dir, config.preparation.detector) == (path,) * 3


@pytest.mark.slow
@settings(max_examples=30)
@given(path=ABSOLUTE)
def test_any_path_is_taken_as_it_is_typed(path: str) -> None:
    assert one("dataset=table", f"dataset.file={path}").dataset.settings["file"] == path


@pytest.mark.slow
@settings(max_examples=20)
@given(root=ABSOLUTE, results=ABSOLUTE, plugin=ABSOLUTE)
def test_the_printed_command_gives_the_same_configuration(root: str, results: str, plugin: str) -> None:
    trial = some_trial()
    config = one(
        "method=cross_entropy", "dataset=folders", f"dataset.root={root}", f"results_dir={results}", "protocol.folds=0"
    )
    printed = command_of(REGISTRY, dataclasses.replace(trial, config=config.to_dict(), plugin_files=(plugin,)))
    words = shlex.split(printed)
    assert words[:4] == ["ferbench", "run", "--plugin", plugin]
    again = one(*words[4:])
    assert (again.dataset, again.results_dir, again.method) == (config.dataset, config.results_dir, config.method)


def test_a_printed_command_is_as_short_as_it_can_be() -> None:
    trial = some_trial()
    config = one("method=cross_entropy", "dataset=oulu", "dataset.root=/data/CK+", "protocol.folds=0")
    assert " dataset.root=/data/CK+ " in command_of(REGISTRY, dataclasses.replace(trial, config=config.to_dict()))


@given(text=PATHS.map("".join))
@settings(max_examples=300)
def test_quoted_text_is_read_back_by_hydra(text: str) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf

    value = OverridesParser.create().parse_override(f"key={quoted(text)}").value()
    assert OmegaConf.to_container(OmegaConf.create({"key": value}), resolve=True) == {"key": text}


def test_quotes_that_were_typed_stay_quotes_of_hydra() -> None:
    assert one("dataset=oulu", "dataset.root='/data/CK+'").dataset.settings["root"] == "/data/CK+"
    assert one("dataset=oulu", 'dataset.root="/data/CK+"').dataset.settings["root"] == "/data/CK+"


def test_settings_that_are_no_text_are_left_to_hydra() -> None:
    words = [
        "method=degan",
        "method.lr=0.5",
        "protocol.folds=[0,1]",
        "dataset.allow_incomplete=true",
        "trainer.precision=bf16",
    ]
    assert texts_quoted(REGISTRY, ["dataset=oulu", *words]) == ["dataset=oulu", *words]


def test_in_a_sweep_several_values_stay_several() -> None:
    configs = compose(
        REGISTRY, ["dataset=oulu", "dataset.camera=VL,NI", "dataset.root=/data/数 据", "method=degan"], sweep=True
    )
    assert [config.dataset.settings["camera"] for config in configs] == ["VL", "NI"]
    assert {config.dataset.settings["root"] for config in configs} == {"/data/数 据"}
