"""Which process a file in work belongs to, and whether that process still runs.

Files and folders that are being written have a mark in their name. A process is known by its number and start time, and by where
these numbers hold: in one PID namespace of one boot of a machine. Names of machines are not asked: two may have the same, and two
containers on one machine have process numbers of their own.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import socket
import uuid
from pathlib import Path

_MARK = re.compile(r"-([0-9a-f]{8})-(\d+)-(\w*)-[0-9a-f]{6}$")

UNKNOWN = "running"
"""The start time of a process of which it is known only that it runs."""


@functools.cache
def place() -> str:
    """A digest of where process numbers of this process hold, 8 hexadecimal digits."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        found = f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115  (not a path)
    except OSError:  # not Linux
        found = f"{socket.gethostname()} {uuid.getnode():x}"
    return hashlib.sha256(found.encode()).hexdigest()[:8]


def started(pid: int) -> str:
    """The start time of a process, which tells it from a later one with the same number; "" if it has ended."""
    with contextlib.suppress(OSError, IndexError):
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if state in "ZX" else rest[18]  # a dead one stays in the list until its parent asks for its status
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return ""
    except OSError:
        pass
    return UNKNOWN


def runs(where: object, pid: object, since: object) -> bool | None:
    """Whether a process runs: number `pid` in the place `where`, with the start time `since`. None if that is another place."""
    if where != place():
        return None
    if not isinstance(pid, int):
        return False
    return started(pid) in {since, UNKNOWN} - {""}


def mark() -> str:
    """The end of a name of a file that this process is writing. Each call returns another."""
    return f"{place()}-{os.getpid()}-{started(os.getpid())}-{uuid.uuid4().hex[:6]}"


def is_draft(name: str) -> bool:
    """Whether a name ends in a mark."""
    return _MARK.search(name) is not None


def writer_runs(name: str) -> bool | None:
    """Whether the process runs that marked a name; None if it is in another place, or if there is no mark."""
    found = _MARK.search(name)
    return runs(found[1], int(found[2]), found[3]) if found else None
