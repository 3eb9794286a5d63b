"""Leases: lock files that at most one process holds, on one machine or on several that share a file system."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from ferbench.errors import FerbenchError
from ferbench.limits import leave_if_forked

HEARTBEAT = 10.0
"""Seconds after which the holder updates the time stamp of its lease."""
STALE = 12
"""Number of missed heartbeats after which the lease of a process on another machine is taken over."""


class Held(FerbenchError):
    """Another process holds the lease."""


@contextlib.contextmanager
def lease(path: Path, waiting: Callable[[str], None] | None = lambda holder: None) -> Iterator[None]:
    """A context in which this process alone holds the lease `path`, among all processes that can access that file.

    Args:
        waiting: called once with the name of the holder if another process holds the lease; the lease is then awaited. None
            for not waiting.

    Raises:
        Held: another process holds the lease and `waiting` is None.
    """
    reported = False
    while not _take(path):
        holder = _holder(path)
        if holder is None or _stale(path, holder):
            _break(path)
            continue
        who = f"{holder.get('host')}, process {holder.get('pid')}"
        if waiting is None:
            raise Held(f"{who} holds {path.stem}.")
        if not reported:
            waiting(who)
            reported = True
        time.sleep(0.5)
    pid, stop = os.getpid(), threading.Event()
    beat = threading.Thread(target=_beat, args=(path, stop), daemon=True)
    beat.start()
    try:
        yield
    finally:
        leave_if_forked(pid)
        stop.set()
        beat.join()
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def is_held(path: Path) -> bool:
    """Whether a running process holds the lease now."""
    holder = _holder(path)
    return holder is not None and not _stale(path, holder)


def _take(path: Path) -> bool:
    """Create the lease file; False if it exists. A hard link makes name and content appear at the same time."""
    content = json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())})
    draft = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    draft.write_text(content, encoding="utf-8")
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def _holder(path: Path) -> dict[str, object] | None:
    """The content of a lease file; None if it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _stale(path: Path, holder: dict[str, object]) -> bool:
    """Whether the holder of a lease has ended: on this machine by its process, on others by the heartbeat."""
    if holder.get("host") == socket.gethostname():
        pid = holder.get("pid")
        return not isinstance(pid, int) or _started(pid) != holder.get("started")
    try:
        return time.time() - path.stat().st_mtime > HEARTBEAT * STALE
    except FileNotFoundError:
        return False


def _break(path: Path) -> None:
    """Remove a stale lease. It is renamed first, so that only one of several processes removes it."""
    renamed = path.with_name(f".{path.name}-stale-{uuid.uuid4().hex}")
    with contextlib.suppress(FileNotFoundError):
        path.rename(renamed)
        renamed.unlink()


def _started(pid: int) -> str:
    """The start time of a process, which tells it from a later one with the same number; "" if it is not running."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass
    return "running"


def _beat(path: Path, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT):
        with contextlib.suppress(OSError):
            os.utime(path)
