"""The executor that runs several trials at a time on this machine, in worker processes on the GPUs or on the CPU cores.

Several of them share a GPU (lanes.py), through NVIDIA's Multi-Process Service where it can be had (mps.py).

Workers coordinate only through leases and records in the results folder (shared.py). This process starts the workers, forwards
their progress, and stores a failure for the trial of a worker that crashes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import connection, get_context
from multiprocessing.context import SpawnProcess
from typing import Any

from ferbench.cores import keep_memory, usable_cores
from ferbench.errors import FerbenchError
from ferbench.execution.executors import lanes, mps
from ferbench.execution.executors.shared import failures, run_shared
from ferbench.interfaces.executor import REPORTED, Executor, Progress
from ferbench.records.schema import FAILED, INTERRUPTED, Outcome, Trial
from ferbench.records.store import Store
from ferbench.registry.builtin import ProcessesSettings

GRACE = 20.0
"""Seconds that an interrupted worker has to end before it is killed."""

FOUND, ERROR, END = "found", "error", "end"
"""Other messages of a worker: the outcome of a trial that another process ran, an error, the end of the work."""

INTERRUPT_STATUS = 130
"""Exit status of an interrupted worker."""


@dataclass(frozen=True)
class WorkerSlot:
    """The resources of a worker.

    Attributes:
        name: number of the worker, from 1.
        gpu: value of CUDA_VISIBLE_DEVICES; None for leaving that variable as it is.
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

    def run(self, trials: Sequence[Trial], progress: Progress) -> Iterator[Outcome]:
        with self._slots(trials, progress) as slots:
            yield from _run(slots, trials, progress)

    @contextlib.contextmanager
    def _slots(self, trials: Sequence[Trial], progress: Progress) -> Iterator[list[WorkerSlot]]:
        """A context in which the workers have their resources."""
        check(self.settings)
        devices, cores, asked = gpus(trials), usable_cores(), self.settings
        if not devices:
            yield worker_slots(asked, len(trials), devices, cores)
            return
        on_each = -(-len(trials) // len(devices))
        if asked.workers:
            on_each = min(-(-asked.workers // len(devices)), on_each)
        one = on_each == 1 or (asked.lanes == 1 and not asked.workers)
        with mps.services([] if one else devices) as services:
            if not asked.workers:
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


def _run(slots: Sequence[WorkerSlot], trials: Sequence[Trial], progress: Progress) -> Iterator[Outcome]:
    before = failures(trials)
    workers = [Worker(slot, progress.worker(slot.name), trials, before) for slot in slots]
    own: set[str] = set()
    found: dict[str, Outcome] = {}
    try:
        for worker in workers:
            worker.start()
        while busy := [worker for worker in workers if worker.pipe is not None]:
            ready = connection.wait([worker.pipe for worker in busy if worker.pipe is not None])
            for worker in busy:
                if worker.pipe not in ready:
                    continue
                outcome, ran = worker.receive()
                if outcome is not None and ran:
                    own.add(outcome.trial.id)
                    yield outcome
                elif outcome is not None:
                    found[outcome.trial.id] = outcome
    finally:
        _stop(workers)
    yield from (outcome for trial, outcome in found.items() if trial not in own)


class Worker:
    """A worker process, as the main process sees it. `pipe` is None if it is not running."""

    def __init__(
        self,
        slot: WorkerSlot,
        progress: Progress,
        trials: Sequence[Trial],
        before: Mapping[str, Outcome | None],
    ) -> None:
        self.slot, self.progress = slot, progress
        self.work = (trials, before)
        self.process: SpawnProcess | None = None
        self.pipe: connection.Connection | None = None
        self.trial: Trial | None = None
        self.ended = False

    def start(self) -> None:
        """Start the process."""
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe(duplex=False)
        self.process = context.Process(target=_main, args=(theirs, *self.work), daemon=True)
        with _environment(self.slot):
            self.process.start()
        theirs.close()

    def receive(self) -> tuple[Outcome | None, bool]:
        """Receive one message.

        Returns:
            (outcome of a trial, whether this worker ran that trial); the outcome is None for other messages.

        Raises:
            FerbenchError: the worker reports an error, or crashed while it was not running a trial.
            KeyboardInterrupt: the worker was interrupted.
        """
        assert self.pipe is not None
        try:
            name, *values = self.pipe.recv()
        except (EOFError, OSError):
            return self._gone(), True
        if name == FOUND:
            return values[0], False
        if name == ERROR:
            raise FerbenchError(values[0])
        if name == END:
            self.ended = True
            return None, False
        if name == "trial":
            self.trial = values[0]
        getattr(self.progress, name)(*values)
        if name != "outcome":
            return None, False
        self.trial = None
        if values[0].status == INTERRUPTED:
            raise KeyboardInterrupt
        return values[0], True

    def _gone(self) -> Outcome | None:
        """The process has ended. If it crashed during a trial, that trial has failed, and a new process is started."""
        assert self.process is not None
        assert self.pipe is not None
        self.process.join()
        self.pipe.close()
        self.pipe = None
        if self.ended:
            return None
        status = self.process.exitcode or 0
        if status in (INTERRUPT_STATUS, -signal.SIGINT):
            raise KeyboardInterrupt
        how = _in_words(status)
        if self.trial is None:
            raise FerbenchError(
                f"Worker {self.slot.name} {how} while it was not running a trial; its messages are above. Use executor=inprocess "
                "to run the trials in this process."
            )
        outcome = Outcome(self.trial, FAILED, f"The worker process {how} during the trial.")
        self.trial = None
        Store(outcome.trial.config["results_dir"]).write_failure(outcome)
        self.progress.outcome(outcome)
        self.start()
        return outcome


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


def _in_words(status: int) -> str:
    """How a process ended, from its exit status."""
    if status == -signal.SIGKILL:
        return "was killed, probably because the memory ran out,"
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def _stop(workers: Sequence[Worker]) -> None:
    """End the workers that are still running. They get time to end by themselves (Ctrl-C reaches all processes of a terminal, and
    their pipes are closed); then they are interrupted, and finally killed."""
    for worker in workers:
        if worker.pipe is not None:
            worker.pipe.close()
    alive = [w.process for w in workers if w.process is not None and w.process.is_alive()]
    for act, patience in ((None, 2.0), (signal.SIGINT, GRACE), (signal.SIGKILL, GRACE)):
        for process in alive:
            if act is not None and process.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, act)
        for process in alive:
            process.join(patience)
        alive = [process for process in alive if process.is_alive()]


class _Relay(Progress):
    """The progress listener in a worker: it sends all calls to the main process."""

    def __init__(self, pipe: connection.Connection) -> None:
        self.ran: set[str] = set()
        self._pipe = pipe
        for name in REPORTED:
            setattr(self, name, lambda *values, name=name: self.send(name, *values))

    def send(self, name: str, *values: Any) -> None:
        if name == "outcome":
            self.ran.add(values[0].trial.id)
        try:
            self._pipe.send((name, *values))
        except OSError as error:  # the main process has ended
            raise KeyboardInterrupt from error


def _main(pipe: connection.Connection, trials: Sequence[Trial], before: Mapping[str, Outcome | None]) -> None:
    """The main function of a worker process."""
    keep_memory()
    relay = _Relay(pipe)
    try:
        for outcome in run_shared(trials, relay, before):
            if outcome.trial.id not in relay.ran:
                relay.send(FOUND, outcome)
        relay.send(END)
    except FerbenchError as error:
        relay.send(ERROR, str(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPT_STATUS)
