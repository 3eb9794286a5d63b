"""Ratios taken in one run: the machines are shared and noisy, so ours and theirs are timed in turn, pair by pair."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def paired(benchmark: Any) -> Callable[..., float]:
    """paired(ours, theirs, rounds): the median of ours/theirs over the pairs; kept as extra_info["ratio"] and printed."""

    def clock(work: Callable[[], object]) -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    def measure(name: str, ours: Callable[[], object], theirs: Callable[[], object], rounds: int = 9) -> float:
        ours(), theirs()
        pairs = [(clock(ours), clock(theirs)) for _ in range(rounds)]
        ratio = statistics.median(a / b for a, b in pairs)
        spread = sorted(a / b for a, b in pairs)
        benchmark.extra_info["ratio"] = ratio
        print(
            f"\n{name}: {ratio:.3f} (of {rounds} pairs {spread[0]:.3f} to {spread[-1]:.3f}; "
            f"medians {statistics.median(a for a, _ in pairs):.3f} s and {statistics.median(b for _, b in pairs):.3f} s)"
        )
        benchmark.pedantic(ours, rounds=1)
        return ratio

    return measure
