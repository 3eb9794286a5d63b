"""Cores that a container, a Slurm step or a cpuset leaves, on the files that Linux has there."""

from __future__ import annotations

import math
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from ferbench import cores


def linux(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, math.inf),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, math.inf),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        (  # a job's group below one of all jobs
            {
                "proc/self/cgroup": "0::/slurm/job_1/step_0\n",
                "sys/fs/cgroup/slurm/cpu.max": "1600000 100000\n",
                "sys/fs/cgroup/slurm/job_1/cpu.max": "400000 100000\n",
                "sys/fs/cgroup/slurm/job_1/step_0/cpu.max": "max 100000\n",
            },
            4,
        ),
        (  # version 1, and a container that sees the host's name of its group and its own folder at the root
            {
                "proc/self/cgroup": "4:memory:/docker/ab\n3:cpu,cpuacct:/docker/ab\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "300000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            3,
        ),
        (
            {
                "proc/self/cgroup": "1:cpu:/\n0::/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            math.inf,
        ),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "what is this\n"}, math.inf),
    ],
)
def test_quotas_of_control_groups(tmp_path: Path, files: dict[str, str], limit: float) -> None:
    assert min(cores._limits({}, linux(tmp_path, files)), default=math.inf) == limit


@pytest.mark.parametrize(
    ("environment", "limit"),
    [
        ({"SLURM_CPUS_PER_TASK": "4", "SLURM_CPUS_ON_NODE": "64"}, 4),
        ({"SLURM_CPUS_ON_NODE": "8"}, 8),
        ({"SLURM_CPUS_PER_TASK": ""}, math.inf),
        ({"SLURM_JOB_ID": "17"}, math.inf),
    ],
)
def test_a_slurm_step(tmp_path: Path, environment: dict[str, str], limit: float) -> None:
    assert min(cores._limits(environment, tmp_path), default=math.inf) == limit


SAY = """
import os
from ferbench.cores import be_considerate
be_considerate()
print(*map(os.environ.get, ('OMP_NUM_THREADS', 'OMP_WAIT_POLICY', 'GOMP_SPINCOUNT')))
"""


def said(**environment: str) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "SLURM_"))}
    done = subprocess.run(
        [sys.executable, "-c", SAY], env=own | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.skipif(cores._by_affinity() < 2 or cores.usable_cores() < 2, reason="needs two cores that nothing limits")
def test_what_the_user_set_stays() -> None:
    assert said() == "None passive 10000"
    assert said(SLURM_CPUS_PER_TASK="1") == "1 passive 10000"
    assert said(SLURM_CPUS_PER_TASK="1", OMP_NUM_THREADS="2", OMP_WAIT_POLICY="active") == "2 active None"
    assert said(GOMP_SPINCOUNT="7") == "None None 7"


FAULTS = """
import resource
from ferbench.cores import keep_memory

def round():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    kept = [bytes(100_000) for _ in range(500)]
    del kept
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_memory()
print([round() for _ in range(4)][-1])
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's memory")
def test_freed_memory_is_used_again_without_the_system() -> None:
    """50 MB in pieces, the fourth time: some 8,500 page faults where glibc returns them each time."""
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100
