"""Damaged files of a results folder: named, left alone, never ranked; listed and mended by `ferbench doctor`."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferbench.errors import FerbenchError
from ferbench.execution.study import state
from ferbench.files import publish, replace_text
from ferbench.owner import mark, place
from ferbench.records import drafts, index
from ferbench.records.doctor import Finding, examine
from ferbench.records.index import PLACE
from ferbench.records.schema import FAILED, STORED, Outcome, Record, StageRun
from ferbench.records.seals import seal, unseal
from ferbench.records.store import UNREADABLE, Store
from ferbench.records.studies import remembered
from tests.damage import DAMAGES, flipped
from tests.made_records import Make

Run = Callable[..., Any]


@pytest.fixture
def store(make: Make, tmp_path: Path) -> Store:
    """Two records, "good" and "bad", with all that can lie beside them; nothing is wrong."""
    made = Store(tmp_path / "results")
    made.prepare()
    for method in ("good", "bad"):
        record = make(method)

        def fill(folder: Path, record: Record = record) -> Record:
            for name in ("predictions.parquet", "embeddings.npy", "losses.parquet", "weights.safetensors"):
                (folder / name).write_bytes(f"{record.trial.id} {name} ".encode() * 20)
            return record

        made.write(record.trial.id, fill)
        made.write_evaluated(record.trial.id, {"mig": 0.5})
        made.write_submission_status(record.trial.id, "submitted", [])
        made.write_references(method, {"accuracy/pixels": 0.25})
        made.write_failure(Outcome(make(method, 1).trial, FAILED, "it broke"))
        draft = made.root / ".drafts" / f"stage-{mark()}"
        draft.mkdir()
        (draft / "weights.safetensors").write_bytes(method.encode() * 50)
        (draft / "losses.parquet").write_bytes(method.encode() * 50)
        made.write_stage(StageRun("s", method, 3, 3, 1.0, "0" * 64), draft)
    return made


def name_of(store: Store, method: str = "bad") -> str:
    return next(r.trial.id for r in store.scan()[0] if r.trial.method == method)


def mended(store: Store) -> list[Finding]:
    """What the doctor found; afterwards nothing is found."""
    found = list(examine(store))
    for finding in found:
        assert finding.mend is not None, finding
        finding.mend()
    assert list(examine(store)) == []
    return found


def test_nothing_is_wrong_with_what_was_written(store: Store) -> None:
    assert list(examine(store)) == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_record_json(store: Store, damage: str) -> None:
    name = name_of(store)
    trial = store.load(name).trial
    path = store.path(name) / "record.json"
    DAMAGES[damage](path)
    content = path.read_bytes() if path.exists() else None
    records, damaged = store.scan()
    assert [record.trial.method for record in records] == ["good"]
    assert [item.path for item in damaged] == [store.path(name)]
    outcome = state(store, trial)
    assert outcome is not None
    assert (outcome.status, outcome.again) == (FAILED, True)
    assert f"{store.path(name)} is damaged" in outcome.error
    assert "'ferbench doctor" in outcome.error
    (found,) = examine(store)
    assert found.path == store.path(name)
    assert (path.read_bytes() if path.exists() else None) == content, "it is left alone"
    assert [again.path for again in mended(store)] == [found.path]
    (aside,) = (store.root / ".damaged").iterdir()
    assert (aside / "weights.safetensors").is_file()
    assert state(store, trial) is None, "its trial is run again"
    assert [record.trial.method for record in store.scan()[0]] == ["good"]


def test_each_flip_of_a_bit_of_a_record_is_noticed(store: Store) -> None:
    """Also of those after which it is still a record."""
    name = name_of(store)
    path = store.path(name) / "record.json"
    whole, text = store.load(name), path.read_bytes()
    unnoticed = []
    for position in range(len(text)):
        flipped(path, position)
        with contextlib.suppress(FerbenchError):
            unnoticed += [position] if store.load(name) != whole else []
        path.write_bytes(text)
    assert unnoticed == []
    assert store.load(name) == whole


def test_a_record_without_a_seal_is_read_as_before(store: Store) -> None:
    name = name_of(store)
    whole = store.load(name)
    path = store.path(name) / "record.json"
    path.write_text(json.dumps(unseal(path.read_text())))
    assert store.load(name) == whole


def test_a_record_that_was_edited_is_not_ranked(store: Store) -> None:
    path = store.path(name_of(store)) / "record.json"
    values = json.loads(path.read_text())
    values["metrics"]["accuracy"] = 1.0
    path.write_text(json.dumps(values, indent=1))
    (damaged,) = store.scan()[1]
    assert damaged.reason == "record.json cannot be read: it was changed since it was written"


@pytest.mark.parametrize("file", ["predictions.parquet", "embeddings.npy", "losses.parquet", "weights.safetensors"])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied"])
def test_another_file_of_a_record(store: Store, file: str, damage: str) -> None:
    """Its record.json is whole, and its metrics are those of the files as they were."""
    name = name_of(store)
    DAMAGES[damage](store.path(name) / file)
    assert len(store.scan()[0]) == 2
    (found,) = mended(store)
    assert found.path == store.path(name)
    assert found.wrong == f"{file}: changed since the record was written"
    assert [record.trial.method for record in store.scan()[0]] == ["good"]


def test_files_that_are_missing_are_named_and_the_record_stays(store: Store, ferbench: Run) -> None:
    """They may have been left out on purpose."""
    name = name_of(store)
    (store.root / ".submissions" / f"{name}.json").unlink()
    for file in ("embeddings.npy", "weights.safetensors"):
        (store.path(name) / file).unlink()
    listed = ferbench("doctor", store.root, "--mend")
    assert listed.status == 1
    assert f"{store.path(name)}: it lacks embeddings.npy, weights.safetensors." in listed.out
    assert store.has(name)


def test_a_submission_has_no_weights(store: Store) -> None:
    (store.path(name_of(store)) / "weights.safetensors").unlink()
    assert list(examine(store)) == []


def test_a_record_in_a_folder_of_another_name_goes_back(store: Store) -> None:
    name = name_of(store)
    store.path(name).rename(store.path("elsewhere"))
    assert [record.trial.method for record in store.scan()[0]] == ["good"]
    (found,) = mended(store)
    assert found.remedy == f"rename it to {store.path(name)}"
    assert store.load(name).trial.method == "bad"


def test_a_copy_of_a_record_in_a_folder_of_another_name(store: Store) -> None:
    name = name_of(store)
    shutil.copytree(store.path(name), store.path("copy"))
    (found,) = mended(store)
    assert found.path == store.path("copy")
    assert store.has(name)


def newer(path: Path) -> None:
    path.write_text(seal(json.dumps({**unseal(path.read_text()), "schema": 3, "more": 1}, indent=1)))


def test_what_a_later_version_wrote_is_left_alone(store: Store, ferbench: Run) -> None:
    name = name_of(store)
    trial = store.load(name).trial
    newer(store.path(name) / "record.json")
    newer(store.stage("bad") / "stage.json")
    assert [record.trial.method for record in store.scan()[0]] == ["good"]
    outcome = state(store, trial)
    assert outcome is not None
    assert "a later ferbench wrote it: schema version 3" in outcome.error
    assert "Install that version" in outcome.error
    said = ferbench("doctor", store.root, "--mend")
    assert said.status == 1
    assert said.out.count("a later ferbench wrote it") == 2
    assert "2 found, 0 mended." in said.out
    assert store.path(name).is_dir()
    assert store.stage("bad").is_dir()


@pytest.mark.parametrize("file", ["stage.json", "weights.safetensors", "losses.parquet"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_stage(store: Store, file: str, damage: str) -> None:
    DAMAGES[damage](store.stage("bad") / file)
    (found,) = mended(store)
    assert found.path == store.stage("bad")
    assert file in found.wrong
    assert not store.trained("bad")
    assert store.trained("good")


def test_a_stage_in_a_folder_of_another_name_is_none(store: Store) -> None:
    store.stage("bad").rename(store.stage("other"))
    (found,) = mended(store)
    assert "it holds the stage bad" in found.wrong
    assert not store.trained("other")


@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied"])
def test_files_beside_the_records(store: Store, damage: str) -> None:
    name = name_of(store)
    failed = f"{name.replace('-0-0-1-10', '-1-0-1-10')}"
    beside = {".evaluated": name, ".references": "bad", ".failures": failed}
    for folder, of in beside.items():
        DAMAGES[damage](store.root / folder / f"{of}.json")
    records, damaged = store.scan()
    assert {record.trial.method: record.metrics.get("mig") for record in records} == {"good": 0.5, "bad": None}
    assert [item.path.parent.name for item in damaged] == [".evaluated"], "a board says that it is left out"
    assert store.references("bad") is None
    assert store.failure(failed) is None
    assert {found.path.parent.name for found in mended(store)} == set(beside)
    assert len(store.scan()[0]) == 2


def test_files_beside_the_records_under_another_name(store: Store) -> None:
    """Metrics of one record are not added to another."""
    name, other = name_of(store), name_of(store, "good")
    shutil.copy(store.root / ".evaluated" / f"{name}.json", store.root / ".evaluated" / f"{other}.json")
    shutil.copy(store.root / ".references" / "bad.json", store.root / ".references" / "good.json")
    assert "mig" not in next(r for r in store.scan()[0] if r.trial.id == other).metrics
    assert store.references("good") is None
    assert len(mended(store)) == 2


@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied"])
def test_the_status_of_a_submission_is_marked_as_unreadable(store: Store, damage: str, ferbench: Run) -> None:
    """Not as none: it may have been disputed."""
    name = name_of(store)
    DAMAGES[damage](store.root / ".submissions" / f"{name}.json")
    assert store.submission_statuses()[name] == UNREADABLE
    rows = json.loads(ferbench("leaderboard", store.root, "--format", "json").out)
    assert {row["method"]: row["submission_status"] for row in rows} == {"good": "submitted", "bad": UNREADABLE}
    assert ferbench("doctor", store.root, "--mend").status == 1


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_index(store: Store, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "LEAST", 1)
    monkeypatch.setattr("ferbench.records.store.LEAST", 1)
    before = store.scan()[0]
    DAMAGES[damage](store.root / PLACE)
    monkeypatch.setattr("ferbench.records.store.LEAST", 100)  # it is not written again
    assert len(mended(store)) == (0 if damage == "deleted" else 1)
    assert store.scan()[0] == before
    assert not (store.root / PLACE).exists()


def test_an_index_with_a_flipped_bit_is_not_believed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "LEAST", 1)
    monkeypatch.setattr("ferbench.records.store.LEAST", 1)
    before = store.scan()[0]
    path = store.root / PLACE
    content = path.read_bytes()
    for position in range(0, len(content), 97):
        flipped(path, position)
        assert Store(store.root).scan()[0] == before, position
        path.write_bytes(content)


def test_leases_of_the_dead(store: Store) -> None:
    (store.root / ".leases" / "trial-x.json").write_text(json.dumps({"host": "h", "place": place(), "pid": 2**22 + 1}))
    with store.lease("trial-y"):
        assert [found.path.name for found in mended(store)] == ["trial-x.json"]
        assert store.held("trial-y")


# -- drafts


def dead_mark() -> str:
    here, _, started, unique = mark().split("-")
    return f"{here}-{2**22 + 1}-{started}-{unique}"


def test_drafts_of_the_dead_are_removed_by_the_next_run(store: Store) -> None:
    alive, dead, elsewhere, old = (
        store.root / ".drafts" / f"t-{m}"
        for m in (mark(), dead_mark(), f"aaaaaaaa{mark()[8:]}", f"bbbbbbbb{mark()[8:]}")
    )
    for folder in (alive, dead, elsewhere, old):
        folder.mkdir()
        (folder / "weights.safetensors").write_bytes(b"x")
    then = time.time() - 2 * drafts.ABANDONED
    for path in (old / "weights.safetensors", old):
        os.utime(path, (then, then))
    lost = [
        store.root / folder / f".t.json-{dead_mark()}" for folder in (".failures", ".evaluated", ".leases", ".stages")
    ]
    for path in lost:
        path.write_text("{")
    assert {found.path for found in examine(store)} == {dead, old, *lost}
    store.prepare()
    assert set((store.root / ".drafts").iterdir()) == {alive, elsewhere}
    assert not any(path.exists() for path in lost)


def test_a_folder_that_is_in_the_way_is_named(store: Store, make: Make) -> None:
    record = make("new")
    (store.path(record.trial.id) / "figures").mkdir(parents=True)
    with pytest.raises(FerbenchError, match=r"is in the way: it has no record.json. 'ferbench doctor .* --mend' moves"):
        store.write(record.trial.id, lambda folder: record)


# -- file systems


def test_a_rename_that_is_reported_as_failed_although_it_was_done(
    store: Store, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS sends a request again whose answer was lost, and finds nothing to rename."""
    rename = Path.rename

    def twice(self: Path, target: Path) -> Path:
        rename(self, target)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", twice)
    record = make("new")
    store.write(record.trial.id, lambda folder: record)
    assert store.load(record.trial.id).trial == record.trial
    store.write(record.trial.id, lambda folder: record, replace=True)
    assert store.load(record.trial.id).trial == record.trial
    assert len(list((store.root / ".replaced").iterdir())) == 1


