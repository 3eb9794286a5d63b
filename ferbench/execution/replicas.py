"""Starting and watching the processes that train one stage on several devices, one process for each device.

This process trains nothing: it forwards the progress of the first of them, and if one fails or dies, it ends the others at once, so
that nobody waits for a process that is gone.
"""

from __future__ import annotations

import _thread
import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

import torch

from ferbench.cores import keep_memory
from ferbench.errors import FerbenchError, TrainingError
from ferbench.execution.executors.processes import INTERRUPT_STATUS, Relay, in_words
from ferbench.execution.spawned import without_main
from ferbench.interfaces.executor import Progress
from ferbench.interfaces.replicas import PeerLost, Place
from ferbench.records.schema import StageNode, Trial
from ferbench.training.loop import Device
from ferbench.training.replicas import Replicas, joined

GRACE = 10.0
"""Seconds that the other processes have to end by themselves before they are killed."""

ERROR, LOST, END = "error", "lost", "end"
"""Messages of a process beside those of its progress: the exception that ended it; how it noticed that another one is gone; its
peak memory in bytes, after which it is done."""

Part = Callable[[Trial, StageNode, Device, Replicas, Progress], int]
"""What each process does. It returns the process's peak memory in bytes."""


def train(part: Part, trial: Trial, node: StageNode, device: Device, count: int, progress: Progress) -> int:
    """Train a stage of a trial in `count` processes.

    Args:
        part: a function of a module.
        device: kind of device, and precision.

    Returns:
        The largest peak memory of the processes, in bytes.

    Raises:
        TrainingError: one of them died, or failed with an error that the user can correct. Other errors are raised as they are.
    """
    on_cuda = device.device.type == "cuda"
    kind = "GPUs" if on_cuda else "processes of the CPU"
    graphs = ", and its steps are not recorded as graphs" if on_cuda else ""
    progress.message(f"stage '{node.name}' is trained on {count} {kind} together{graphs}")
    context = multiprocessing.get_context("spawn")
    threads = max(1, torch.get_num_threads() // count)
    processes: dict[connection.Connection, SpawnProcess] = {}
    with tempfile.TemporaryDirectory(prefix="ferbench-") as folder:
        try:
            for rank in range(count):
                own = Device(torch.device("cuda", rank) if on_cuda else device.device, device.precision)
                ours, theirs = context.Pipe(duplex=False)
                arguments = (theirs, part, trial, node, own, Place(rank, count), Path(folder) / "meeting", threads)
                processes[ours] = context.Process(target=_main, args=arguments)
                with without_main():
                    processes[ours].start()
                theirs.close()
            return _watch(processes, node, progress)
        finally:
            _end(list(processes.values()))
            for pipe in processes:
                pipe.close()


def _watch(processes: dict[connection.Connection, SpawnProcess], node: StageNode, progress: Progress) -> int:
    """Forward progress until all processes have ended. Raises what ended the first that failed."""
    left, peak, lost = dict(processes), 0, ""
    while left:
        for pipe in connection.wait(list(left)):
            assert isinstance(pipe, connection.Connection)
            try:
                name, *values = pipe.recv()
            except (EOFError, OSError):
                process = left.pop(pipe)
                process.join()
                status = process.exitcode or 0
                if status in (INTERRUPT_STATUS, -signal.SIGINT):
                    raise KeyboardInterrupt from None
                if status:
                    place = f"Process {list(processes).index(pipe) + 1} of {len(processes)}"
                    raise TrainingError(
                        f"{place} {in_words(status)} in stage '{node.name}', and the others were ended. With --retry failed, the "
                        "same command continues from the last checkpoint.",
                        node.name,
                    ) from None
                continue
            if name == ERROR:
                raise values[0]
            if name == LOST:
                lost = values[0]
            elif name == END:
                peak = max(peak, values[0])
            else:
                getattr(progress, name)(*values)
    if lost:  # nobody failed, but somebody did not answer
        raise TrainingError(f"The processes of stage '{node.name}' lost one another: {lost}.", node.name)
    return peak


def _end(processes: Sequence[SpawnProcess]) -> None:
    """End the processes that still run: Ctrl-C, so that no file stays half-written, and after GRACE seconds by force."""
    for act in (signal.SIGINT, signal.SIGKILL):
        alive = [process for process in processes if process.is_alive()]
        for process in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid or 0, act)
        until = time.monotonic() + GRACE
        for process in alive:
            process.join(max(0.0, until - time.monotonic()))


def _main(
    pipe: connection.Connection,
    part: Part,
    trial: Trial,
    node: StageNode,
    device: Device,
    place: Place,
    meeting: Path,
    threads: int,
) -> None:
    """The main function of a process."""
    threading.Thread(target=_follow, daemon=True).start()
    last: tuple[str, object] | None = None
    try:
        keep_memory()
        torch.set_num_threads(threads)
        if device.device.type == "cuda":
            torch.cuda.set_device(device.device)
        progress = Relay(pipe)
        with joined(place, device.device, meeting) as replicas:
            peak = part(trial, node, device, replicas, progress if place.rank == 0 else Progress())
        progress.send(END, peak)
        return
    except KeyboardInterrupt:
        status = INTERRUPT_STATUS
    except PeerLost as error:
        last, status = (LOST, str(error).splitlines()[0].rstrip(".")), 0
    except Exception as error:
        last, status = (ERROR, _portable(error, place)), 1
    with contextlib.suppress(OSError):
        if last is not None:
            pipe.send(last)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # what torch does at the end of a process may wait for others that are gone


def _portable(error: Exception, place: Place) -> Exception:
    """An exception that another process can receive, with a note of where it was raised."""
    if isinstance(error, FerbenchError):
        return TrainingError(str(error), getattr(error, "stage", ""), getattr(error, "step", -1))
    error.add_note(f"In process {place.rank + 1} of {place.count}:\n{traceback.format_exc()}")
    try:
        copied = pickle.loads(pickle.dumps(error))
        return error if isinstance(copied, type(error)) else RuntimeError(str(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")


def _follow() -> None:
    """End this process when the one that started it has ended."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    _thread.interrupt_main()
    time.sleep(GRACE)
    os._exit(INTERRUPT_STATUS)
