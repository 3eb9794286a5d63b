"""The executor that runs several trials at a time on this machine, in worker processes on the GPUs or on the CPU cores.

Several of them share a GPU (lanes.py), through NVIDIA's Multi-Process Service where it can be had (mps.py).

This process gives a node to each worker that has none, forwards its progress, replaces workers that die, and kills those that do
not end within `trial.timeout`.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import connection, get_context
from multiprocessing.context import SpawnProcess
from typing import Any

from ferbench.cores import keep_memory, usable_cores
from ferbench.errors import FerbenchError
from ferbench.execution.executors import lanes, mps
from ferbench.execution.spawned import without_main
from ferbench.execution.watch import Watched
from ferbench.interfaces.executor import Executor, Node, Progress, Relayed, Work
from ferbench.records.schema import INTERRUPTED, Outcome, Trial
from ferbench.registry.builtin import ProcessesSettings

GRACE = 20.0
"""Seconds that an interrupted worker has to end before it is killed."""

POLL = 1.0
"""Seconds between two looks at whether workers live. The end of a pipe does not say so: a process that a plugin forked may hold
it."""

BEGINNING, LATE = 120.0, 30.0
"""Seconds that a worker may take until it begins with a node, and beyond `trial.timeout` until it is killed."""

ERROR, END = "error", "end"
"""Other messages of a worker: an error, and what became of its node."""

BEGUN = ("trial", "shared")
"""Messages with which a worker begins with a node."""

INTERRUPT_STATUS = 130
"""Exit status of an interrupted worker."""


@dataclass(frozen=True)
class WorkerSlot:
    """The resources of a worker.

    Attributes:
        name: number of the worker, from 1.
        gpu: value of CUDA_VISIBLE_DEVICES, one GPU or those that train a trial together; None for leaving that variable as it is.
        threads: number of CPU threads.
        environment: further environment variables.
    """

    name: str
    gpu: str | None
    threads: int
    environment: Mapping[str, str] = field(default_factory=dict)


class Processes(Executor):
    """`executor=processes`: several worker processes, which run trials at the same time."""

    settings: ProcessesSettings

    def run(self, work: Work, progress: Progress) -> Iterator[Outcome]:
        trials = work.trials or [node.trial for node in work.nodes]  # there may be nothing but shared stages
        with self._slots(trials, progress) as slots:
            yield from _run(slots, work, progress)

    @contextlib.contextmanager
    def _slots(self, trials: Sequence[Trial], progress: Progress) -> Iterator[list[WorkerSlot]]:
        """A context in which the workers have their resources."""
        check(self.settings)
        cores, asked, each = usable_cores(), self.settings, together(trials)
        devices = groups(trials, asked.lanes)
        if not devices:
            yield worker_slots(asked, len(trials), devices, max(1, cores // each))
            return
        on_each = -(-len(trials) // len(devices))
        if asked.workers:
            on_each = min(-(-asked.workers // len(devices)), on_each)
        one = on_each == 1 or (asked.lanes == 1 and not asked.workers) or each > 1
        with mps.services([] if one else devices) as services:
            if each > 1:
                on_each = 1
            elif not asked.workers:
                on_each = lanes.fitting(
                    asked.lanes, on_each, cores // len(devices), bool(services), lambda: _room(trials)
                )
            slots = worker_slots(asked, len(trials), devices, cores, on_each)
            if len(slots) > len(devices):
                how = "their kernels run at the same time (MPS)" if services else "they take turns on it, without MPS"
                progress.message(f"{on_each} trials at a time on {'each' if len(devices) > 1 else 'the'} GPU; {how}")
            yield [
                replace(slot, environment={**services.get(slot.gpu or "", {}), lanes.VARIABLE: str(on_each)})
                for slot in slots
            ]


def _room(trials: Sequence[Trial]) -> lanes.Room:
    from ferbench.execution.estimate import room_beside

    return room_beside(trials)


def _run(slots: Sequence[WorkerSlot], work: Work, progress: Progress) -> Iterator[Outcome]:
    workers = [Worker(slot, progress.worker(slot.name)) for slot in slots]
    try:
        while work.left:
            for worker, node in zip([w for w in workers if w.node is None], work.ready(), strict=False):
                work.begin(node)
                worker.give(node)
            working = [worker for worker in workers if worker.node is not None]
            if not working:
                work.wait(progress)
                continue
            rest = work.rest()
            ready = connection.wait([worker.pipe for worker in working], POLL if rest is None else min(rest, POLL))
            for worker in working:
                if worker.pipe in ready:
                    yield from worker.receive(work)
                else:
                    yield from worker.look(work)
    finally:
        _stop(workers)


class Worker:
    """A worker process, as the main process sees it. `node` is what it has to do; None if it has nothing."""

    def __init__(self, slot: WorkerSlot, progress: Progress) -> None:
        self.slot, self.progress = slot, progress
        self.process: SpawnProcess | None = None
        self.pipe: connection.Connection
        self.node: Node | None = None
        self.watched = Watched(progress)
        self.late = math.inf

    def give(self, node: Node) -> None:
        """Let the process do a node; it is started if there is none."""
        if self.process is None:
            context = get_context("spawn")
            self.pipe, theirs = context.Pipe()
            self.process = context.Process(target=_main, args=(theirs,))
            with _environment(self.slot), without_main():
                self.process.start()
            theirs.close()
        self.node = node
        self.watched = Watched(self.progress)
        self.late = time.monotonic() + BEGINNING + node.trial.timeout + LATE if node.trial.timeout else math.inf
        with contextlib.suppress(OSError):  # it has died, which `receive` finds
            self.pipe.send(node)

    def receive(self, work: Work) -> list[Outcome]:
        """Receive one message.

        Returns:
            The outcomes that are thereby known.

        Raises:
            FerbenchError: the worker reports an error.
            KeyboardInterrupt: the worker was interrupted.
        """
        assert self.node is not None
        try:
            name, *values = self.pipe.recv()
        except (EOFError, OSError):
            return self._gone(work)
        if name == ERROR:
            raise FerbenchError(values[0])
        if name != END:
            if name in BEGUN and self.node.trial.timeout:
                self.late = time.monotonic() + self.node.trial.timeout + LATE
            getattr(self.watched, name)(*values)
            if name == "outcome" and values[0].status == INTERRUPTED:
                raise KeyboardInterrupt
            return []
        node, self.node = self.node, None
        outcome: Outcome | None = values[0]
        if outcome is None:
            work.busy(node)
            return []
        return work.end(node, outcome)

    def look(self, work: Work) -> list[Outcome]:
        """See whether the process lives and is in time. Returns and raises as `receive`."""
        assert self.process is not None
        if not self.process.is_alive() and not self.pipe.poll():
            return self._gone(work)
        if time.monotonic() <= self.late:
            return []
        self.process.kill()
        node, _ = self._ended()
        limit = f"trial.timeout={node.trial.timeout:g} s"
        return work.lost(
            node,
            f"It took longer than {limit}, did not end within {LATE:g} s more, and was killed {self.watched.place}. Something in "
            "it hangs where Python cannot interrupt it; what its checkpoints hold is kept.",
            again=False,
        )

    def _gone(self, work: Work) -> list[Outcome]:
        """The process has ended in the middle of its work. The next node gets a new one."""
        node, status = self._ended()
        if status in (INTERRUPT_STATUS, -signal.SIGINT):
            raise KeyboardInterrupt
        return work.lost(node, f"The worker process {in_words(status)} during the trial.")

    def _ended(self) -> tuple[Node, int]:
        """Forget the process, which has ended or is about to. Returns its node and its exit status."""
        assert self.process is not None
        assert self.node is not None
        self.process.join()
        status = self.process.exitcode or 0
        self.pipe.close()
        node, self.node, self.process = self.node, None, None
        return node, status


def check(settings: object) -> None:
    """Raise FerbenchError if a setting of the executor is negative."""
    for name, value in vars(settings).items():
        if value < 0:
            raise FerbenchError(f"executor.{name} is {value}; it has to be at least 0 (0: chosen by ferbench).")


def worker_slots(
    settings: ProcessesSettings, trials: int, gpus: Sequence[str], cores: int, on_each: int = 1
) -> list[WorkerSlot]:
    """The resources of each worker: GPUs are assigned in turn, and CPU cores in equal parts.

    Args:
        on_each: number of workers on each GPU, unless `settings` has one of workers.
    """
    count = min(settings.workers or on_each * len(gpus) or cores, trials)
    threads = settings.threads or max(1, cores // count)
    return [WorkerSlot(str(i + 1), gpus[i % len(gpus)] if gpus else None, threads) for i in range(count)]


def together(trials: Sequence[Trial]) -> int:
    """How many devices train a trial together, the largest `trainer.devices` of the trials."""
    return max((int(trial.config["trainer"].get("devices", 1)) for trial in trials), default=1)


def groups(trials: Sequence[Trial], lanes: int) -> list[str]:
    """`gpus`, in groups that train a trial together, such as "0,1". Too few for one group are one: the trial then says so.

    Raises:
        FerbenchError: as `gpus`; or trials are to share GPUs, the setting `executor.lanes`, and each takes several.
    """
    found, each = gpus(trials), together(trials)
    if each > 1 and lanes > 1:
        raise FerbenchError(
            f"executor.lanes={lanes} lets trials share a GPU, and trainer.devices={each} gives each trial several. Leave one out."
        )
    whole = [found[i : i + each] for i in range(0, len(found) - each + 1, each)] or ([found] if found else [])
    return [",".join(group) for group in whole]


def gpus(trials: Sequence[Trial]) -> list[str]:
    """The GPUs that the trials may use, as in CUDA_VISIBLE_DEVICES; empty if the trials run on the CPU.

    Raises:
        FerbenchError: `trainer.device` of a trial is a GPU with a number.
    """
    asked = {str(trial.config["trainer"]["device"]) for trial in trials}
    if numbered := sorted(name for name in asked if ":" in name):
        raise FerbenchError(
            f"trainer.device={numbered[0]} puts all workers of executor=processes on one GPU. Leave it out: each worker then gets "
            "a GPU, of those in CUDA_VISIBLE_DEVICES if that is set."
        )
    if not asked & {"auto", "cuda"}:
        return []
    import torch

    if not torch.cuda.is_available():  # the variable may be set all the same
        return []
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [part.strip() for part in named.split(",") if part.strip() not in ("", "-1")]
    return [str(i) for i in range(torch.cuda.device_count())]


@contextlib.contextmanager
def _environment(slot: WorkerSlot) -> Iterator[None]:
    """A context in which a new process gets the environment variables of a worker."""
    values = {"OMP_NUM_THREADS": str(slot.threads)} | ({"CUDA_VISIBLE_DEVICES": slot.gpu} if slot.gpu else {})
    values |= slot.environment
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def in_words(status: int) -> str:
    """How a process ended, from its exit status."""
    if status == -signal.SIGKILL:
        return "was killed, probably because the memory ran out,"
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def _stop(workers: Sequence[Worker]) -> None:
    """End the workers that are still running. They get time to end by themselves (Ctrl-C reaches all processes of a terminal, and
    their pipes are closed); then they are interrupted, and finally killed."""
    running = [worker for worker in workers if worker.process is not None]
    for worker in running:
        worker.pipe.close()
    alive = [w.process for w in running if w.process is not None and w.process.is_alive()]
    for act, patience in ((None, 2.0), (signal.SIGINT, GRACE), (signal.SIGKILL, GRACE)):
        for process in alive:
            if act is not None and process.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, act)
        end = time.monotonic() + patience
        while (alive := [process for process in alive if process.is_alive()]) and time.monotonic() < end:
            time.sleep(0.05)


class Relay(Relayed):
    """The progress listener in a worker: it sends all calls to the main process."""

    def __init__(self, pipe: connection.Connection) -> None:
        self._pipe = pipe

    def report(self, name: str, values: tuple[Any, ...]) -> None:
        self.send(name, *values)

    def send(self, name: str, *values: Any) -> None:
        try:
            self._pipe.send((name, *values))
        except OSError as error:  # the main process has ended
            raise KeyboardInterrupt from error


def _main(pipe: connection.Connection) -> None:
    """The main function of a worker process: it does one node after another, until its pipe is closed."""
    keep_memory()
    relay = Relay(pipe)
    try:
        while True:
            try:
                node: Node = pipe.recv()
            except (EOFError, OSError):
                return
            relay.send(END, node.perform(relay))
    except FerbenchError as error:
        relay.send(ERROR, str(error))
    except KeyboardInterrupt:
        signal.signal(
            signal.SIGINT, signal.SIG_IGN
        )  # another one would interrupt what Python does at its end, with a traceback
        sys.exit(INTERRUPT_STATUS)
