"""A node whose memory fills up; files of the test stand for what the kernel says of it."""

from __future__ import annotations

import os
from pathlib import Path

from ferbench.records.schema import OOM
from ferbench.records.store import Store
from tests.engines.ray.studies import SMOKE, begin, use_memory


def test_no_memory_is_an_outcome_and_not_tried_again(tmp_path: Path) -> None:
    study = ("run", "method=cross_entropy", *SMOKE, "budget.steps=600", f"results_dir={tmp_path / 'r'}")
    process = begin(*study, "executor=ray")
    assert process.stdout is not None
    told: list[str] = []
    while "training: " not in "".join(told):
        told.append(process.stdout.readline())
        assert told[-1], told
    use_memory(Path(os.environ["CGROUP"]), 1.0)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 1, out
    assert "1 trials: 1 out of memory" in out
    assert "goes on at step" not in out
    (failure,) = Store(tmp_path / "r").failures()
    assert failure.status == OOM
    assert "Out of memory: the memory of its Ray node was full" in failure.error
