"""`trainer.devices=2` on the command line, with two processes on the CPU."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferbench.records import files
from ferbench.records.schema import Record
from ferbench.records.store import Store
from tests.onehead import plugin

pytestmark = pytest.mark.slow

STEP = """
if clock.step == 3 and os.environ.get("DIES_ONCE"):
    try:
        open(os.environ["DIES_ONCE"], "x").close()
        os.kill(os.getpid(), signal.SIGKILL)
    except FileExistsError:
        pass
yield Update("all", F.cross_entropy(self.logits(batch.images), batch.expression))
"""

Run = Callable[..., Any]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The file of a method whose result does not depend on the number of devices, and of which one process can be killed."""
    path = tmp_path / "mine.py"
    path.write_text(plugin("mine", STEP).replace('name="mine"', 'name="mine", synchronised=True'))
    return path


def the_record(results: Path) -> Record:
    (record,) = Store(results).scan()[0]
    return record


def losses(results: Path) -> list[float]:
    table = files.read_losses(results / the_record(results).trial.id)
    return list(table.loc[table["loss"] == "all", "value"])


def test_a_trial_on_two_devices_is_found_by_one_with_as_many_parts(
    ferbench: Run, smoke: tuple[str, ...], tmp_path: Path
) -> None:
    trial = ("run", "method=degan", *smoke, "budget.steps=8")
    done = ferbench(*trial, "trainer.devices=2")
    assert done.status == 0, done.out + done.err
    for stage in ("synthesis", "recognition", "judges"):
        assert f"stage '{stage}' is trained on 2 processes of the CPU together" in done.out
    record = the_record(tmp_path / "results")
    assert record.provenance["devices"] == 2
    assert record.cost["images_seen"] == 8 * record.trial.config["budget"]["batch_size"]
    assert {run.name: run.steps_run for run in record.stages} == {"synthesis": 6, "recognition": 2}
    assert files.TEST_ACCURACY in set(files.read_losses(tmp_path / "results" / record.trial.id)["loss"])
    assert "Nothing to run" in ferbench(*trial, "trainer.accumulate=2").out
    assert list((tmp_path / "results" / ".leases").iterdir()) == []


def test_a_killed_process_fails_the_trial_and_one_device_goes_on(
    ferbench: Run, smoke: tuple[str, ...], tmp_path: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = (
        "run",
        "--plugin",
        mine,
        "method=mine",
        *smoke,
        "evaluation.judges=0",
        "trainer.checkpoint_every=2",
        "trainer.precision=fp32",
    )
    monkeypatch.setenv("DIES_ONCE", str(tmp_path / "died"))
    failed = ferbench(*trial, "trainer.devices=2")
    assert failed.status == 1
    words = " ".join(failed.out.split())
    reason = "of 2 was killed, probably because the memory ran out, in stage 'training', and the others were ended."
    assert reason in words, words
    gone_on = ferbench(*trial, "--retry", "failed")
    assert "training: goes on at step 2 of 8" in gone_on.out
    assert the_record(tmp_path / "results").provenance["devices"] == 1
    other = tmp_path / "other"
    assert ferbench(*trial, f"results_dir={other}").status == 0
    assert losses(tmp_path / "results") == pytest.approx(losses(other), rel=1e-2)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for the children of a process in /proc")
@pytest.mark.parametrize(
    ("how", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_processes_end_with_the_command(
    smoke: tuple[str, ...], tmp_path: Path, mine: Path, how: signal.Signals, status: int
) -> None:
    """They leave a checkpoint of a step that all of them have done."""
    results = tmp_path / "results"
    command = [
        sys.executable, "-m", "ferbench", "run", "--plugin", str(mine), "method=mine", *smoke, "budget.steps=100000",
        "evaluation.judges=0", "trainer.checkpoint_every=100000", "trainer.devices=2", "evaluation.test_curve_points=0",
    ]  # fmt: skip
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_for(lambda: any('"step"' in path.read_text() for path in (results / ".progress").glob("*.jsonl")))
    children = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    assert len(children) >= 2
    process.send_signal(how)
    _, err = process.communicate(timeout=120)
    assert process.returncode == status, err
    assert "Traceback" not in err
    wait_for(lambda: not any(running(pid) for pid in children))
    assert [path.name.endswith(".checkpoint.safetensors") for path in (results / ".stages").iterdir()] == [True]


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def wait_for(true: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.1)