def test_a_rename_that_failed_is_an_error(tmp_path: Path) -> None:
    draft = tmp_path / "draft"
    draft.mkdir()
    with pytest.raises(FileNotFoundError):
        publish(draft, tmp_path / "no" / "target")


def test_files_that_cannot_be_removed_while_others_have_them_open(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS renames them to .nfs*, and their folder cannot be removed: the stage is gone all the same."""
    rmdir = os.rmdir

    def busy(path: Any, *more: Any, **other: Any) -> None:
        raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(path))

    monkeypatch.setattr(os, "rmdir", busy)
    store.discard(store.stage("bad"))
    assert not store.stage("bad").exists()
    monkeypatch.setattr(os, "rmdir", rmdir)
    assert list(examine(store)) == [], "its process runs"


def test_a_results_folder_that_vanished_is_not_made_again(store: Store, make: Make) -> None:
    """It may have been unmounted."""
    record = make("new")
    store.root.rename(store.root.with_name("away"))
    with pytest.raises(FileNotFoundError):
        store.write(record.trial.id, lambda folder: record)
    with pytest.raises(FileNotFoundError):
        replace_text(store.root / ".failures" / "t.json", "{}")
    assert not store.root.exists()


# -- the command


def test_the_command(store: Store, ferbench: Run) -> None:
    fine = ferbench("doctor", store.root)
    assert (fine.status, fine.out) == (0, "Nothing is wrong.\n")
    path = store.path(name_of(store))
    flipped(path / "embeddings.npy")
    listed = ferbench("doctor", store.root)
    assert listed.status == 1
    assert listed.out.splitlines() == [
        f"{path}: embeddings.npy: changed since the record was written.",
        "    meanwhile: boards rank it by its record.json, which is whole; what reads the file says so and leaves it out.",
        f"    to mend: move it to {store.root / '.damaged'}, and the trial is run again.",
        "1 found; --mend mends 1 of them.",
    ]
    assert path.exists()
    done = ferbench("doctor", store.root, "--mend")
    assert done.status == 0
    assert "1 found, 1 mended." in done.out
    assert ferbench("doctor", store.root).status == 0


def test_a_folder_that_is_not_there(ferbench: Run, tmp_path: Path) -> None:
    done = ferbench("doctor", tmp_path / "none")
    assert done.status == 2
    assert "There is no results folder" in done.err


def test_what_cannot_be_mended_now_is_said(store: Store, ferbench: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    flipped(store.path(name_of(store)) / "embeddings.npy")

    def refused(self: Path, target: Path) -> Path:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    monkeypatch.setattr(Path, "rename", refused)
    done = ferbench("doctor", store.root, "--mend")
    assert done.status == 1
    assert "not mended: [Errno 30] Read-only file system" in done.out


def test_state_of_what_is_stored(store: Store) -> None:
    outcome = state(store, store.load(name_of(store)).trial)
    assert outcome is not None
    assert outcome.status == STORED


def test_leases_of_the_dead_are_removed_by_the_next_run(store: Store) -> None:
    """Also of trials that are stored, which nobody takes any more."""
    (store.root / ".leases" / "trial-x.json").write_text(json.dumps({"host": "h", "place": place(), "pid": 2**22 + 1}))
    (store.root / ".leases" / "trial-y.json").write_text(
        json.dumps({"host": "h", "place": "elsewhere", "pid": 2**22 + 1})
    )
    with store.lease("trial-z"):
        store.prepare()
        assert {path.stem for path in (store.root / ".leases").iterdir()} == {"trial-y", "trial-z"}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_only_status_reads(store: Store, make: Make, damage: str, ferbench: Run) -> None:
    trials = [make().trial, make(fold=1).trial]
    with remembered(store, ["run", "method=m"], {"name": "inprocess"}, trials):
        pass
    (path,) = (store.root / ".studies").iterdir()
    assert "ferbench run method=m" in ferbench("status", store.root).out
    DAMAGES[damage](path)
    (store.root / ".progress").mkdir()
    left = store.root / ".progress" / f"{trials[0].id}.jsonl"
    left.write_text("half a li")
    wrong = {found.path for found in mended(store)}
    assert wrong >= {left}
    if damage != "flipped":  # of all that a flip may change, only the identifiers of the trials matter
        assert wrong - {left} == ({path} if damage != "deleted" else set())
        assert "does not say which studies were run" in ferbench("status", store.root).err
