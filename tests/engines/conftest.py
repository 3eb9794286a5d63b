"""A Slurm cluster on this machine: Debian's own daemons, two nodes, listeners on loopback only."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "slurm"
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")


@dataclass(frozen=True)
class Cluster:
    """A running cluster. Partition `low` makes room for `high`."""

    folder: Path
    port: int

    def script(self, name: str) -> None:
        environment = {**os.environ, "SLURM_HOME": str(self.folder), "SLURM_PORT": str(self.port)}
        subprocess.run(["bash", str(SCRIPTS / name)], env=environment, check=True, timeout=120)

    def up(self) -> None:
        """Start what is not running."""
        self.script("up.sh")

    def down(self) -> None:
        self.script("down.sh")

    def pid(self, daemon: str) -> int:
        return int((self.folder / "run" / f"{daemon}.pid").read_text())

    def kill(self, daemon: str) -> None:
        """End a daemon at once, without a word to anybody."""
        pid = self.pid(daemon)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not Path(f"/proc/{pid}").is_dir() or " Z " in Path(f"/proc/{pid}/stat").read_text(), 10)
        (self.folder / "run" / f"{daemon}.pid").unlink()

    def steps(self) -> Iterator[int]:
        """The processes of Slurm that hold jobs."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                own = str(self.folder).encode() in (path.parent / "environ").read_bytes()
                if own and b"slurmstepd" in path.read_bytes():
                    yield int(path.parent.name)

    def listed(self, form: str, *more: str) -> list[str]:
        """Lines of squeue, of all jobs that Slurm remembers."""
        command = ["squeue", "--noheader", "--array", "--states=all", f"--format={form}", *more]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    def empty(self) -> None:
        """Cancel all jobs and wait for their ends."""
        subprocess.run(["scancel", f"--user={os.getuid()}"], check=True)
        wait_for(lambda: not subprocess.run(["squeue", "-h"], capture_output=True, text=True).stdout, 60)


def wait_for(true: Callable[[], object], seconds: float = 240.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"waited {seconds} s in vain"
        time.sleep(0.2)


@pytest.fixture(scope="session")
def _cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if missing := [name for name in PROGRAMS if shutil.which(name) is None and not Path("/usr/sbin", name).exists()]:
        pytest.skip(f"{', '.join(missing)} not installed: apt-get install slurmctld slurmd slurm-client munge")
    made = Cluster(tmp_path_factory.mktemp("slurm"), free_ports())
    before = dict(os.environ)
    os.environ |= {"SLURM_CONF": str(made.folder / "slurm.conf"), "PATH": f"{before['PATH']}:/usr/sbin"}
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}  # for the jobs, which share two cores
    try:
        made.up()
        yield made
    finally:
        made.down()
        os.environ.clear()
        os.environ |= before


@pytest.fixture
def cluster(_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, with all daemons and without jobs."""
    _cluster.up()
    yield _cluster
    _cluster.up()
    _cluster.empty()


def free_ports() -> int:
    """The first of three neighbouring ports that nobody has."""
    for _ in range(100):
        port = random.randrange(20000, 60000)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for number in range(port, port + 3):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", number))
            return port
    raise AssertionError("no free ports")
