"""`ferbench doctor`: what is damaged or left over in a results folder, and how it is mended.

Nothing is deleted that a person or a training made: damaged records and stages are moved to `.damaged`. Only what is computed again
in any case is removed: drafts, leases and checkpoints that nobody needs, the index, metrics of reference representations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ferbench.errors import FerbenchError, enumerate_first
from ferbench.files import move
from ferbench.hashing import file_digest
from ferbench.owner import is_draft
from ferbench.records import drafts, files, index, seals, studies
from ferbench.records.schema import Record
from ferbench.records.store import EVALUATED, FAILURES, PROGRESS, REFERENCES, SUBMISSIONS, Damaged, Store

NEWER = "nothing to mend: the version that wrote it can read it"


@dataclass(frozen=True)
class Finding:
    """Something that is wrong in a results folder.

    Attributes:
        path: of the file or folder.
        wrong: what is wrong, without a full stop.
        meanwhile: what ferbench does with it as it is.
        remedy: how it is mended, or what to do instead.
        mend: mends it; None if it cannot be mended here. It raises FerbenchError or OSError if that does not succeed.
    """

    path: Path
    wrong: str
    meanwhile: str
    remedy: str
    mend: Callable[[], object] | None = None


def examine(store: Store) -> Iterator[Finding]:
    """All that is wrong in a results folder. Every byte of its records and stages is read.

    Raises:
        FerbenchError: the folder does not exist.
    """
    if not store.root.is_dir():
        raise FerbenchError(f"There is no results folder {store.root}. 'ferbench run' creates it.")
    submitted = store.submission_statuses()
    for folder in _entries(store.root):
        if folder.is_dir():
            yield from _record(store, folder, folder.name in submitted)
    yield from _stages(store)
    for path in drafts.left_behind(store.root):
        yield Finding(
            path,
            "it is a draft of a process that died while it wrote",
            "it is not read, and the next 'ferbench run' removes it",
            "remove it",
            lambda path=path: drafts.remove(path),  # type: ignore[misc]
        )
    yield from _leases(store)
    yield from _beside(store)
    yield from _of_studies(store)
    if index.damaged(store.root):
        path = store.root / index.PLACE
        yield Finding(path, "it was changed", "records are read without it", "remove it", path.unlink)


def _entries(folder: Path) -> list[Path]:
    """What is in a folder, without hidden files and folders."""
    return sorted(path for path in folder.glob("[!.]*")) if folder.is_dir() else []


def _record(store: Store, folder: Path, submitted: bool) -> Iterator[Finding]:
    damaged = store.damage(folder.name)
    if damaged is not None:
        meanwhile = "boards leave it out, and 'ferbench run' does not run its trial"
        yield _aside(store, damaged, meanwhile, "and the trial is run again", _right_place(store, folder))
        return
    record = store.load(folder.name)
    missing, changed = [], []
    for name, digest in record.files.items():
        path = folder / name
        if not path.is_file():
            missing.append(name)
        elif file_digest(path) != digest:
            changed.append(name)
    if submitted:
        missing = [name for name in missing if files.packed(name)]
    ranked = "boards rank it by its record.json, which is whole; what reads the file says so and leaves it out"
    if changed:
        damaged = Damaged(folder, f"{enumerate_first(changed)}: changed since the record was written")
        yield _aside(store, damaged, ranked, "and the trial is run again")
    elif missing:
        remedy = "nothing if they were left out on purpose; else move the folder away, and the trial is run again"
        yield Finding(folder, f"it lacks {enumerate_first(missing)}", ranked, remedy)


def _right_place(store: Store, folder: Path) -> Path | None:
    """The folder of the whole record that lies in a folder of another name, if that place is free."""
    try:
        record = Record.from_json((folder / files.RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    place = store.path(record.trial.id)
    return None if place.exists() else place


def _aside(store: Store, damaged: Damaged, meanwhile: str, then: str, back: Path | None = None) -> Finding:
    if damaged.newer:
        return Finding(damaged.path, damaged.reason, meanwhile, NEWER)
    if back is not None:
        remedy, mend = f"rename it to {back}", lambda: move(damaged.path, back)
    else:
        remedy, mend = f"move it to {store.root / '.damaged'}, {then}", lambda: store.set_aside(damaged.path)  # type: ignore[assignment]
    return Finding(damaged.path, damaged.reason, meanwhile, remedy, mend)


def _stages(store: Store) -> Iterator[Finding]:
    for path in _entries(store.root / ".stages"):
        key = path.name.removesuffix(files.CHECKPOINT)
        if is_draft(path.name) or store.held(f"stage-{key}"):
            continue
        if path.is_dir():
            if (damaged := store.stage_damage(key)) is not None:
                yield _aside(store, damaged, "nothing starts from it", "and the stage is trained again")
        elif store.trained(key):
            wrong = "it is the checkpoint of a stage that is trained"
            yield Finding(path, wrong, "it is not read", "remove it", path.unlink)
        elif reason := _unusable(path):
            yield _aside(store, Damaged(path, reason), "nothing goes on from it", "and the stage starts again")


def _unusable(checkpoint: Path) -> str:
    """Why a checkpoint cannot be used; "" if it can."""
    try:
        of = seals.check_tensors(checkpoint).get("of")
    except (OSError, ValueError) as error:
        return str(error)
    return "" if of == checkpoint.name else f"it is {of}"


def _of_studies(store: Store) -> Iterator[Finding]:
    """Files that only `ferbench status` reads."""
    whole = {study.id for study in studies.studies(store.root)}
    for path in _entries(store.root / studies.FOLDER):
        if path.stem not in whole:
            meanwhile = "'ferbench status' does not know of its study; the next 'ferbench run' of it writes it again"
            yield Finding(path, "it cannot be read, or is of another study", meanwhile, "remove it", path.unlink)
    for path in _entries(store.root / PROGRESS):
        if not (store.held(f"trial-{path.stem}") or store.held(f"stage-{path.stem}")):
            wrong = "it is what work reported that is not going on"
            yield Finding(
                path, wrong, "it is not read, and the next 'ferbench run' removes it", "remove it", path.unlink
            )


def _leases(store: Store) -> Iterator[Finding]:
    for path in _entries(store.root / ".leases"):
        name = path.stem

        def end(name: str = name) -> None:
            with store.lease(name, None):
                pass

        if not store.held(name):
            wrong = "the process that holds it has ended, or has not renewed it for long"
            yield Finding(path, wrong, "whoever needs it takes it over", "end it", end)
        elif not store.lease_is_whole(name):
            meanwhile = "it counts as held by an unknown process until it is two minutes old"
            yield Finding(path, "it cannot be read", meanwhile, "end it, if nobody renews it", end)


def _beside(store: Store) -> Iterator[Finding]:
    for name in (EVALUATED, SUBMISSIONS, REFERENCES, FAILURES):
        for damaged in store.damaged_beside(name):
            if name == SUBMISSIONS:
                remedy = "'ferbench submit verify' writes it again"
                yield Finding(damaged.path, damaged.reason, "boards mark the record 'status unreadable'", remedy)
                continue
            meanwhile, then = {
                EVALUATED: ("boards do without it", "and 'ferbench evaluate' computes it again"),
                REFERENCES: ("it is not used", "and it is computed again with the next trial"),
                FAILURES: ("it counts as no failure, and the trial is run", "and the trial is run"),
            }[name]
            yield _aside(store, damaged, meanwhile, then)
