"""How many CPU cores this process may use, and threads that wait without keeping a core busy.

Libraries ask the scheduler, which knows of affinity (taskset, cpusets, most Slurm clusters) but not of quotas: in a container with
two of 64 cores' time they start 64 threads, which are stopped together for most of each period.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

SLURM = ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE")
"""Environment variables of a Slurm step that tell its cores, the first that is set: clusters without cgroups bind nothing."""


M_TRIM_THRESHOLD = -1
"""Number of that parameter in glibc's malloc.h."""

SPINS = "10000"
"""How often a waiting thread of GNU's OpenMP looks again before it sleeps. Its default, 300,000, is up to some 10 ms; what this
costs where nothing else runs is within the noise of 3 % (docs/performance.md)."""


def usable_cores() -> int:
    """CPU cores that this process may use, at least 1: the least of what affinity, the quotas of its control groups (rounded down)
    and its Slurm step leave it."""
    return min([_by_affinity(), *_limits(os.environ, Path("/"))])


def be_considerate() -> None:
    """Settings for the threads of libraries that are not loaded yet, where the user has made none.

    Threads that wait for one another soon sleep instead of spinning (docs/performance.md: up to ten times as fast on shared cores),
    and there are no more of them than a quota or a Slurm step leaves cores. What affinity leaves, libraries find out themselves.
    """
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
        os.environ |= {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": SPINS}
    if usable_cores() < _by_affinity():
        os.environ.setdefault("OMP_NUM_THREADS", str(usable_cores()))


def keep_memory() -> None:
    """Let glibc keep freed memory, up to 2 GiB at the top of its heap, for the next step of a training, instead of returning it to
    the system and asking for it again, page by page. Does nothing with other C libraries."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def _by_affinity() -> int:
    with contextlib.suppress(AttributeError):  # macOS and Windows have none
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _limits(environment: Mapping[str, str], root: Path) -> list[int]:
    """Cores that each quota and Slurm leave, at least 1."""
    told = [int(environment[name]) for name in SLURM if environment.get(name, "").isdecimal()]
    return [max(1, math.floor(limit)) for limit in [*_quotas(root), *told[:1]]]


def _quotas(root: Path) -> Iterator[float]:
    """Cores' worth of time that each control group of this process allows, from its own up to the root's; in a container its own
    may stand at the root."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        for group in [Path(path), *Path(path).parents]:
            below = str(group).lstrip("/")
            if not controllers:
                for mounted in ("sys/fs/cgroup", "sys/fs/cgroup/unified"):
                    yield from _quota(" ".join(_lines(root / mounted / below / "cpu.max")).split())
            elif "cpu" in controllers.split(","):
                for mounted in (controllers, "cpu"):
                    folder = root / "sys/fs/cgroup" / mounted / below
                    values = [*_lines(folder / "cpu.cfs_quota_us"), *_lines(folder / "cpu.cfs_period_us")]
                    yield from _quota(values)


def _quota(values: list[str]) -> Iterator[float]:
    """Of quota and period in microseconds; "max" and -1 are none."""
    with contextlib.suppress(ValueError, ZeroDivisionError):
        quota, period = map(float, values)
        if quota > 0:
            yield quota / period


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
