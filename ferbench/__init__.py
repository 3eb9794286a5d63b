"""ferbench: a pluggable benchmark for disentangled facial expression recognition.

The names below are what a plugin needs, and the work of the command line: `run`, `load_results`, `leaderboard`, `compare`. Names
whose modules take long to import are imported on first use, so that `import ferbench` and a plugin's cards need no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ferbench.cards import (
    BackboneCard,
    BySubject,
    CommandCard,
    Counts,
    CountScore,
    DatasetCard,
    DetectorCard,
    EvaluatorCard,
    ExecutorCard,
    MethodCard,
    Metric,
    NoSettings,
    ProtocolCard,
    Published,
    PublishedResult,
    StageCard,
    TrackerCard,
    ZenodoRecord,
    added,
    settings_of,
)
from ferbench.errors import FerbenchError, FrameError, NoSuch, NotMeasurable, UnknownName
from ferbench.hookspecs import hookimpl

if TYPE_CHECKING:
    __version__: str
    from ferbench.api.results import Comparison as Comparison
    from ferbench.api.results import Leaderboard as Leaderboard
    from ferbench.api.results import compare as compare
    from ferbench.api.results import leaderboard as leaderboard
    from ferbench.api.results import load_results as load_results
    from ferbench.api.run import Run as Run
    from ferbench.api.run import run as run
    from ferbench.interfaces.backbone import Backbone as Backbone
    from ferbench.interfaces.dataset import BatchImages as BatchImages
    from ferbench.interfaces.dataset import Dataset as Dataset
    from ferbench.interfaces.detector import Detector as Detector
    from ferbench.interfaces.detector import Face as Face
    from ferbench.interfaces.evaluator import Outputs as Outputs
    from ferbench.interfaces.evaluator import PerSubject as PerSubject
    from ferbench.interfaces.executor import Executor as Executor
    from ferbench.interfaces.executor import Progress as Progress
    from ferbench.interfaces.method import Average as Average
    from ferbench.interfaces.method import Batch as Batch
    from ferbench.interfaces.method import Clock as Clock
    from ferbench.interfaces.method import Epoch as Epoch
    from ferbench.interfaces.method import Estimates as Estimates
    from ferbench.interfaces.method import Group as Group
    from ferbench.interfaces.method import Identifies as Identifies
    from ferbench.interfaces.method import Method as Method
    from ferbench.interfaces.method import Part as Part
    from ferbench.interfaces.method import Stage as Stage
    from ferbench.interfaces.method import Synthesizes as Synthesizes
    from ferbench.interfaces.method import Task as Task
    from ferbench.interfaces.method import Update as Update
    from ferbench.interfaces.protocol import Protocol as Protocol
    from ferbench.interfaces.protocol import ProtocolSettings as ProtocolSettings
    from ferbench.interfaces.replicas import whole_batch as whole_batch
    from ferbench.interfaces.sampling import PK as PK
    from ferbench.interfaces.sampling import Balanced as Balanced
    from ferbench.interfaces.sampling import Partner as Partner
    from ferbench.interfaces.tracker import Tracked as Tracked
    from ferbench.interfaces.tracker import Tracker as Tracker

# name -> module that defines it; see __getattr__
_LAZY = {
    "Comparison": "ferbench.api.results",
    "Leaderboard": "ferbench.api.results",
    "compare": "ferbench.api.results",
    "leaderboard": "ferbench.api.results",
    "load_results": "ferbench.api.results",
    "Run": "ferbench.api.run",
    "run": "ferbench.api.run",
    "Backbone": "ferbench.interfaces.backbone",
    "BatchImages": "ferbench.interfaces.dataset",
    "Dataset": "ferbench.interfaces.dataset",
    "Detector": "ferbench.interfaces.detector",
    "Face": "ferbench.interfaces.detector",
    "Outputs": "ferbench.interfaces.evaluator",
    "PerSubject": "ferbench.interfaces.evaluator",
    "Executor": "ferbench.interfaces.executor",
    "Average": "ferbench.interfaces.method",
    "Progress": "ferbench.interfaces.executor",
    "Batch": "ferbench.interfaces.method",
    "Clock": "ferbench.interfaces.method",
    "Epoch": "ferbench.interfaces.method",
    "Estimates": "ferbench.interfaces.method",
    "Group": "ferbench.interfaces.method",
    "Identifies": "ferbench.interfaces.method",
    "Method": "ferbench.interfaces.method",
    "Part": "ferbench.interfaces.method",
    "Stage": "ferbench.interfaces.method",
    "Synthesizes": "ferbench.interfaces.method",
    "Task": "ferbench.interfaces.method",
    "Update": "ferbench.interfaces.method",
    "Protocol": "ferbench.interfaces.protocol",
    "ProtocolSettings": "ferbench.interfaces.protocol",
    "whole_batch": "ferbench.interfaces.replicas",
    "PK": "ferbench.interfaces.sampling",
    "Balanced": "ferbench.interfaces.sampling",
    "Partner": "ferbench.interfaces.sampling",
    "Tracked": "ferbench.interfaces.tracker",
    "Tracker": "ferbench.interfaces.tracker",
}

__all__ = [
    "BackboneCard",
    "BySubject",
    "CommandCard",
    "CountScore",
    "Counts",
    "DatasetCard",
    "DetectorCard",
    "EvaluatorCard",
    "ExecutorCard",
    "FerbenchError",
    "FrameError",
    "MethodCard",
    "Metric",
    "NoSettings",
    "NoSuch",
    "NotMeasurable",
    "ProtocolCard",
    "Published",
    "PublishedResult",
    "StageCard",
    "TrackerCard",
    "UnknownName",
    "ZenodoRecord",
    "__version__",
    "added",
    "hookimpl",
    "settings_of",
    *_LAZY,
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("ferbench")
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'ferbench' has no attribute '{name}'")
