"""What Slurm's own commands say: squeue, scontrol and scancel. No accounting (sacct), which many clusters do not have.

https://slurm.schedmd.com/squeue.html, https://slurm.schedmd.com/scontrol.html
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ferbench import FerbenchError

NEEDED = ("sbatch", "squeue", "scontrol", "scancel", "srun")

ENDED = frozenset(
    {
        "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED",
        "TIMEOUT",
    }
)  # fmt: skip
"""States in which a job stays. Slurm forgets it after MinJobAge seconds, 300 by default."""

PATIENCE = 60.0
"""Seconds that a command may take."""

FORMAT = "%j|%K|%i|%T|%N|%r"
"""Of squeue: name, index in the array, number, state, nodes, reason."""

AT_ONCE = 200
"""Jobs named in one command."""

Place = tuple[str, int]
"""Name of a job, and its index in the array; 0 where there is no array."""


class Unanswered(FerbenchError):
    """A command of Slurm failed or took too long. `said` is what it said."""

    def __init__(self, said: str) -> None:
        super().__init__(f"Slurm does not answer: {said}")
        self.said = said


@dataclass(frozen=True)
class Row:
    """A job, as squeue lists it.

    Attributes:
        number: such as "4711_3".
        state: PENDING, RUNNING, COMPLETING ...
        nodes: where it runs.
        reason: why it waits.
    """

    number: str
    state: str
    nodes: str
    reason: str

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def waits(self) -> bool:
        return self.state == "PENDING"


def check_commands() -> None:
    """Raise FerbenchError where this machine does not have Slurm's commands."""
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        raise FerbenchError(
            f"executor=slurm needs Slurm's commands, and this machine has no {', '.join(missing)}: run it on a login node of the "
            "cluster, or leave executor= out to run here."
        )


def ask(*command: str) -> str:
    """What a command prints. Raises Unanswered if it fails or takes longer than PATIENCE."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired as error:
        raise Unanswered(f"{command[0]} took longer than {PATIENCE:.0f} s.") from error
    except OSError as error:
        raise Unanswered(f"{command[0]} cannot be run ({error.strerror or error}).") from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split()) or f"status {done.returncode}"
        raise Unanswered(f"{command[0]} says: {said}.")
    return done.stdout


def jobs(names: Collection[str]) -> dict[Place, Row]:
    """This user's jobs with these names, those that Slurm remembers as ended too.

    Raises:
        Unanswered: Slurm does not answer.
    """
    if not names:
        return {}
    wanted = f"--name={','.join(sorted(names))}"
    listed = ask(
        "squeue", "--noheader", "--array", "--states=all", f"--user={os.getuid()}", wanted, f"--format={FORMAT}"
    )
    found: dict[Place, Row] = {}
    for line in listed.splitlines():
        name, index, number, state, nodes, reason = line.split("|", 5)
        found[name, int(index) if index.isdecimal() else 0] = Row(number, state.split()[0], nodes, reason)
    return found


def longest_array() -> int:
    """How many jobs an array may have."""
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", ask("scontrol", "show", "config"), re.MULTILINE)
    return max(1, int(found[1])) if found else 1000


def cancel(numbers: Sequence[str]) -> None:
    """Cancel jobs; those that have ended meanwhile do not matter."""
    for start in range(0, len(numbers), AT_ONCE):
        ask("scancel", "--quiet", *numbers[start : start + AT_ONCE])


def cancel_named(name: str) -> None:
    """Cancel all jobs with this name."""
    ask("scancel", "--quiet", f"--user={os.getuid()}", f"--name={name}")


def start_now(number: str) -> None:
    """Let a job that was queued again start at once, instead of two minutes later."""
    ask("scontrol", "update", f"JobId={number}", "StartTime=now")


def release(number: str) -> None:
    """Let held jobs start."""
    ask("scontrol", "release", number)


def wait_for(number: str, others: Iterable[str]) -> None:
    """Let a job, or some of an array, start after others have ended, however they end."""
    ask("scontrol", "update", f"JobId={number}", f"Dependency=afterany:{':'.join(others)}")


def was_preempted(number: str) -> bool:
    """Whether the running job has to make room for another."""
    found = re.search(r"\bPreemptTime=(\S+)", ask("scontrol", "show", "job", "--oneliner", number))
    return found is not None and found[1] not in ("None", "Unknown", "N/A")


def queue_again(number: str) -> None:
    """End the running job, and put it back into the queue."""
    ask("scontrol", "requeue", number)


def indices(numbers: Collection[int]) -> str:
    """Numbers as Slurm writes them.

    >>> indices([0, 1, 2, 5, 7, 8])
    '0-2,5,7-8'
    """
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ",".join("-".join(map(str, part)) for part in parts)
