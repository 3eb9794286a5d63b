"""The results folder. Records are written atomically, and many processes may write at the same time.

    results/<trial>/                    a record: record.json and the files of records/files.py
    results/.failures/<trial>.json      outcomes of failed trials
    results/.evaluated/<trial>.json     metrics that `ferbench evaluate` added
    results/.submissions/<trial>.json   status of submitted records
    results/.references/<key>.json      metrics of the reference representations, shared by all methods on a fold
    results/.stages/<key>/              trained stages, shared by trials, and checkpoints of unfinished ones
    results/.replaced/                  records that `ferbench run --fresh` replaced
    results/.damaged/                   what was found damaged and moved out of the way
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
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferbench.errors import FerbenchError
from ferbench.files import move, publish, replace_text
from ferbench.limits import leave_if_forked
from ferbench.owner import mark
from ferbench.records import drafts, files
from ferbench.records.index import LEAST, Index, Stamp, replaced, stamp
from ferbench.records.lease import end_if_dead, is_held, is_whole, lease
from ferbench.records.metrics import CARDS, UNMEASURED
from ferbench.records.schema import SCHEMA, Newer, Outcome, Record, StageRun, Trial, code_key
from ferbench.records.seals import seal, unseal

LEASES, PROGRESS = ".leases", ".progress"
EVALUATED, SUBMISSIONS, REFERENCES = ".evaluated", ".submissions", ".references"
FAILURES = ".failures"
OF = "of"
"""Key, in files beside the records, of the trial or key that they are about."""
UNREADABLE = "status unreadable"
"""The status of a submitted record whose status cannot be read."""
LATER = (EVALUATED, SUBMISSIONS)
"""Folders with a file for each record about which something was stored later."""


@dataclass(frozen=True)
class Damaged:
    """A file or folder that cannot be read and is left out.

    Attributes:
        reason: a sentence without its full stop.
        newer: whether a later version of ferbench wrote it.
    """

    path: Path
    reason: str
    newer: bool = False


_whole: dict[Path, Stamp] = {}
"""Files of records that this process has read, and found whole."""


class Store:
    """A results folder: reads and writes the records, failures and stages in it.

    Raises:
        FerbenchError: the folder's name is empty, which Path takes for the current folder.
    """

    def __init__(self, root: str | Path) -> None:
        if not str(root).strip():
            raise FerbenchError("The name of the results folder is empty. Write one; '.' is the current folder.")
        self.root = Path(root)
        self._pid = os.getpid()

    def __reduce__(self) -> tuple[type[Store], tuple[Path]]:
        return Store, (self.root,)  # in another process, it is that process's own

    def prepare(self) -> None:
        """Create the folder, check that it can be written, and remove what processes left there that died while they wrote.

        Raises:
            FerbenchError: it cannot be written.
        """
        try:
            for name in (".stages", ".drafts", LEASES, FAILURES, REFERENCES):
                (self.root / name).mkdir(parents=True, exist_ok=True)
            probe = self.root / ".drafts" / f"probe-{mark()}"
            probe.write_bytes(b"ferbench")  # a full disk takes an empty file
            probe.unlink()
            drafts.clean(self.root)
            for path in (self.root / ".leases").glob("[!.]*.json"):
                end_if_dead(path)
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

    def damage(self, trial: str) -> Damaged | None:
        """Why there is a folder of the trial, but no record that can be read; None if there is a record, or no folder."""
        folder = self.root / trial
        now = stamp(str(folder / files.RECORD))
        if (now is not None and _whole.get(folder) == now) or not folder.is_dir():
            return None
        found = self._read(folder)
        return found if isinstance(found, Damaged) else None

    def load(self, trial: str) -> Record:
        """Read a record. Raises FerbenchError if it does not exist or cannot be read."""
        record = self._read(self.root / trial)
        if isinstance(record, Damaged):
            raise FerbenchError(f"The record in {record.path} is damaged ({record.reason}).")
        return record

    def scan(self) -> tuple[list[Record], list[Damaged]]:
        """All records, with metrics that were added later, and all folders and files beside them that cannot be read.

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
        later, unreadable = self._beside(EVALUATED)
        damaged += unreadable
        records = [_with_later(r, later[r.trial.id]) if r.trial.id in later else r for r in records]
        return records, damaged

    def write_evaluated(
        self,
        trial: str,
        metrics: Mapping[str, float | None],
        by_subject: Mapping[str, Mapping[str, float]] | None = None,
        evaluators: Mapping[str, int] | None = None,
        cards: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Store metrics that were computed after the trial, their values by subject, the versions of the evaluators by name, and
        what cards say of the metrics (`metrics.as_stated`). `scan` adds them to those of the record."""
        path = self.root / EVALUATED / f"{trial}.json"
        path.parent.mkdir(exist_ok=True)
        before = self._beside(EVALUATED, path.name)[0].get(trial, {})
        beside = {
            "evaluators": {**before.get("evaluators", {}), **(evaluators or {})},
            "by_subject": {**before.get("by_subject", {}), **(by_subject or {})},
            CARDS: {**before.get(CARDS, {}), **(cards or {})},
        }
        replace_text(path, seal(json.dumps({**before, **metrics, **beside, OF: trial})))

    def submission_statuses(self) -> dict[str, str]:
        """The status of submitted records by trial, see ferbench.submission."""
        found, damaged = self._beside(SUBMISSIONS)
        unreadable = {item.path.stem: UNREADABLE for item in damaged}
        return {trial: str(values["status"]) for trial, values in found.items()} | unreadable

    def write_submission_status(self, trial: str, status: str, reasons: Sequence[str]) -> None:
        """Store the status of a submitted record, with reasons in sentences."""
        path = self.root / SUBMISSIONS / f"{trial}.json"
        path.parent.mkdir(exist_ok=True)
        replace_text(path, seal(json.dumps({"status": status, "reasons": list(reasons), OF: trial})))

    def damaged_beside(self, folder: str) -> list[Damaged]:
        """The files in a folder beside the records that cannot be read."""
        if folder != FAILURES:
            return self._beside(folder)[1]
        paths = sorted((self.root / folder).glob("[!.]*.json"))
        return [Damaged(path, "it cannot be read") for path in paths if self.failure(path.stem) is None]

    def _beside(self, folder: str, pattern: str = "[!.]*.json") -> tuple[dict[str, dict[str, Any]], list[Damaged]]:
        """The content of the JSON files in a folder, by the trial or key in their names; and those that cannot be read."""
        contents: dict[str, dict[str, Any]] = {}
        damaged = []
        for path in sorted((self.root / folder).glob(pattern)):
            try:
                contents[path.stem] = _content(path)
            except (OSError, ValueError) as error:
                damaged.append(Damaged(path, f"it cannot be read: {error}"))
        return contents, damaged

    @staticmethod
    def _read(folder: Path) -> Record | Damaged:
        now = stamp(str(folder / files.RECORD))
        try:
            record = Record.from_json((folder / files.RECORD).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Damaged(folder, "it has no record.json")
        except Newer as error:
            return Damaged(folder, f"a later ferbench wrote it: {error}", newer=True)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            return Damaged(folder, f"record.json cannot be read: {error}")
        if record.trial.id != folder.name:
            return Damaged(folder, f"it holds the trial {record.trial.id}")
        if now is not None:
            _whole[folder] = now
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
            FerbenchError: a folder without a record is in the way.
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
        if not self.has(trial):
            raise FerbenchError(
                f"{self.root / trial} is in the way: it has no record.json. 'ferbench doctor {self.root} --mend' moves it."
            )
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
        draft = self.root / drafts.FOLDER / f"{trial}-{mark()}"
        draft.parent.mkdir(exist_ok=True)  # but not the results folder, which may have been unmounted
        draft.mkdir()
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    # -- failures

    def _failure(self, trial: str) -> Path:
        return self.root / FAILURES / f"{trial}.json"

    def failure(self, trial: str) -> Outcome | None:
        """The stored failure of a trial; None if there is none or it cannot be read."""
        try:
            outcome = Outcome.from_json(self._failure(trial).read_text(encoding="utf-8"))
            return outcome if outcome.trial.id == trial else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def failures(self) -> list[Outcome]:
        """All stored failures, sorted by the name of the trial."""
        names = [p.stem for p in sorted((self.root / FAILURES).glob("[!.]*.json"))]
        return [outcome for name in names if (outcome := self.failure(name)) is not None]

    def write_failure(self, outcome: Outcome) -> None:
        """Store the outcome of a failed trial, unless it is tried again anyway. It is removed when a record of the trial is
        written."""
        leave_if_forked(self._pid)
        if not outcome.again:
            replace_text(self._failure(outcome.trial.id), outcome.to_json())

    # -- stages

    def stage(self, key: str) -> Path:
        """The folder of a trained stage, whether it exists or not."""
        return self.root / ".stages" / key

    def trained(self, key: str) -> bool:
        """Whether a stage is trained."""
        return (self.stage(key) / files.STAGE).is_file()

    def stage_run(self, key: str) -> StageRun:
        """How a trained stage was trained.

        Raises:
            Newer: a later version of ferbench wrote it.
            OSError, ValueError, KeyError, TypeError: its stage.json cannot be read, or was changed.
        """
        return self._stage(key)[0]

    def _stage(self, key: str) -> tuple[StageRun, Mapping[str, str]]:
        """(how a stage was trained, SHA-256 of its files by name)."""
        values = unseal((self.stage(key) / files.STAGE).read_text(encoding="utf-8"))
        if (schema := values.pop("schema", SCHEMA)) != SCHEMA:
            raise Newer(f"schema version {schema!r}; this ferbench reads {SCHEMA}")
        sums = values.pop("files", None)
        run = StageRun(**values)
        if run.key != key:
            raise ValueError(f"it holds the stage {run.key}")
        return run, {files.WEIGHTS: run.weights} if sums is None else sums

    def stage_damage(self, key: str) -> Damaged | None:
        """Why a folder of a trained stage cannot be used; None if it is whole. All its bytes are read."""
        folder = self.stage(key)
        try:
            _, sums = self._stage(key)
            files.check(folder, sums, list(sums))
        except FileNotFoundError:
            return Damaged(folder, f"it has no {files.STAGE}")
        except Newer as error:
            return Damaged(folder, f"a later ferbench wrote it: {error}", newer=True)
        except FerbenchError as error:
            return Damaged(folder, str(error).removesuffix("."))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            return Damaged(folder, f"{files.STAGE} cannot be read: {error}")
        return None

    def trained_by_other_code(self, key: str, code: str) -> bool:
        """Whether a stage is trained, and by other code than `code` (`schema.code_key`). False if that cannot be read."""
        try:
            return self.trained(key) and self.stage_run(key).code != code
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def write_stage(self, run: StageRun, draft: Path) -> None:
        """Store a trained stage: its weights and losses lie in `draft`. Raises OSError if it cannot be written."""
        values = {**dataclasses.asdict(run), "schema": SCHEMA, "files": files.checksums(draft)}
        (draft / files.STAGE).write_text(seal(json.dumps(values)), encoding="utf-8")
        publish(draft, self.stage(run.key))

    def discard(self, path: Path) -> None:
        """Remove a file or folder that others may have open. It vanishes at once; what cannot be removed is left to `prepare`."""
        hidden = self.root / drafts.FOLDER / f"{path.name}-{mark()}"
        move(path, hidden)
        drafts.remove(hidden)

    def set_aside(self, path: Path) -> Path:
        """Move a damaged file or folder to `.damaged`, from where nothing is read. Returns its new path."""
        target = self.root / ".damaged" / f"{path.name}-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}"
        target.parent.mkdir(exist_ok=True)
        move(path, target)
        return target

    # -- metrics of reference representations, which all methods on a fold share

    def references(self, key: str) -> dict[str, float | None] | None:
        """The metrics of the reference representations; None if they are not computed yet or cannot be read."""
        try:
            return _content(self.root / REFERENCES / f"{key}.json")
        except (OSError, ValueError):
            return None

    def write_references(self, key: str, metrics: Mapping[str, float | None]) -> None:
        """Store the metrics of the reference representations."""
        leave_if_forked(self._pid)
        replace_text(self.root / REFERENCES / f"{key}.json", seal(json.dumps({**metrics, OF: key})))

    # -- leases

    def lease(
        self, name: str, waiting: Callable[[str], None] | None = lambda holder: None
    ) -> contextlib.AbstractContextManager[None]:
        """A context in which this process alone, of all that use this folder, holds the lease `name`. See `lease.lease`."""
        return lease(self._lease(name), waiting)

    def held(self, name: str) -> bool:
        """Whether a running process holds the lease `name` now."""
        return is_held(self._lease(name))

    def lease_is_whole(self, name: str) -> bool:
        """Whether the lease `name` can be read, or is gone."""
        return is_whole(self._lease(name))

    def _lease(self, name: str) -> Path:
        return self.root / LEASES / f"{name}.json"


def _content(path: Path) -> dict[str, Any]:
    """The content of a JSON file beside the records. Raises OSError or ValueError if it cannot be read or had another name."""
    values = unseal(path.read_text(encoding="utf-8"))
    if (of := values.pop(OF, path.stem)) != path.stem:
        raise ValueError(f"it is of {of}")
    return values


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
    metrics = {k: v for k, v in later.items() if k not in ("evaluators", "by_subject", CARDS)}
    provenance = dict(record.provenance)
    for key in ("evaluators", CARDS):
        if both := {**provenance.get(key, {}), **later.get(key, {})}:
            provenance[key] = both
    by_subject = {name: found for name, found in record.by_subject.items() if name not in metrics}
    by_subject |= later.get("by_subject", {})
    if failed := {k: v for k, v in provenance.pop(UNMEASURED, {}).items() if k not in later.get("evaluators", {})}:
        provenance[UNMEASURED] = failed
    return replaced(record, metrics={**record.metrics, **metrics}, by_subject=by_subject, provenance=provenance)
