"""Interrupts that wait for the end of a step, so that a checkpoint can be saved before they take effect."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Interrupt:
    """Whether an interrupt has arrived. `asked` may also be set by who trains."""

    asked = False


@contextlib.contextmanager
def deferred() -> Iterator[Interrupt]:
    """A context in which the first signal that would raise KeyboardInterrupt only sets `asked`. The second one raises it.

    These are Ctrl-C, and others whose handler is `signal.default_int_handler`, which is how an engine says that its job has to end
    soon. Outside the main thread, which signals reach, nothing is deferred. In a process that `multiprocessing` started, the second
    signal does nothing either: it gets one from the terminal and one from the process that watches it, which kills it in time.
    """
    found = Interrupt()
    ours: list[signal.Signals] = []

    def restore() -> None:
        for number in ours:
            signal.signal(number, signal.default_int_handler)
        ours.clear()

    def note(number: int, frame: FrameType | None) -> None:
        found.asked = True
        if multiprocessing.parent_process() is None:
            restore()

    if threading.current_thread() is threading.main_thread():
        for number in signal.valid_signals() & set(signal.Signals):
            if signal.getsignal(number) is signal.default_int_handler:
                signal.signal(number, note)
                ours.append(signal.Signals(number))
    try:
        yield found
    finally:
        restore()
