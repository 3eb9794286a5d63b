"""Small studies, and what the tests beside clusters ask of them."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ferbench.records.schema import Record
from ferbench.records.store import Store

SMOKE = (
    "budget=smoke", "dataset=synthfaces", "dataset.subjects=10", "dataset.image_size=48", "trainer.device=cpu",
    "protocol=subject_kfold", "protocol.k=2", "protocol.folds=[0]",
)  # fmt: skip

SHARING = ("run", "--multirun", "method=degan", "ablation=none,no_residue_loss", *SMOKE)
"""Two trials that start from one stage, and from one training of judges."""

hears_sigint = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
"""Called in a process before it starts: shells let what they start in the background ignore SIGINT."""


def begin(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ferbench", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=hears_sigint,
    )


def records(folder: Path) -> dict[str, Record]:
    """All records of a folder, by trial; they are whole."""
    whole, damaged = Store(folder).scan()
    assert not damaged
    return {record.trial.id: record for record in whole}


def assert_equal(ours: dict[str, Record], theirs: dict[str, Record]) -> None:
    """Weights and metrics, bit for bit."""
    assert ours.keys() == theirs.keys()
    for trial, record in ours.items():
        other = theirs[trial]
        assert record.files["weights.safetensors"] == other.files["weights.safetensors"]
        assert [(run.name, run.weights) for run in record.stages] == [(run.name, run.weights) for run in other.stages]
        assert record.metrics == other.metrics
        assert record.files["logits.npy"] == other.files["logits.npy"]


def wait_for(true: Callable[[], object], process: subprocess.Popen[str], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        if process.poll() is not None:
            raise AssertionError(process.communicate()[0])
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def use_memory(folder: Path, part: float) -> None:
    """Write what the kernel tells of a control group that uses a part of its 4 GiB."""
    limit = 4 * 2**30
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{int(part * limit)}\n")
    (folder / "memory.stat").write_text("inactive_file 0\nactive_file 0\n")


def checkpoints(results: Path) -> list[Path]:
    return sorted((results / ".stages").glob("*.checkpoint.safetensors"))


def holder(results: Path, stage: str) -> int:
    """The process that trains a stage."""
    return int(json.loads((results / ".leases" / f"stage-{stage}.json").read_text())["pid"])


def parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
