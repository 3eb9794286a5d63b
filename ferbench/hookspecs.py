"""Every hook of ferbench: the whole surface on which a plugin can extend it.

A plugin is a module named by an entry point of the group `ferbench`. It imports no torch and gives cards:

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
    DatasetCard,
    DetectorCard,
    EvaluatorCard,
    ExecutorCard,
    MethodCard,
    ProtocolCard,
)

hookspec = pluggy.HookspecMarker("ferbench")
hookimpl = pluggy.HookimplMarker("ferbench")


@hookspec
def ferbench_datasets() -> Iterable[DatasetCard]:  # type: ignore[empty-body]
    """Datasets; the target is a subclass of `ferbench.Dataset`."""


@hookspec
def ferbench_backbones() -> Iterable[BackboneCard]:  # type: ignore[empty-body]
    """Backbones; the target is a subclass of `ferbench.Backbone`."""


@hookspec
def ferbench_methods() -> Iterable[MethodCard]:  # type: ignore[empty-body]
    """Methods; the target is a subclass of `ferbench.Method`."""


@hookspec
def ferbench_protocols() -> Iterable[ProtocolCard]:  # type: ignore[empty-body]
    """Protocols; the target is a subclass of `ferbench.Protocol`."""


@hookspec
def ferbench_evaluators() -> Iterable[EvaluatorCard]:  # type: ignore[empty-body]
    """Evaluators; the target is a function from `ferbench.Outputs` to a mapping of metric name to number."""


@hookspec
def ferbench_executors() -> Iterable[ExecutorCard]:  # type: ignore[empty-body]
    """Executors; the target is a subclass of `ferbench.Executor`."""


@hookspec
def ferbench_detectors() -> Iterable[DetectorCard]:  # type: ignore[empty-body]
    """Face detectors; the target is a subclass of `ferbench.Detector`."""


@hookspec
def ferbench_experiments() -> Iterable[Path]:  # type: ignore[empty-body]
    """YAML files that become `experiment=NAME`: bundles of overrides, read when the configuration is composed."""
