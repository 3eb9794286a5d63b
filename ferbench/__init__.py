"""ferbench: a pluggable benchmark for disentangled facial expression recognition.

The names below are what a plugin needs. Those that need torch are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ferbench.cards import (
    BackboneCard,
    DatasetCard,
    DetectorCard,
    EvaluatorCard,
    ExecutorCard,
    MethodCard,
    Metric,
    NoSettings,
    ProtocolCard,
    Published,
    StageCard,
)
from ferbench.errors import FerbenchError, FrameError, UnknownName
from ferbench.hookspecs import hookimpl

if TYPE_CHECKING:
    from ferbench.executors.base import Executor as Executor
    from ferbench.interfaces.backbone import Backbone as Backbone
    from ferbench.interfaces.dataset import BatchImages as BatchImages
    from ferbench.interfaces.dataset import Dataset as Dataset
    from ferbench.interfaces.detector import Detector as Detector
    from ferbench.interfaces.detector import Face as Face
    from ferbench.interfaces.evaluator import Outputs as Outputs
    from ferbench.interfaces.method import Batch as Batch
    from ferbench.interfaces.method import Clock as Clock
    from ferbench.interfaces.method import Group as Group
    from ferbench.interfaces.method import Identifies as Identifies
    from ferbench.interfaces.method import Method as Method
    from ferbench.interfaces.method import Stage as Stage
    from ferbench.interfaces.method import Synthesizes as Synthesizes
    from ferbench.interfaces.method import Task as Task
    from ferbench.interfaces.method import Update as Update
    from ferbench.protocols.base import Protocol as Protocol
    from ferbench.protocols.settings import ProtocolSettings as ProtocolSettings

_LATER = {
    "Executor": "ferbench.executors.base",
    "Backbone": "ferbench.interfaces.backbone",
    "BatchImages": "ferbench.interfaces.dataset",
    "Dataset": "ferbench.interfaces.dataset",
    "Detector": "ferbench.interfaces.detector",
    "Face": "ferbench.interfaces.detector",
    "Outputs": "ferbench.interfaces.evaluator",
    "Batch": "ferbench.interfaces.method",
    "Clock": "ferbench.interfaces.method",
    "Group": "ferbench.interfaces.method",
    "Identifies": "ferbench.interfaces.method",
    "Method": "ferbench.interfaces.method",
    "Stage": "ferbench.interfaces.method",
    "Synthesizes": "ferbench.interfaces.method",
    "Task": "ferbench.interfaces.method",
    "Update": "ferbench.interfaces.method",
    "Protocol": "ferbench.protocols.base",
    "ProtocolSettings": "ferbench.protocols.settings",
}

__all__ = [
    "BackboneCard",
    "DatasetCard",
    "DetectorCard",
    "EvaluatorCard",
    "ExecutorCard",
    "FerbenchError",
    "FrameError",
    "MethodCard",
    "Metric",
    "NoSettings",
    "ProtocolCard",
    "Published",
    "StageCard",
    "UnknownName",
    "hookimpl",
    *_LATER,
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'ferbench' has no attribute '{name}'")
