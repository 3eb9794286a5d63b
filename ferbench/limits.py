"""Limits for code of others: a time after which it is interrupted, and the end of copies of a process that it forked."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

AGAIN = 5.0
"""Seconds after which an alarm rings again, in case that the first one was caught."""


class TimeUp(BaseException):
    """The time is up. It is no Exception, so that code that catches all of these is interrupted too."""


@contextlib.contextmanager
def alarm(seconds: float, ring: Callable[[], None], again: float = AGAIN) -> Iterator[None]:
    """A context in which `ring` is called after `seconds`, and then every `again` seconds. It may raise `TimeUp`.

    It is called in the main thread, as soon as that runs Python code: code in C that does not return is not interrupted. Without
    effect where `seconds` is 0, in other threads, and on systems without such an alarm (Windows). Contexts may be nested: the
    inner one comes first.
    """
    if seconds <= 0 or threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return
    over = False

    def rung(*_: object) -> None:
        if not over:
            ring()

    start = time.monotonic()
    before = signal.signal(signal.SIGALRM, rung)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds, again)
    try:
        try:
            yield
        finally:
            over = True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before or signal.SIG_DFL)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - start), 0.001), interval)


def leave_if_forked(pid: int) -> None:
    """End this process at once if it is not `pid`: it is a copy that a plugin forked and that goes on with the work of the
    original. It must not write records, or release leases of the original."""
    if os.getpid() != pid:
        os._exit(1)
