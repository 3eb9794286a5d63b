"""The results folder: a record is whole or absent, and any number of processes may write at once.

    results/<trial>/record.json, predictions.parquet, embeddings.npy, weights.safetensors, losses.parquet
    results/.failures/<trial>.json      outcomes of trials that did not finish
    results/.evaluated/, .standing/     metrics worked out later, and what became of submitted records
    results/.stages/<key>/              trained stages, shared by trials, and checkpoints of those in training
    results/.drafts/, .leases/          work in progress

A folder is written beside its place, synced, and renamed into it. A lease is a file made with O_EXCL and touched every
few seconds by its holder; one that is no longer touched is taken over.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import json
import os
import shutil
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferbench.errors import FerbenchError
from ferbench.fingerprint import file_digest
from ferbench.records import Outcome, Record

HEARTBEAT = 10.0
"""Seconds between two touches of a lease; one not touched for STALE of them is taken over."""
STALE = 12


@dataclass(frozen=True)
class Damaged:
    """A folder that should hold a record and does not."""

    path: Path
    reason: str


class Store:
    """The results folder at `root`."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def prepare(self) -> None:
        """Make the folder, and make sure that it can be written.

        Raises:
            FerbenchError: it cannot.
        """
        try:
            for name in (".stages", ".drafts", ".leases", ".failures", ".references"):
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
        return self.root / trial

    def has(self, trial: str) -> bool:
        return (self.root / trial / "record.json").is_file()

    def load(self, trial: str) -> Record:
        """Raises FerbenchError where there is no whole record."""
        record = self._read(self.root / trial)
        if isinstance(record, Damaged):
            raise FerbenchError(f"The record in {record.path} is damaged ({record.reason}).")
        return record

    def scan(self) -> tuple[list[Record], list[Damaged]]:
        """All records, and the folders that should be one and are not."""
        if not self.root.is_dir():
            raise FerbenchError(f"There is no results folder {self.root}. 'ferbench run' makes one.")
        with os.scandir(self.root) as entries:
            names = sorted(e.name for e in entries if not e.name.startswith(".") and e.is_dir())
        with no_collector():
            found = [self._read(self.root / name) for name in names]
        later = self._beside(".evaluated")
        records = [r for r in found if isinstance(r, Record)]
        records = [
            dataclasses.replace(r, metrics={**r.metrics, **later[r.trial.id]}) if r.trial.id in later else r
            for r in records
        ]
        return records, [r for r in found if isinstance(r, Damaged)]

    def write_evaluated(self, trial: str, metrics: Mapping[str, float | None]) -> None:
        """Keep metrics that were worked out after the trial; `scan` gives them with the record's own."""
        path = self.root / ".evaluated" / f"{trial}.json"
        path.parent.mkdir(exist_ok=True)
        replace_text(path, json.dumps({**self._beside(".evaluated", f"{trial}.json").get(trial, {}), **metrics}))

    def standings(self) -> dict[str, str]:
        """By trial, what became of a submitted record: see ferbench.submission."""
        return {trial: str(found["standing"]) for trial, found in self._beside(".standing").items()}

    def write_standing(self, trial: str, standing: str, reasons: Sequence[str]) -> None:
        path = self.root / ".standing" / f"{trial}.json"
        path.parent.mkdir(exist_ok=True)
        replace_text(path, json.dumps({"standing": standing, "reasons": list(reasons)}))

    def _beside(self, folder: str, pattern: str = "*.json") -> dict[str, dict[str, Any]]:
        """What is kept about records, by trial; files that cannot be read are passed over."""
        found = {}
        for path in (self.root / folder).glob(pattern):
            with contextlib.suppress(OSError, ValueError):
                found[path.stem] = dict(json.loads(path.read_text(encoding="utf-8")))
        return found

    @staticmethod
    def _read(folder: Path) -> Record | Damaged:
        try:
            record = Record.from_json((folder / "record.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Damaged(folder, "it has no record.json")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            return Damaged(folder, f"record.json cannot be read: {error}")
        if record.trial.id != folder.name:
            return Damaged(folder, f"it holds the trial {record.trial.id}")
        return record

    def write(self, trial: str, fill: Callable[[Path], Record]) -> Record:
        """Let `fill` write the files of a record into a draft folder, add record.json, and rename it into place.

        Whatever goes wrong, the draft is removed and nothing stands in the record's place.
        """
        draft = self.root / ".drafts" / f"{trial}-{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        draft.mkdir(parents=True)
        try:
            record = fill(draft)
            files = {p.name: file_digest(p) for p in sorted(draft.iterdir())}
            record = Record(**{**vars(record), "files": files})
            (draft / "record.json").write_text(record.to_json(), encoding="utf-8")
            publish(draft, self.root / trial)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            self._failure(trial).unlink()
        return record

    def adopt(self, trial: str, files: Mapping[str, bytes]) -> None:
        """Put a record that somebody else made into its place, whole."""
        draft = self.root / ".drafts" / f"{trial}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        draft.mkdir(parents=True)
        try:
            for name, data in files.items():
                (draft / name).write_bytes(data)
            publish(draft, self.root / trial)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    # -- failures

    def _failure(self, trial: str) -> Path:
        return self.root / ".failures" / f"{trial}.json"

    def failure(self, trial: str) -> Outcome | None:
        try:
            return Outcome.from_json(self._failure(trial).read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def failures(self) -> list[Outcome]:
        names = [p.stem for p in sorted((self.root / ".failures").glob("*.json"))]
        return [outcome for name in names if (outcome := self.failure(name)) is not None]

    def write_failure(self, outcome: Outcome) -> None:
        replace_text(self._failure(outcome.trial.id), outcome.to_json())

    # -- stages

    def stage(self, key: str) -> Path:
        return self.root / ".stages" / key

    # -- what all methods on a fold share

    def references(self, key: str) -> dict[str, float | None] | None:
        """The metrics of the representations that all are compared with, or None where they are still to be worked out."""
        try:
            return dict(json.loads((self.root / ".references" / f"{key}.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return None

    def write_references(self, key: str, metrics: Mapping[str, float | None]) -> None:
        replace_text(self.root / ".references" / f"{key}.json", json.dumps(metrics))

    # -- leases

    def lease(
        self, name: str, waiting: Callable[[str], None] | None = lambda holder: None
    ) -> contextlib.AbstractContextManager[None]:
        """Hold `name` alone among all processes that use this folder. Raises Held where another has it and `waiting` is None."""
        return lease(self._lease(name), waiting)

    def held(self, name: str) -> bool:
        """Whether a living process holds `name` now."""
        holder = _holder(self._lease(name))
        return holder is not None and not _stale(self._lease(name), holder)

    def _lease(self, name: str) -> Path:
        return self.root / ".leases" / f"{name}.json"


@contextlib.contextmanager
def no_collector() -> Iterator[None]:
    """Without Python's cyclic garbage collector, which looks through all records again and again while they grow in number, and
    takes more than half the time of reading ten thousand."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # what was read stays; looking through it once more would be for nothing
        if on:
            gc.enable()


class Held(FerbenchError):
    """Another process holds a lease."""


@contextlib.contextmanager
def lease(path: Path, waiting: Callable[[str], None] | None = lambda holder: None) -> Iterator[None]:
    """Hold the file `path` alone among all processes that reach it, on one machine or several.

    Waits while another holds it, and `waiting` is told once who that is; without `waiting` raises Held.
    """
    told = False
    while not _take(path):
        holder = _holder(path)
        if holder is None or _stale(path, holder):
            _break(path)
            continue
        who = f"{holder.get('host')}, process {holder.get('pid')}"
        if waiting is None:
            raise Held(f"{who} holds {path.stem}.")
        if not told:
            waiting(who)
            told = True
        time.sleep(0.5)
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(path, stop), daemon=True)
    beat.start()
    try:
        yield
    finally:
        stop.set()
        beat.join()
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def publish(draft: Path, place: Path) -> None:
    """Sync a folder and rename it into its place; where another process was first, its folder stays."""
    for path in draft.iterdir():
        if path.is_file():
            _sync(path)
    _sync(draft)
    try:
        draft.rename(place)
    except OSError:
        if not place.is_dir():
            raise
        return
    _sync(place.parent)


def replace_text(path: Path, text: str) -> None:
    """Write a file so that it is the old one or the new one, never half of it."""
    draft = path.with_name(f".{path.name}-{os.getpid()}-{uuid.uuid4().hex[:6]}")
    try:
        draft.write_text(text, encoding="utf-8")
        _sync(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _take(path: Path) -> bool:
    """Make the lease file; the content is there as soon as the name is, through a hard link."""
    content = json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())})
    draft = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    draft.write_text(content, encoding="utf-8")
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def _holder(path: Path) -> dict[str, object] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _stale(path: Path, holder: dict[str, object]) -> bool:
    if holder.get("host") == socket.gethostname():
        pid = holder.get("pid")
        return not isinstance(pid, int) or _started(pid) != holder.get("started")
    try:
        return time.time() - path.stat().st_mtime > HEARTBEAT * STALE
    except FileNotFoundError:
        return False


def _break(path: Path) -> None:
    """Remove a stale lease by renaming it first, so that of several only one removes it."""
    grave = path.with_name(f".{path.name}-stale-{uuid.uuid4().hex}")
    with contextlib.suppress(FileNotFoundError):
        path.rename(grave)
        grave.unlink()


def _started(pid: int) -> str:
    """When the process was started, so that a new one with an old number is not taken for it; "" for none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass
    return "running"


def _beat(path: Path, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT):
        with contextlib.suppress(OSError):
            os.utime(path)
