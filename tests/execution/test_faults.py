"""Studies on disks that are full, read-only or gone, and studies that are killed: the same command afterwards completes them.

`benchmarks/faults.py` does the same many times.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferbench.evaluation import measure as evaluation
from ferbench.execution import trial
from ferbench.records.doctor import examine
from ferbench.records.schema import Record
from ferbench.records.store import Store
from tests.damage import flipped
from tests.disks import Disk

Run = Callable[..., Any]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def study(smoke: tuple[str, ...], disk: Disk) -> tuple[str, ...]:
    """A trial without judges, on a disk with room for many."""
    disk.resize(64 * 1024)
    return ("run", "method=cross_entropy", *smoke, "evaluation.judges=0", f"results_dir={disk.path / 'results'}")


def the_record(folder: Path) -> Record:
    (record,), damaged = Store(folder).scan()
    assert not damaged
    return record


def test_a_full_disk(ferbench: Run, study: tuple[str, ...], disk: Disk, tmp_path: Path) -> None:
    """Full when the stage is stored, and when the record is."""
    results = disk.path / "results"
    whole = ferbench(*study, f"results_dir={tmp_path / 'whole'}")
    assert whole.status == 0, whole.err
    room = sum(path.stat().st_size for path in (tmp_path / "whole").rglob("*") if path.is_file()) // 1024
    for size in (room // 4, room * 6 // 10):
        disk.resize(size)
        full = ferbench(*study)
        assert full.status == 1, full.out
        said = " ".join(full.out.split())
        assert "could not be written: " in said
        assert "No space left on device" in said
        assert "Once they can be, the same command goes on." in said
        assert "Traceback" not in full.out + full.err
        assert Store(results).scan() == ([], [])
        assert Store(results).failures() == []
    disk.resize(20 * room)
    again = ferbench(*study)
    assert again.status == 0, again.out
    assert "1 run" in again.out
    assert the_record(results).files == the_record(tmp_path / "whole").files
    assert list(examine(Store(results))) == []


def test_a_disk_without_room_for_a_byte(ferbench: Run, study: tuple[str, ...], disk: Disk) -> None:
    (disk.path / "other").write_bytes(b"x" * 2**20)
    disk.resize(disk.used)
    full = ferbench(*study)
    assert full.status == 2
    assert "cannot be written: No space left on device. Choose another with results_dir=FOLDER." in full.err


@pytest.mark.parametrize("gone", ["read-only", "away"])
def test_a_folder_that_is_lost_in_the_middle(
    ferbench: Run, study: tuple[str, ...], disk: Disk, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    """When the stage is stored and the record is not."""
    results, away = disk.path / "results", disk.path / "away"
    measure = evaluation.measure

    def lost(*values: Any) -> Any:
        disk.remount("ro") if gone == "read-only" else results.rename(away)
        return measure(*values)

    monkeypatch.setattr(trial, "measure", lost)
    done = ferbench(*study)
    assert done.status == 1
    said = " ".join(done.out.split())
    assert "could not be written: " in said
    assert ("Read-only file system" if gone == "read-only" else "No such file or directory") in said
    assert "--retry" not in said
    assert "Traceback" not in done.out + done.err
    assert not results.exists() or gone == "read-only", "it is not made again at the same place"
    if gone == "read-only":
        disk.remount("rw")
    else:
        away.rename(results)
    monkeypatch.undo()
    again = ferbench(*study)
    assert again.status == 0, again.out
    assert "trained already" in again.out
    assert the_record(results)
    assert list(examine(Store(results))) == []


def test_a_read_only_folder_is_said_before_anything_runs(ferbench: Run, study: tuple[str, ...], disk: Disk) -> None:
    disk.remount("ro")
    done = ferbench(*study)
    assert done.status == 2
    assert "results_dir=" in done.err
    assert "cannot be written: Read-only file system. Choose another with results_dir=FOLDER." in done.err


def test_a_damaged_record_is_run_again_after_it_was_mended(
    ferbench: Run, smoke: tuple[str, ...], tmp_path: Path
) -> None:
    study, results = ("run", "method=cross_entropy", *smoke, "evaluation.judges=0"), tmp_path / "results"
    assert ferbench(*study).status == 0
    record = the_record(results)
    flipped(results / record.trial.id / "record.json")
    refused = ferbench(*study)
    assert refused.status == 1
    said = " ".join(refused.out.split())
    assert "is damaged (record.json cannot be read: " in said
    assert "--mend' moves it away, and the trial is run again." in said
    assert "is damaged" in " ".join(ferbench(*study, "--dry-run").out.split())
    assert ferbench("doctor", results, "--mend").status == 0
    assert ferbench(*study).status == 0
    assert the_record(results).files == record.files


# -- kill -9


@pytest.mark.slow
def test_killed_while_the_record_is_written(smoke: tuple[str, ...], tmp_path: Path) -> None:
    """The draft that it leaves is removed by the same command, which completes the study."""
    results = tmp_path / "results"
    words = ["run", "method=cross_entropy", *smoke, "evaluation.judges=0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    killing = [sys.executable, "-m", "tests.killed", "record_in_writing", *words]
    killed = subprocess.run(killing, cwd=ROOT, env=environment, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (draft,) = (results / ".drafts").iterdir()
    assert (draft / "predictions.parquet").is_file()
    assert Store(results).scan() == ([], [])
    again = [sys.executable, "-m", "ferbench", *words]
    done = subprocess.run(again, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert "trained already" in done.stdout
    assert the_record(results)
    assert list((results / ".drafts").iterdir()) == []
    assert list(examine(Store(results))) == []


@pytest.mark.slow
def test_killed_at_each_place_and_at_random_times() -> None:
    """Equal weights, predictions and metrics after each."""
    words = [sys.executable, "benchmarks/faults.py", "kills", "--kills", "13", "--minutes", "10"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "kill -9, then the same command: 13 of 13", done.stdout + done.stderr


@pytest.mark.slow
def test_eight_processes_write_into_one_folder() -> None:
    words = [sys.executable, "benchmarks/faults.py", "writers", "--records", "100"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "8 processes x 100 records: 450 of 450 there, 0 double, 0 torn", done.stderr
