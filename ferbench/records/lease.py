"""Leases: lock files that at most one process holds, on one machine or on several that share a file system.

The holder updates the time stamp of its lease. A lease counts no more if its process has ended, which is seen where the numbers of
that process hold (ferbench.owner). For a process elsewhere it counts no more if its stamp is far from the present time of the file
system and then does not change while it is watched. So no two clocks are compared, and a clock that jumps ends no lease.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ferbench.errors import FerbenchError
from ferbench.files import draft_of
from ferbench.limits import leave_if_forked
from ferbench.owner import place, runs, started
from ferbench.records.seals import seal, unseal

HEARTBEAT = 10.0
"""Seconds after which the holder updates the time stamp of its lease."""
STALE = 12
"""Number of missed heartbeats after which the lease of a process elsewhere is suspected."""
WATCHED = 3
"""Number of heartbeats for which a suspected lease is watched before it is taken over."""

NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""Errors of file systems without hard links."""

_held: set[str] = set()
"""Tokens of the leases that this process holds."""


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
        OSError: the file cannot be written.
    """
    token, reported = uuid.uuid4().hex, False
    while not _take(path, token):
        holder = _read(path)
        if holder is None:  # released meanwhile
            time.sleep(0.01)
            continue
        if _ended(holder) or (_suspect(path) and _unchanged(path)):
            _break(path, holder)
            continue
        if not path.exists():
            continue
        who = f"{holder['host']}, process {holder.get('pid')}" if "host" in holder else "an unknown process"
        if waiting is None:
            raise Held(f"{who} holds {path.stem}.")
        if not reported:
            waiting(who)
            reported = True
        time.sleep(0.5)
    _held.add(token)
    pid, stop = os.getpid(), threading.Event()
    beat = threading.Thread(target=_beat, args=(path, token, stop), daemon=True)
    beat.start()
    try:
        yield
    finally:
        leave_if_forked(pid)
        stop.set()
        beat.join()
        _held.discard(token)
        with contextlib.suppress(OSError):  # where it cannot be removed, others see that nobody holds it
            if _ours(path, token):
                path.unlink()


def is_held(path: Path) -> bool:
    """Whether a running process holds the lease now, as far as that can be told without watching it."""
    holder = _read(path)
    return holder is not None and not _ended(holder) and not _suspect(path)


def end_if_dead(path: Path) -> None:
    """Remove a lease of which it is known that its process has ended. Raises OSError if it cannot be removed."""
    holder = _read(path)
    if holder is not None and _ended(holder):
        _break(path, holder)


def is_whole(path: Path) -> bool:
    """Whether a lease can be read, or is gone."""
    return _read(path) != {}


def _take(path: Path, token: str) -> bool:
    """Create the lease file; False if it exists. A hard link makes name and content appear at the same time."""
    pid = os.getpid()
    values = {"host": socket.gethostname(), "place": place(), "pid": pid, "started": started(pid), "token": token}
    content = seal(json.dumps({**values, "of": path.name}))
    draft = draft_of(path)
    try:
        draft.write_text(content, encoding="utf-8")
        os.link(draft, path)
    except FileExistsError:  # so says a network file system too, where it sent the request twice
        return (_read(path) or {}).get("token") == token
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return _create(path, content)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
    return True


def _create(path: Path, content: str) -> bool:
    """Create the lease file where there are no hard links. Until the content is there, it is a lease of an unknown process."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True


def _read(path: Path) -> dict[str, Any] | None:
    """The content of a lease file, empty if it cannot be read; None if there is no file."""
    try:
        content = unseal(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}
    return content if content.get("of", path.name) == path.name else {}


def _ours(path: Path, token: str) -> bool:
    """Whether a lease is still this one, readable or not, and was not taken over."""
    content = _read(path)
    return content is not None and content.get("token", token) == token


def _ended(holder: dict[str, Any]) -> bool:
    """Whether it is known that the holder of a lease has ended, or holds it no more."""
    if runs(holder.get("place"), holder.get("pid"), holder.get("started")) is False:
        return True
    return holder.get("place") == place() and holder["pid"] == os.getpid() and holder.get("token") not in _held


def _suspect(path: Path) -> bool:
    """Whether the time stamp of a lease is far from the present time. That is asked of the file system, whose clock made the stamp,
    if this machine's clock says so."""
    limit = HEARTBEAT * STALE
    try:
        stamp = path.stat().st_mtime
        if abs(time.time() - stamp) <= limit:
            return False
        return abs(_now(path) - stamp) > limit
    except OSError:
        return False


def _now(path: Path) -> float:
    """The present time by the clock of the file system; by that of this machine where the folder cannot be written."""
    probe = draft_of(path)
    try:
        probe.touch(exist_ok=False)
        return probe.stat().st_mtime
    except OSError:
        return time.time()
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()


def _unchanged(path: Path) -> bool:
    """Whether a lease stays as it is for some heartbeats."""
    end = time.monotonic() + WATCHED * HEARTBEAT
    first = _stamp(path)
    while time.monotonic() < end:
        time.sleep(min(HEARTBEAT / 10, 0.5))
        if _stamp(path) != first:
            return False
    return first is not None


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def _break(path: Path, holder: dict[str, Any]) -> None:
    """Remove the lease of `holder`. A guard, itself a file that one process creates, sees to it that no newer lease is removed."""
    guard, token = path.with_name(f".{path.name}-breaking"), uuid.uuid4().hex
    _held.add(token)
    if not _take(guard, token):
        _held.discard(token)
        other = _read(guard)
        if other is not None and (_ended(other) or _suspect(guard)):  # its process died within these few lines
            with contextlib.suppress(FileNotFoundError):
                guard.unlink()
        time.sleep(0.01)
        return
    try:
        if _read(path) == holder:
            path.unlink()
    except FileNotFoundError:
        pass
    finally:
        with contextlib.suppress(OSError):
            guard.unlink()
        _held.discard(token)


def _beat(path: Path, token: str, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT):
        with contextlib.suppress(OSError):
            if _ours(path, token):
                os.utime(path)
