"""A node whose memory is always full, as it believes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ferbench.records.schema import OOM
from ferbench.records.store import Store
from tests.engines.ray.studies import SMOKE

Run = Callable[..., Any]


def test_no_memory_is_an_outcome_and_not_tried_again(ferbench: Run, tmp_path: Path) -> None:
    results = tmp_path / "r"
    study = ("run", "method=cross_entropy", *SMOKE, "budget.steps=3000", f"results_dir={results}", "executor=ray")
    done = ferbench(*study)
    assert done.status == 1, done.out + done.err
    assert "1 trials: 1 out of memory" in done.out
    (failure,) = Store(results).failures()
    assert failure.status == OOM
    assert "Out of memory: the memory of its Ray node was full" in failure.error
