"""How many trials run at a time on one GPU, each in a process of its own.

Small trainings leave most of a GPU idle, and all trials leave it idle while they are evaluated. docs/performance.md has what was
measured with 1 to 8 processes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass

VARIABLE = "FERBENCH_LANES"
"""Environment variable that tells a worker how many trials run at a time on its GPU."""

MOST = 8
"""Trials at a time where the GPU has room for them."""
IN_TURNS = 4
"""The same where processes take turns on it: then only evaluation and the host's work run at the same time."""
BESIDE = 3 * 2**30
"""Bytes that a trial takes beside its training: CUDA's context, and the probes of the evaluation."""


@dataclass(frozen=True)
class Room:
    """What one training leaves of a GPU.

    Attributes:
        gain: how many times as many images a second it trains in batches that are MOST times as large.
        memory: bytes that the training takes. free: bytes that nothing takes.
    """

    gain: float
    memory: int
    free: int


def fitting(asked: int, trials: int, cores: int, service: bool, room: Callable[[], Room]) -> int:
    """The number of trials at a time on each GPU.

    Args:
        asked: the setting `executor.lanes`; 0 to choose.
        trials: number of trials for each GPU.
        cores: number of CPU cores for each GPU.
        service: whether kernels of several processes run at the same time.
        room: measures the largest of the trainings.

    >>> fitting(0, 100, 16, True, lambda: Room(gain=3.8, memory=2**30, free=80 * 2**30))
    8
    >>> fitting(0, 100, 16, True, lambda: Room(gain=1.6, memory=2**30, free=80 * 2**30))
    4
    >>> fitting(0, 100, 16, True, lambda: Room(gain=3.8, memory=2**30, free=9 * 2**30))
    2
    """
    most = min(asked or (MOST if service else IN_TURNS), trials)
    if asked or most <= 1:
        return max(most, 1)
    found = room()
    by_memory = int(found.free // (found.memory + BESIDE))
    return max(1, min(most, cores, math.ceil(2 * found.gain), by_memory))


def lanes() -> int:
    """How many trials run at a time on the GPU of this process, itself included."""
    return int(os.environ.get(VARIABLE, "1"))
