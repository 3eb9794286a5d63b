"""What a finished trial leaves, and what became of one that did not finish. Plain JSON; no pickle anywhere."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SCHEMA = 1
"""Version of the files below; readers of all older versions stay."""

IDENTITY = 1
"""Version of how a trial's identity is put together."""

DONE, FAILED, OOM, INTERRUPTED, STORED = "done", "failed", "oom", "interrupted", "stored"


@dataclass(frozen=True)
class StageNode:
    """A stage training in the graph of a study: done once for all trials that hold its key."""

    name: str
    key: str
    steps: int


@dataclass(frozen=True)
class Trial:
    """A method variant on one fold with one seed: the unit that is run, stored, resumed and distributed.

    `identity` holds all that a result depends on; `id` is its hash. `config` is the study's configuration with the
    variant's settings and this trial's seed filled in; `judges` are what made faces are shown to, the same for all trials of a
    fold, seed and backbone. Everything is plain data, so that an executor can send it.
    """

    id: str
    config: Mapping[str, Any]
    identity: Mapping[str, Any]
    variant: str
    fold: int
    folds: int
    seed: int
    stages: tuple[StageNode, ...]
    plugin_files: tuple[str, ...] = ()
    judges: StageNode | None = None

    @property
    def method(self) -> str:
        return str(self.config["method"]["name"])

    @property
    def label(self) -> str:
        variant = "" if self.variant == "full" else f" {self.variant}"
        assignment = f" · assignment {self.place[0]}" if self.place[0] else ""
        return f"{self.method}{variant} · fold {self.fold} · seed {self.seed}{assignment}"

    @property
    def place(self) -> tuple[int, int, int]:
        """(assignment of subjects to folds, fold, seed): where it stands among the trials of its row."""
        return int(self.identity.get("protocol", {}).get("assignment", 0)), self.fold, self.seed

    def plain(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Trial:
        stages = tuple(StageNode(**stage) for stage in values["stages"])
        judges = StageNode(**values["judges"]) if values.get("judges") else None
        files = tuple(values.get("plugin_files", ()))
        return cls(**{**values, "stages": stages, "judges": judges, "plugin_files": files})


@dataclass(frozen=True)
class StageRun:
    """What a trial did for one of its stages: `steps_run` of `steps`; 0 where the trained stage was found stored."""

    name: str
    key: str
    steps: int
    steps_run: int
    seconds: float
    weights: str


@dataclass(frozen=True)
class Record:
    """A finished trial.

    Attributes:
        trial: see Trial.
        expressions: the classes.
        subjects: the tested subjects.
        metrics: by name; None where the data did not allow one.
        confusion: by subject, (C, C) counts of frames, rows true, columns predicted.
        sequence_confusion: likewise of sequences.
        notes: sentences for the reader: what was left out or could not be measured.
        stages: what was trained.
        cost: steps, images_seen (in training, all stages), parameters (of all networks), forward_flops (to recognise one
            image), peak_memory (bytes), train_seconds (of all stages, also of those found trained), seconds (of this trial).
        provenance: versions, machine, device, precision, times.
        files: SHA-256 of the other files in the folder.
    """

    trial: Trial
    expressions: tuple[str, ...]
    subjects: tuple[str, ...]
    metrics: Mapping[str, float | None]
    confusion: Mapping[str, list[list[int]]]
    sequence_confusion: Mapping[str, list[list[int]]]
    notes: tuple[str, ...] = ()
    stages: tuple[StageRun, ...] = ()
    cost: Mapping[str, float] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    schema: int = SCHEMA

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Record:
        """Raises ValueError, KeyError or TypeError where the text is no record."""
        values = json.loads(text)
        if values.get("schema") != SCHEMA:
            raise ValueError(f"schema version {values.get('schema')!r}; this ferbench reads {SCHEMA}")
        return cls(
            **{
                **values,
                "trial": Trial.from_plain(values["trial"]),
                "expressions": tuple(values["expressions"]),
                "subjects": tuple(values["subjects"]),
                "notes": tuple(values["notes"]),
                "stages": tuple(StageRun(**stage) for stage in values["stages"]),
            }
        )


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Attributes:
        status: done, stored (was there already), failed, oom or interrupted.
        error: one sentence.
        trace: the traceback, for errors that are not the user's.
        stage, step: where it stopped.
    """

    trial: Trial
    status: str
    error: str = ""
    trace: str = ""
    stage: str = ""
    step: int = -1
    seconds: float = 0.0

    def to_json(self) -> str:
        return json.dumps({"schema": SCHEMA, **dataclasses.asdict(self)}, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Outcome:
        values = json.loads(text)
        values.pop("schema")
        return cls(**{**values, "trial": Trial.from_plain(values["trial"])})


def differences(a: Any, b: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """(path, value in a, value in b) for every leaf in which two identities differ; None where one has none."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        keys = sorted({*a, *b})
        return [d for key in keys for d in differences(a.get(key), b.get(key), f"{path}.{key}" if path else key)]
    return [] if a == b else [(path, a, b)]
