"""The results folder. Records are written atomically, and many processes may write at the same time.

    results/<trial>/                    a record: record.json and the files of records/files.py
    results/.failures/<trial>.json      outcomes of failed trials
    results/.evaluated/<trial>.json     metrics that `ferbench evaluate` added
    results/.submissions/<trial>.json   status of submitted records
    results/.references/<key>.json      metrics of the reference representations, shared by all methods on a fold
    results/.stages/<key>/              trained stages, shared by trials, and checkpoints of unfinished ones
    results/.replaced/                  records that `ferbench run --fresh` replaced
    results/.index/                     what boards read of the records, in columns (index.py); may be deleted at any time
    results/.studies/<study>.json       the studies that were run, for `ferbench status` (studies.py)
    results/.progress/<node>.jsonl      what is reported about work in progress (ferbench/interfaces/events.py)
    results/.drafts/, .leases/          work in progress

A folder is written as a draft, flushed to disk, and renamed. Leases (lease.py) ensure that each trial and each stage is run by
one process at a time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferbench.errors import FerbenchError
from ferbench.files import publish, replace_text
from ferbench.limits import leave_if_forked
from ferbench.records import files
from ferbench.records.index import LEAST, Index, Stamp, replaced, stamp
from ferbench.records.lease import is_held, lease
from ferbench.records.schema import Outcome, Record, StageRun, Trial, code_key

LEASES = ".leases"
EVALUATED, SUBMISSIONS = ".evaluated", ".submissions"
LATER = (EVALUATED, SUBMISSIONS)
"""Folders with a file for each record about which something was stored later."""


@dataclass(frozen=True)
class Damaged:
    """A folder without a readable record, and the reason."""

    path: Path
    reason: str


class Store:
    """A results folder: reads and writes the records, failures and stages in it."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._pid = os.getpid()

    def __reduce__(self) -> tuple[type[Store], tuple[Path]]:
        return Store, (self.root,)  # in another process, it is that process's own

    def prepare(self) -> None:
        """Create the folder and check that it can be written.

        Raises:
            FerbenchError: it cannot be written.
        """
        try:
            for name in (".stages", ".drafts", LEASES, ".failures", ".references"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
            probe = self.root / ".drafts" / f"probe-{uuid.uuid4().hex}"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise FerbenchError(
                f"results_dir={self.root} cannot be written: {error.strerror or error}. Choose another with results_dir=FOLDER."
            ) from error

    # -- records

    def path(self, trial: str) -> Path:
        """The folder of a trial's record, whether it exists or not."""
        return self.root / trial

    def has(self, trial: str) -> bool:
        """Whether there is a record of the trial."""
        return (self.root / trial / files.RECORD).is_file()

    def finished(self, trial: Trial) -> bool:
        """Whether the trial has a record, other than the one that it is to replace."""
        if not self.has(trial.id):
            return False
        return not trial.replaces or code_key(self.load(trial.id).code) != trial.replaces

    def load(self, trial: str) -> Record:
        """Read a record. Raises FerbenchError if it does not exist or cannot be read."""
        record = self._read(self.root / trial)
        if isinstance(record, Damaged):
            raise FerbenchError(f"The record in {record.path} is damaged ({record.reason}).")
        return record

    def scan(self) -> tuple[list[Record], list[Damaged]]:
        """All records, with metrics that were added later, and all folders without a readable record.

        Raises:
            FerbenchError: the results folder does not exist.
        """
        if not self.root.is_dir():
            raise FerbenchError(f"There is no results folder {self.root}. 'ferbench run' creates it.")
        with os.scandir(self.root) as entries:
            names = sorted(e.name for e in entries if not e.name.startswith(".") and e.is_dir())
        records, damaged, known = [], [], []
        new: list[tuple[Record, Stamp]] = []
        with no_collector():
            index = Index(self.root)
            for name in names:
                now = stamp(f"{self.root}/{name}/{files.RECORD}")
                record = index.get(name, now) if now else None
                if record is not None:
                    known.append(name)
                else:
                    found = self._read(self.root / name)
                    if isinstance(found, Damaged):
                        damaged.append(found)
                        continue
                    record = found
                    if now is not None:
                        new.append((record, now))
                records.append(record)
            if len(new) >= LEAST:
                index.write(known, new)
        later = self._beside(EVALUATED)
        records = [_with_later(r, later[r.trial.id]) if r.trial.id in later else r for r in records]
        return records, damaged

    def write_evaluated(
        self,
        trial: str,
        metrics: Mapping[str, float | None],
        by_subject: Mapping[str, Mapping[str, float]] | None = None,
        evaluators: Mapping[str, int] | None = None,
    ) -> None:
        """Store metrics that were computed after the trial, their values by subject, and the versions of the evaluators by name.
        `scan` adds them to those of the record."""
        path = self.root / EVALUATED / f"{trial}.json"
        path.parent.mkdir(exist_ok=True)
        before = self._beside(EVALUATED, path.name).get(trial, {})
        beside = {
            "evaluators": {**before.get("evaluators", {}), **(evaluators or {})},
            "by_subject": {**before.get("by_subject", {}), **(by_subject or {})},
        }
        replace_text(path, json.dumps({**before, **metrics, **beside}))

    def submission_statuses(self) -> dict[str, str]:
        """The status of submitted records by trial, see ferbench.submission."""
        return {trial: str(values["status"]) for trial, values in self._beside(SUBMISSIONS).items()}

    def write_submission_status(self, trial: str, status: str, reasons: Sequence[str]) -> None:
        """Store the status of a submitted record, with reasons in sentences."""
        path = self.root / SUBMISSIONS / f"{trial}.json"
        path.parent.mkdir(exist_ok=True)
        replace_text(path, json.dumps({"status": status, "reasons": list(reasons)}))

    def _beside(self, folder: str, pattern: str = "*.json") -> dict[str, dict[str, Any]]:
        """The content of the JSON files in a folder, by trial. Files that cannot be read are ignored."""
        contents = {}
        for path in (self.root / folder).glob(pattern):
            with contextlib.suppress(OSError, ValueError):
                contents[path.stem] = dict(json.loads(path.read_text(encoding="utf-8")))
        return contents

    @staticmethod
    def _read(folder: Path) -> Record | Damaged:
        try:
            record = Record.from_json((folder / files.RECORD).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Damaged(folder, "it has no record.json")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            return Damaged(folder, f"record.json cannot be read: {error}")
        if record.trial.id != folder.name:
            return Damaged(folder, f"it holds the trial {record.trial.id}")
        return record

    def write(self, trial: str, fill: Callable[[Path], Record], replace: bool = False) -> Record:
        """Write a record atomically: `fill` writes its files into a draft folder, which is renamed after record.json is added.

        If anything fails, the draft is removed and there is no record.

        Args:
            fill: writes all files except record.json into the folder that it gets, and returns the record.
            replace: whether to move an existing record to `.replaced` when the new one is complete, together with what was
                stored about it later. If not, it stays.

        Raises:
            OSError: a file cannot be written.
        """
        with self._draft(trial) as draft:
            record = dataclasses.replace(fill(draft), files=files.checksums(draft))
            (draft / files.RECORD).write_text(record.to_json(), encoding="utf-8")
            if replace and self.has(trial):
                old = self.root / ".replaced" / f"{trial}-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}"
                old.parent.mkdir(exist_ok=True)
                publish(draft, self.root / trial, old)
                for folder in LATER:
                    with contextlib.suppress(FileNotFoundError):
                        (self.root / folder / f"{trial}.json").rename(old / f"{folder.removeprefix('.')}.json")
            else:
                publish(draft, self.root / trial)
        with contextlib.suppress(FileNotFoundError):
            self._failure(trial).unlink()
        return record

    def adopt(self, trial: str, contents: Mapping[str, bytes]) -> None:
        """Store a record from elsewhere. `contents`: its files by name."""
        with self._draft(trial) as draft:
            for name, data in contents.items():
                (draft / name).write_bytes(data)
            publish(draft, self.root / trial)

    @contextlib.contextmanager
    def _draft(self, trial: str) -> Iterator[Path]:
        """A new folder, which is removed at the end unless it was renamed."""
        leave_if_forked(self._pid)
        draft = self.root / ".drafts" / f"{trial}-{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        draft.mkdir(parents=True)
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    # -- failures

    def _failure(self, trial: str) -> Path:
        return self.root / ".failures" / f"{trial}.json"

    def failure(self, trial: str) -> Outcome | None:
        """The stored failure of a trial; None if there is none or it cannot be read."""
        try:
            return Outcome.from_json(self._failure(trial).read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def failures(self) -> list[Outcome]:
        """All stored failures, sorted by the name of the trial."""
        names = [p.stem for p in sorted((self.root / ".failures").glob("*.json"))]
        return [outcome for name in names if (outcome := self.failure(name)) is not None]

    def write_failure(self, outcome: Outcome) -> None:
        """Store the outcome of a failed trial. It is removed when a record of the trial is written."""
        leave_if_forked(self._pid)
        replace_text(self._failure(outcome.trial.id), outcome.to_json())

    # -- stages

    def stage(self, key: str) -> Path:
        """The folder of a trained stage, whether it exists or not."""
        return self.root / ".stages" / key

    def trained(self, key: str) -> bool:
        """Whether a stage is trained."""
        return (self.stage(key) / files.STAGE).is_file()

    def stage_run(self, key: str) -> StageRun:
        """How a trained stage was trained. Raises OSError, ValueError or TypeError if its file cannot be read."""
        return StageRun(**json.loads((self.stage(key) / files.STAGE).read_text(encoding="utf-8")))

    def trained_by_other_code(self, key: str, code: str) -> bool:
        """Whether a stage is trained, and by other code than `code` (`schema.code_key`)."""
        return self.trained(key) and self.stage_run(key).code != code

    # -- metrics of reference representations, which all methods on a fold share

    def references(self, key: str) -> dict[str, float | None] | None:
        """The metrics of the reference representations; None if they are not computed yet."""
        try:
            return dict(json.loads((self.root / ".references" / f"{key}.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return None

    def write_references(self, key: str, metrics: Mapping[str, float | None]) -> None:
        """Store the metrics of the reference representations."""
        leave_if_forked(self._pid)
        replace_text(self.root / ".references" / f"{key}.json", json.dumps(metrics))

    # -- leases

    def lease(
        self, name: str, waiting: Callable[[str], None] | None = lambda holder: None
    ) -> contextlib.AbstractContextManager[None]:
        """A context in which this process alone, of all that use this folder, holds the lease `name`. See `lease.lease`."""
        return lease(self._lease(name), waiting)

    def held(self, name: str) -> bool:
        """Whether a running process holds the lease `name` now."""
        return is_held(self._lease(name))

    def _lease(self, name: str) -> Path:
        return self.root / LEASES / f"{name}.json"


@contextlib.contextmanager
def no_collector() -> Iterator[None]:
    """A context without Python's cyclic garbage collector. It would scan all records again and again while they are read, which
    takes more than half the time of reading ten thousand records."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # records are kept for long; the collector need not scan them
        if on:
            gc.enable()


def _with_later(record: Record, later: Mapping[str, Any]) -> Record:
    """A record with the metrics that `ferbench evaluate` stored about it, and the versions of their evaluators."""
    metrics = {k: v for k, v in later.items() if k not in ("evaluators", "by_subject")}
    versions = {**record.provenance.get("evaluators", {}), **later.get("evaluators", {})}
    provenance = {**record.provenance, **({"evaluators": versions} if versions else {})}
    by_subject = {name: found for name, found in record.by_subject.items() if name not in metrics}
    by_subject |= later.get("by_subject", {})
    return replaced(record, metrics={**record.metrics, **metrics}, by_subject=by_subject, provenance=provenance)
