"""Two nodes with one CPU each, which have the results folder. In the last test one of them dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferbench.execution.installed import version
from ferbench.records.store import Store
from tests.engines.ray.studies import (
    SHARING,
    SMOKE,
    assert_equal,
    begin,
    checkpoints,
    holder,
    parent,
    records,
    runs,
    wait_for,
)

Run = Callable[..., Any]


def test_records_are_those_of_one_process(
    ferbench: Run, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although paths are relative, and the nodes were started elsewhere."""
    monkeypatch.chdir(tmp_path)
    done = ferbench(*SHARING, "results_dir=there", "executor=ray")
    assert done.status == 0, done.out + done.err
    lines = done.out.splitlines()
    assert "2 trials: 2 run. Results: there" in lines
    assert [line for line in lines if "for several trials" in line and "synthesis" in line]
    trained = next(i for i, line in enumerate(lines) if "synthesis 6/6" in line)
    begun = [i for i, line in enumerate(lines) if "| [" in line]
    assert len(begun) == 2
    assert min(begun) > trained, "a trial starts when its stage is trained"
    assert not any("waiting for stage" in line for line in lines)
    assert {line.partition("| ")[0].rpartition(":")[2] for line in lines if "| " in line} == {"1", "2"}
    assert ferbench(*SHARING, "results_dir=here", "executor=inprocess").status == 0
    assert_equal(records(tmp_path / "there"), records(tmp_path / "here"))
    assert all(record.trial.config["results_dir"] == "there" for record in records(tmp_path / "there").values())
    for folder in (".leases", ".drafts"):
        assert list((tmp_path / "there" / folder).iterdir()) == []
    assert "Nothing to run: all 2" in ferbench(*SHARING, "results_dir=there", "executor=ray").out


def test_a_cluster_seen_from_outside(ferbench: Run, tmp_path: Path) -> None:
    done = ferbench(
        "run", "method=cross_entropy", *SMOKE, f"results_dir={tmp_path / 'r'}", "executor=ray", "executor.address=ray://127.0.0.1:10001"
    )  # fmt: skip
    assert done.status == 0, done.out + done.err
    assert "1 trials: 1 run" in done.out


def test_trials_fail_with_their_stage(ferbench: Run, tmp_path: Path) -> None:
    done = ferbench(*SHARING, "method.lr=1e30", f"results_dir={tmp_path / 'r'}", "executor=ray")
    assert done.status == 1, done.out + done.err
    said = " ".join(done.out.split())
    assert said.count("Stage 'synthesis', from which it starts, failed: The loss") == 4  # while it runs, and in the end
    assert "2 trials: 2 failed" in done.out
    assert len(Store(tmp_path / "r").failures()) == 2


def test_other_versions_are_refused_before_anything_runs(
    ferbench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ferbench.execution.parcels.version", lambda name: "9.9" if name == "torch" else version(name))
    refused = ferbench("run", "method=cross_entropy", *SMOKE, f"results_dir={tmp_path / 'r'}", "executor=ray")
    assert refused.status == 2
    assert f"torch is {version('torch')} and not 9.9. Install the same on all nodes." in refused.err
    assert records(tmp_path / "r") == {}
    assert checkpoints(tmp_path / "r") == []


def test_more_than_a_node_has(ferbench: Run, tmp_path: Path) -> None:
    study = ("run", "method=cross_entropy", *SMOKE, f"results_dir={tmp_path / 'r'}", "executor=ray")
    refused = ferbench(*study, "executor.cpus=64")
    assert refused.status == 2
    assert "No node of the Ray cluster has executor.cpus=64 CPUs" in refused.err
    refused = ferbench(*study, "executor.gpus=1")
    assert "executor.gpus=1 with trainer.device=cpu reserves GPUs that nobody uses." in refused.err


def test_ctrl_c_leaves_a_checkpoint(ferbench: Run, tmp_path: Path) -> None:
    results = tmp_path / "r"
    study = (
        "run",
        "method=cross_entropy",
        *SMOKE,
        "budget.steps=200",
        "trainer.checkpoint_every=5",
        f"results_dir={results}",
    )
    process = begin(*study, "executor=ray")
    wait_for(lambda: checkpoints(results), process)
    worker = holder(results, checkpoints(results)[0].name.partition(".")[0])
    os.kill(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    assert "Interrupted. The same command goes on where it stopped." in out
    assert list((results / ".leases").iterdir()) == [], "the trial has ended, and not only the command"
    assert worker != process.pid
    assert "training: goes on at step" in ferbench(*study, "executor=inprocess").out


def test_a_node_dies(ferbench: Run, tmp_path: Path) -> None:
    """SIGKILL in mid-trial: another node goes on with it, and the study ends as in one process."""
    study = ("run", "--multirun", "method=cross_entropy,grl", *SMOKE, "budget.steps=60", "trainer.checkpoint_every=1")
    there, here = tmp_path / "there", tmp_path / "here"
    process = begin(*study, f"results_dir={there}", "executor=ray")
    wait_for(lambda: checkpoints(there), process)
    worker = holder(there, checkpoints(there)[0].name.partition(".")[0])
    raylet = parent(worker)
    assert "raylet" in Path(f"/proc/{raylet}/cmdline").read_text()
    os.kill(raylet, signal.SIGKILL)
    wait_for(lambda: not runs(worker), process, 30)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    assert "goes on at step" in out
    assert "2 trials: 2 run" in out
    assert "[3/2]" not in out
    assert ferbench(*study, f"results_dir={here}", "executor=inprocess").status == 0
    assert_equal(records(there), records(here))
