"""The data types of trials, their records and their outcomes. They are stored as JSON, without pickle."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from ferbench.hashing import digest
from ferbench.records import upgrade
from ferbench.records.identity import Identity
from ferbench.records.seals import seal, unseal

SCHEMA = 2
"""Version of record.json. Older versions are converted when they are read (upgrade.py)."""

DONE, FAILED, OOM, INTERRUPTED, STORED = "done", "failed", "oom", "interrupted", "stored"
"""Values of `Outcome.status`. OOM: out of memory. STORED: the record existed already."""


class Newer(ValueError):
    """A later version of ferbench wrote the file."""


class Repetition(NamedTuple):
    """What distinguishes the trials of one row of a leaderboard: assignment of subjects to folds, fold and seed."""

    assignment: int
    fold: int
    seed: int


@dataclass(frozen=True)
class StageNode:
    """A stage that has to be trained. Trials whose stages have the same key share one training.

    Attributes:
        name: name of the stage.
        key: digest of all that the trained weights depend on; name of the stage's folder.
        steps: number of training steps.
    """

    name: str
    key: str
    steps: int


@dataclass(frozen=True)
class Trial:
    """A variant of a method on one fold with one seed: the unit that is run and stored.

    Attributes:
        id: digest of `identity`; name of the record's folder.
        config: the study's configuration, with the settings of the variant and with this trial's seed.
        identity: all that the result depends on.
        variant: "full", or the name of an ablation.
        fold: number of the fold, from 0.
        fold_count: number of folds.
        seed: random seed.
        stages: the stages to train, in order.
        plugin_files: paths of the plugin files (`--plugin`), which each worker process loads.
        judges: the training of the judges, equal for all trials with the same fold, seed and backbone; None for no judges.
        code: digest of the code by part: "core", "method", "backbone", "dataset", "protocol". It is not part of the identity,
            see `Identity.code`.
        replaces: with `--fresh`, `code_key` of the stored record that the trial replaces; "" if it replaces none.
    """

    id: str
    config: Mapping[str, Any]
    identity: Identity
    variant: str
    fold: int
    fold_count: int
    seed: int
    stages: tuple[StageNode, ...]
    plugin_files: tuple[str, ...] = ()
    judges: StageNode | None = None
    code: Mapping[str, str] = field(default_factory=dict)
    replaces: str = ""

    @property
    def method(self) -> str:
        """Name of the method."""
        return self.identity.method.name

    @property
    def trainings(self) -> list[StageNode]:
        """All that is trained for the trial: its stages and its judges."""
        return [*self.stages, *([self.judges] if self.judges is not None else [])]

    @property
    def label(self) -> str:
        """Text for progress and tables, such as "degan no_identity_head · fold 3 · seed 0"."""
        variant = "" if self.variant == "full" else f" {self.variant}"
        if self.identity.extra is not None:
            variant = f"+{self.identity.extra.name}{variant}"
        assignment = f" · assignment {self.repetition.assignment}" if self.repetition.assignment else ""
        return f"{self.method}{variant} · fold {self.fold} · seed {self.seed}{assignment}"

    @property
    def timeout(self) -> float:
        """The setting `trial.timeout`, in seconds; 0 for no limit, and for trials that were planned before there was one."""
        return float(self.config.get("trial", {}).get("timeout", 0))

    @cached_property
    def repetition(self) -> Repetition:
        """Assignment, fold and seed."""
        return Repetition(int(self.identity.protocol.settings.get("assignment", 0)), self.fold, self.seed)

    def to_dict(self) -> dict[str, Any]:
        """The trial as dicts, lists, strings and numbers."""
        return {**dataclasses.asdict(self), "identity": self.identity.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Trial:
        """The inverse of `to_dict`. Raises KeyError or TypeError if the values are not a trial."""
        stages = tuple(StageNode(**stage) for stage in values["stages"])
        judges = StageNode(**values["judges"]) if values.get("judges") else None
        files = tuple(values.get("plugin_files", ()))
        identity = Identity.from_dict(values["identity"])
        return cls(**{**values, "identity": identity, "stages": stages, "judges": judges, "plugin_files": files})


@dataclass(frozen=True)
class StageRun:
    """One stage of a finished trial.

    Attributes:
        name, key, steps: as of the StageNode.
        steps_run: number of steps that this trial trained; 0 if it used a stored stage.
        seconds: training time.
        weights: SHA-256 of the file with the trained weights.
        code: `code_key` of the code that trained the stage; empty for records of older versions.
    """

    name: str
    key: str
    steps: int
    steps_run: int
    seconds: float
    weights: str
    code: str = ""


@dataclass(frozen=True)
class Record:
    """The record of a finished trial.

    Attributes:
        trial: the trial.
        expressions: names of the C classes.
        subjects: subject IDs of the test set.
        metrics: metrics by name; None if one could not be computed from the data.
        confusion: confusion matrix of frames by subject: (C, C) counts, true classes in rows, predicted ones in columns.
        sequence_confusion: confusion matrix of sequences by subject, in the same form.
        notes: sentences about what was left out or could not be measured.
        stages: the trained stages.
        cost: steps, images_seen (in the training of all stages), parameters (of all networks), forward_flops (to classify one
            image), peak_memory (in bytes), train_seconds (of all stages, including stored ones), seconds (of this trial).
        provenance: versions, machine, device, precision, times, and digests of the code.
        files: SHA-256 of the other files in the folder, by name.
        by_subject: for metrics that evaluators give by subject (`PerSubject`), the value of each subject; their mean is the metric.
        schema: version of record.json.
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
    by_subject: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    schema: int = SCHEMA

    def to_json(self) -> str:
        """The text of record.json, sealed."""
        return seal(as_json({**dataclasses.asdict(self), "trial": self.trial.to_dict()}, allow_nan=False))

    @classmethod
    def from_json(cls, text: str) -> Record:
        """Reads this version and older ones.

        Raises:
            Newer: a later version wrote it.
            ValueError, KeyError, TypeError: the text is not a record, or was changed since it was written.
        """
        values = unseal(text, _shown)
        schema = values.get("schema")
        if schema == 1:
            values = upgrade.record(values)
        elif schema != SCHEMA:
            newer = isinstance(schema, int) and schema > SCHEMA
            raise (Newer if newer else ValueError)(f"schema version {schema!r}; this ferbench reads 1 to {SCHEMA}")
        return cls(
            **{
                **values,
                "trial": Trial.from_dict(values["trial"]),
                "expressions": tuple(values["expressions"]),
                "subjects": tuple(values["subjects"]),
                "notes": tuple(values["notes"]),
                "stages": tuple(StageRun(**stage) for stage in values["stages"]),
            }
        )

    @property
    def code(self) -> Mapping[str, str]:
        """Digest of the code that ran the trial, by part."""
        return dict(self.provenance.get("code") or {})


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Attributes:
        trial: the trial.
        status: done, stored (the record existed already), failed, oom (out of memory) or interrupted.
        error: the error in one sentence; empty if there was none.
        trace: the traceback, for bugs.
        stage: stage in which it failed; empty if it was in none.
        step: step at which it failed; -1 if it was in none.
        seconds: how long it took.
        again: whether the same command tries it again, because it failed with the disk and not by itself. It is not stored then.
    """

    trial: Trial
    status: str
    error: str = ""
    trace: str = ""
    stage: str = ""
    step: int = -1
    seconds: float = 0.0
    again: bool = False

    def to_json(self) -> str:
        """The text of the file of a failure, sealed."""
        return seal(as_json({"schema": SCHEMA, **dataclasses.asdict(self), "trial": self.trial.to_dict()}))

    @classmethod
    def from_json(cls, text: str) -> Outcome:
        """The inverse of `to_json`; reads outcomes of version 1 too. Raises ValueError, KeyError or TypeError for other texts."""
        values = unseal(text, _shown)
        schema = values.pop("schema")
        trial = upgrade.trial(values["trial"]) if schema == 1 else values["trial"]
        return cls(**{**values, "trial": Trial.from_dict(trial)})


_HIDDEN = re.compile(
    r"(?<!\\)((?:\\\\)*)\\(?:u00(0[0-9a-fA-F]|1[0-9a-fA-F]|7[fF]|[89][0-9a-fA-F])|([bfr]))|([\x7f-\x9f])"
)
"""Control characters in JSON, besides line breaks and tabs as they are usually written."""

_SHORT = {"b": "08", "f": "0c", "r": "0d"}


def _shown(text: str) -> str:
    r"""JSON with its control characters written as \\x1b: text of others cannot move a terminal's cursor, wherever it is shown.

    >>> json.loads(_shown('["\\u001b[2J", "line\\nbreak", "\\\\u001b"]')) == ["\\x1b[2J", "line\nbreak", "\\u001b"]
    True
    """
    if "\\" not in text and text.isascii() and "\x7f" not in text:
        return text
    return _HIDDEN.sub(_visible, text)


def _visible(match: re.Match[str]) -> str:
    before, code, short, raw = match.groups()
    return f"{before or ''}\\\\x{code or _SHORT.get(short or '') or f'{ord(raw):02x}'}"


def code_key(code: Mapping[str, str]) -> str:
    """One digest of the code of all parts; "unknown" for records that do not contain it."""
    return digest(dict(code)) if code else "unknown"


def as_json(data: Mapping[str, Any], allow_nan: bool = True) -> str:
    """JSON that can be written as UTF-8. Names of files that are no UTF-8 are escaped in it, and come back as they were."""
    text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=allow_nan)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(data, indent=1, allow_nan=allow_nan)
    return text
