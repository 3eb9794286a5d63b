"""The studies that were run into a results folder, for `ferbench status`:

results/.studies/<study>.json       the command, the executor, and the trials; of the last time that it was run
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferbench.files import replace_text
from ferbench.hashing import digest
from ferbench.records.schema import StageNode, Trial
from ferbench.records.store import LEASES, Store

FOLDER = ".studies"


@dataclass(frozen=True)
class Planned:
    """A trial of a study.

    Attributes:
        id, label: of the trial. kind: method and variant, such as "degan no_identity_head".
        stages: all that is trained for it: its stages, and the judges.
    """

    id: str
    label: str
    kind: str
    stages: tuple[StageNode, ...]


@dataclass(frozen=True)
class StudyFile:
    """A study that was run.

    Attributes:
        command: the words of the command, without "ferbench".
        executor: name and settings of the executor. plugins: files that were loaded as plugins.
        began: when it was last run, in seconds since 1970.
        trials: its trials.
    """

    command: tuple[str, ...]
    executor: Mapping[str, Any]
    began: float
    trials: tuple[Planned, ...]
    plugins: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Digest of its trials."""
        return digest(sorted(trial.id for trial in self.trials), 12)


@contextlib.contextmanager
def remembered(
    store: Store,
    command: Sequence[str],
    executor: Mapping[str, Any],
    trials: Sequence[Trial],
    plugins: Sequence[str] = (),
) -> Iterator[None]:
    """A context in which a study is run, which its file says. Raises OSError if that cannot be written."""
    planned = tuple(
        Planned(
            trial.id,
            trial.label,
            trial.label.partition(" · ")[0],
            tuple(trial.trainings),
        )
        for trial in trials
    )
    study = StudyFile(tuple(command), dict(executor), time.time(), planned, tuple(plugins))
    path = store.root / FOLDER / f"{study.id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, json.dumps(dataclasses.asdict(study)))
    with store.lease(f"study-{study.id}-{socket.gethostname()}-{os.getpid()}"):
        yield


def commands(store: Store, study: StudyFile) -> int:
    """How many commands run a study now."""
    return sum(store.held(path.stem) for path in (store.root / LEASES).glob(f"study-{study.id}-*.json"))


def studies(results_dir: str | Path) -> list[StudyFile]:
    """The studies of a results folder, the last one first. Files that cannot be read are passed over."""
    found = []
    for path in Path(results_dir, FOLDER).glob("*.json"):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            values = json.loads(path.read_text(encoding="utf-8"))
            trials = [
                Planned(**{**trial, "stages": tuple(StageNode(**stage) for stage in trial["stages"])})
                for trial in values["trials"]
            ]
            words = {"command": tuple(values["command"]), "plugins": tuple(values["plugins"])}
            found.append(StudyFile(**{**values, **words, "trials": tuple(trials)}))
    return sorted(found, key=lambda study: -study.began)
