"""What a job does. submitit starts it as a step of the job (`srun`), which is what Slurm sends its signals to.

At the end of its time, and where it has to make room for another job, training leaves a checkpoint and the job goes back into the
queue; where it is cancelled, it leaves a checkpoint and ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferbench import FerbenchError
from ferbench.cores import be_considerate, keep_memory
from ferbench.files import replace_text
from ferbench.interfaces.events import Following
from ferbench.interfaces.executor import Node, Progress, check_code, draw, perform_together, prepare
from ferbench_slurm import cluster

PATIENCE = 300.0
"""Seconds that a job waits for a node that another process has. The lease of one whose machine broke down is free after 120."""

TRY_AGAIN = 5.0
"""Seconds between two looks at such a node."""

INTERRUPT_STATUS = 130

DONE, BUSY, ERROR, STUCK = "done", "busy", "error", "stuck"
"""What a job may leave beside the events of its nodes: that it has prepared the images, which nodes another process has, a sentence
on why it could not begin, and one on why it is not queued again."""


@dataclass(frozen=True)
class Task:
    """What a job has to do.

    Attributes:
        nodes: to perform at the same time; to prepare the images of, if `prepares`.
        result: file for what the job leaves.
        folder: where the command was started; paths in the nodes may be relative to it.
        environment: variables that count in the job too.
        warning: the signal that comes before the end of the job's time.
        prepares: whether it prepares the images of all nodes.
        prepared: file that the job that prepares the images leaves; empty for none.
    """

    nodes: tuple[Node, ...]
    result: str
    folder: str
    environment: Mapping[str, str]
    warning: int
    prepares: bool = False
    prepared: str = ""


def main(task: Task) -> None:
    """The job."""
    os.chdir(task.folder)
    os.environ.update(task.environment)
    be_considerate()
    keep_memory()
    signals, mark = Signals(task.warning), _Mark()
    try:
        _leave(task, _do(task, mark))
    except FerbenchError as error:
        _leave(task, {ERROR: str(error)})
    except KeyboardInterrupt:
        _interrupted(task, signals.came, mark)
        sys.exit(INTERRUPT_STATUS)
    except Exception as error:
        traceback.print_exc()
        _leave(task, {ERROR: f"{type(error).__name__}: {error}"})


def result(path: str | Path) -> dict[str, Any]:
    """What a job has left; empty if nothing."""
    try:
        return dict(json.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _do(task: Task, mark: _Mark) -> dict[str, Any]:
    if task.prepared and (sentence := result(task.prepared).get(ERROR)):
        raise FerbenchError(sentence)
    check_code(task.nodes)
    if task.prepares:
        prepare(task.nodes, mark)
        return {DONE: True}
    if len(task.nodes) > 1:
        perform_together(task.nodes, len(task.nodes), Progress())
        for node in task.nodes:
            _draw(node)
        return {}
    return _perform(task.nodes[0])


def _perform(node: Node) -> dict[str, Any]:
    until = time.monotonic() + PATIENCE
    while node.perform(Progress()) is None:
        if time.monotonic() > until:
            return {BUSY: [node.key]}
        time.sleep(TRY_AGAIN)
    _draw(node)
    return {}


def _draw(node: Node) -> None:
    """Draw the figures of a trial, if there is a record. One that cannot be drawn costs it nothing."""
    if node.stage is not None:
        return
    with contextlib.suppress(FerbenchError):
        try:
            draw(node)
        except (OSError, ValueError, RuntimeError, ImportError):
            traceback.print_exc()


def _leave(task: Task, found: Mapping[str, Any]) -> None:
    if found:
        replace_text(Path(task.result), json.dumps(found))


class Signals:
    """Turns the signals of Slurm into KeyboardInterrupt in the main thread, once.

    They are kept from processes that the job starts, which it interrupts itself. Whichever thread gets a signal, the number is
    read from a pipe, and the main thread gets SIGINT, which ends waiting calls too.

    Attributes:
        came: the first signal; None if there was none.
    """

    def __init__(self, warning: int) -> None:
        self.came: int | None = None
        self._asked = (warning, signal.SIGTERM)
        read, write = os.pipe()
        os.set_blocking(write, False)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in self._asked:
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        threading.Thread(target=self._listen, args=(read, threading.get_ident()), daemon=True).start()
        signal.pthread_sigmask(signal.SIG_BLOCK, self._asked)

    def _listen(self, pipe: int, main: int) -> None:
        while True:
            (number,) = os.read(pipe, 1)
            if number in self._asked and self.came is None:
                self.came = number
                signal.pthread_kill(main, signal.SIGINT)


class _Mark(Progress):
    """How far the work has come: the images that are prepared, and where the last stage began."""

    def __init__(self) -> None:
        self.images, self.stage_begun = 0, ["", 0]

    def preparing(self, done: int, total: int) -> None:
        self.images = done

    def stage(self, name: str, step: int, steps: int) -> None:
        self.stage_begun = [name, step]


def _interrupted(task: Task, came: int | None, mark: _Mark) -> None:
    """Queue the job again, unless it was cancelled, or has come no further than when it reached the end of its time before."""
    number = os.environ["SLURM_JOB_ID"]
    if came == task.warning:
        marks = Path(task.result).with_suffix(".marks.json")
        now = {"images": mark.images} if task.prepares else _marks(task.nodes)
        if result(marks) == now:
            _leave(task, {STUCK: True})
            return
        replace_text(marks, json.dumps(now))
    elif came != signal.SIGTERM or not cluster.was_preempted(number):
        return
    cluster.queue_again(number)


def _marks(nodes: Sequence[Node]) -> dict[str, Any]:
    """Whether each node has ended, and where its last stage began."""
    found = {}
    for node in nodes:
        mark = _Mark()
        ended = Following(node, mark).poll() is not None
        found[node.key] = [ended, *mark.stage_begun]
    return found
