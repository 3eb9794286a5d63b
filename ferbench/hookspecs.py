"""All hooks of ferbench: the functions that a plugin may implement to extend it.

A plugin is a module that an entry point of the group `ferbench` names. It returns cards and does not import torch:

    from ferbench import MethodCard, StageCard, hookimpl

    @hookimpl
    def ferbench_methods():
        return [MethodCard(name="mine", target="my_package.method:Mine", title="...", stages=[StageCard(name="training")])]
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pluggy

from ferbench.cards import (
    BackboneCard,
    CommandCard,
    DatasetCard,
    DetectorCard,
    EvaluatorCard,
    ExecutorCard,
    MethodCard,
    ProtocolCard,
    PublishedResult,
    TrackerCard,
)

hookspec = pluggy.HookspecMarker("ferbench")
hookimpl = pluggy.HookimplMarker("ferbench")


@hookspec
def ferbench_datasets() -> Iterable[DatasetCard]:  # type: ignore[empty-body]
    """Cards of datasets. Each card's target is a subclass of `ferbench.Dataset`."""


@hookspec
def ferbench_backbones() -> Iterable[BackboneCard]:  # type: ignore[empty-body]
    """Cards of backbones. Each card's target is a subclass of `ferbench.Backbone`."""


@hookspec
def ferbench_methods() -> Iterable[MethodCard]:  # type: ignore[empty-body]
    """Cards of methods. Each card's target is a subclass of `ferbench.Method`."""


@hookspec
def ferbench_protocols() -> Iterable[ProtocolCard]:  # type: ignore[empty-body]
    """Cards of protocols. Each card's target is a subclass of `ferbench.Protocol`."""


@hookspec
def ferbench_evaluators() -> Iterable[EvaluatorCard]:  # type: ignore[empty-body]
    """Cards of evaluators. Each card's target is a function that takes `ferbench.Outputs` and returns {metric name: number}."""


@hookspec
def ferbench_executors() -> Iterable[ExecutorCard]:  # type: ignore[empty-body]
    """Cards of executors. Each card's target is a subclass of `ferbench.Executor`."""


@hookspec
def ferbench_detectors() -> Iterable[DetectorCard]:  # type: ignore[empty-body]
    """Cards of face detectors. Each card's target is a subclass of `ferbench.Detector`."""


@hookspec
def ferbench_trackers() -> Iterable[TrackerCard]:  # type: ignore[empty-body]
    """Cards of trackers. Each card's target is a subclass of `ferbench.Tracker`."""


@hookspec
def ferbench_commands() -> Iterable[CommandCard]:  # type: ignore[empty-body]
    """Cards of commands, `ferbench NAME`. Each card's target is a function from a list of words to an exit status."""


@hookspec
def ferbench_studies() -> Iterable[Path]:  # type: ignore[empty-body]
    """Study files (YAML): `study=NAME`, by the name of the file; see docs/reference/configuration.md for what one holds."""


@hookspec
def ferbench_reported() -> Iterable[PublishedResult]:  # type: ignore[empty-body]
    """What papers report, for `ferbench leaderboard --reported`; asked for then and not before."""
