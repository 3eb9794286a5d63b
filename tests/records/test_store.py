"""The results folder: whole or absent, one at a time, never half-written."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import threading
import time
from pathlib import Path

import pytest

from ferbench.errors import FerbenchError
from ferbench.files import replace_text
from ferbench.records import lease as module
from ferbench.records.identity import ComponentIdentity, DatasetIdentity, Identity
from ferbench.records.schema import FAILED, Outcome, Record, StageNode, Trial
from ferbench.records.store import Store


def trial(name: str = "t0", fold: int = 0) -> Trial:
    identity = Identity(
        DatasetIdentity("d", 1, "f"), ComponentIdentity("p", 1), ("P1",), ("P2",), "0", ComponentIdentity("b", 1),
        ComponentIdentity("m", 1), {"s": 3}, seed=0,
    )  # fmt: skip
    return Trial(name, {"method": {"name": "m"}}, identity, "full", fold, 2, 0, (StageNode("s", "k", 3),))


def record(name: str = "t0") -> Record:
    return Record(
        trial(name), ("a", "b"), ("P1",), {"accuracy": 0.5, "identity_leakage": None}, {"P1": [[1, 1], [0, 2]]}, {}
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "results")
    made.prepare()
    return made


def write(store: Store, name: str = "t0") -> Record:
    def fill(folder: Path) -> Record:
        (folder / "predictions.txt").write_text("x")
        return record(name)

    return store.write(name, fill)


def test_a_record_comes_back_as_it_was(store: Store) -> None:
    written = write(store)
    assert store.load("t0") == written
    assert list(written.files) == ["predictions.txt"]
    assert store.has("t0")


def test_what_was_stored_about_a_replaced_record_goes_with_it(store: Store) -> None:
    write(store)
    store.write_evaluated("t0", {"mig": 0.5})
    store.write_submission_status("t0", "verified", [])
    store.write("t0", lambda folder: record(), replace=True)
    assert "mig" not in store.scan()[0][0].metrics
    assert store.submission_statuses() == {}
    (old,) = (store.root / ".replaced").iterdir()
    assert {path.name for path in old.iterdir()} == {
        "record.json", "predictions.txt", "evaluated.json", "submissions.json"
    }  # fmt: skip


def test_a_record_stays_where_its_replacement_cannot_be_renamed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    written = write(store)
    rename = Path.rename

    def refused(self: Path, target: Path) -> Path:
        if self.parent.name == ".drafts":
            raise OSError("no space is left")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(OSError, match="no space is left"):
        store.write("t0", lambda folder: record(), replace=True)
    assert store.load("t0") == written
    assert not list((store.root / ".drafts").iterdir())


def test_nothing_is_left_where_writing_fails(store: Store) -> None:
    def full_disk(folder: Path) -> Record:
        (folder / "predictions.txt").write_text("x" * 1000)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "weights"))

    with pytest.raises(OSError, match="No space left"):
        store.write("t0", full_disk)
    assert not store.has("t0")
    assert not store.path("t0").exists()
    assert list((store.root / ".drafts").iterdir()) == []


def test_of_two_writers_the_first_stays(store: Store) -> None:
    write(store)
    before = (store.path("t0") / "record.json").stat().st_mtime_ns
    write(store)
    assert (store.path("t0") / "record.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ("{}", "schema version None"),
        ('{"schema": 99}', "schema version 99; this ferbench reads 1 to 2"),
        ('{"schema": 1}', "cannot be read"),
        (None, "has no record.json"),
    ],
)
def test_a_damaged_record_is_reported_and_left_alone(store: Store, content: str | None, reason: str) -> None:
    write(store, "good")
    folder = store.path("bad")
    folder.mkdir()
    if content is not None:
        (folder / "record.json").write_text(content)
    whole, damaged = store.scan()
    assert [r.trial.id for r in whole] == ["good"]
    assert [d.path for d in damaged] == [folder]
    assert reason in damaged[0].reason
    assert content is None or (folder / "record.json").read_text() == content


def test_a_record_in_the_wrong_folder(store: Store) -> None:
    write(store)
    store.path("t0").rename(store.path("t1"))
    with pytest.raises(FerbenchError, match="it holds the trial t0"):
        store.load("t1")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(FerbenchError, match="results_dir=.*file/results cannot be written"):
        Store(file / "results").prepare()


def test_no_folder() -> None:
    with pytest.raises(FerbenchError, match="There is no results folder nowhere. 'ferbench run' creates it"):
        Store("nowhere").scan()


def test_a_failure_is_kept_until_the_trial_is_done(store: Store) -> None:
    store.write_failure(Outcome(trial(), FAILED, "it broke", stage="s", step=3))
    found = store.failure("t0")
    assert found is not None
    assert (found.status, found.error, found.stage, found.step, found.trial.id) == (FAILED, "it broke", "s", 3, "t0")
    assert [o.trial.id for o in store.failures()] == ["t0"]
    write(store)
    assert store.failures() == []


def test_a_lease_is_held_by_one_at_a_time(store: Store) -> None:
    held: list[str] = []
    told: list[str] = []

    def other() -> None:
        with store.lease("x", told.append):
            held.append("other")

    with store.lease("x"):
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.8)
        held.append("first")
    thread.join(5)
    assert held == ["first", "other"]
    assert len(told) == 1
    assert f"process {os.getpid()}" in told[0]


def _die_with_lease(root: str) -> None:
    with Store(root).lease("x"):
        os._exit(9)


def test_the_lease_of_a_dead_process_is_taken_over(store: Store) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_die_with_lease, args=(str(store.root),))
    process.start()
    process.join()
    assert (store.root / ".leases" / "x.json").exists()
    with store.lease("x"):
        pass
    assert not (store.root / ".leases" / "x.json").exists()


def test_the_lease_of_a_silent_machine_is_taken_over(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.root / ".leases" / "x.json"
    path.write_text(json.dumps({"host": "far away", "pid": 1, "started": "1"}))
    monkeypatch.setattr(module, "HEARTBEAT", 0.01)
    time.sleep(0.3)
    with store.lease("x"):
        assert json.loads(path.read_text())["pid"] == os.getpid()


def test_a_lease_that_is_touched_is_respected(store: Store) -> None:
    path = store.root / ".leases" / "x.json"
    path.write_text(json.dumps({"host": "far away", "place": "elsewhere", "pid": 1, "started": "1"}))
    assert store.held("x")


def _count(root: str, file: str) -> None:
    store = Store(root)
    for _ in range(20):
        with store.lease("counter"):
            value = int(Path(file).read_text())
            time.sleep(0.001)
            Path(file).write_text(str(value + 1))


@pytest.mark.slow
def test_processes_do_not_meet_inside_a_lease(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "count"
    file.write_text("0")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_count, args=(str(store.root), str(file))) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert file.read_text() == "60"


def test_replacing_a_file_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    replace_text(path, "one")
    replace_text(path, "two")
    assert path.read_text() == "two"
    with pytest.raises(OSError, match="No such file"):
        replace_text(tmp_path / "no" / "a.txt", "x")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
