"""Several trials at a time on this machine, each in a process of its own: one for each GPU, or several on the cores.

The workers share the trials as strangers would, through the results folder (ferbench.executors.shared). This process starts
them, passes on what they report, and writes down the failure of one that dies.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.context import SpawnProcess
from typing import Any

from ferbench.errors import FerbenchError
from ferbench.executors import settings
from ferbench.executors.base import Executor, Report
from ferbench.executors.shared import failures, run_shared
from ferbench.records import FAILED, INTERRUPTED, Outcome, Trial
from ferbench.store import Store

GRACE = 20.0
"""Seconds in which an interrupted worker may end by itself."""

REPORTED = ("preparing", "trial", "message", "stage", "step", "outcome")
"""Methods of the report that a worker passes on by name; besides them it sends the following."""
FOUND, ERROR, END = "found", "error", "end"

BY_HAND = 130
"""Exit status of an interrupted worker."""


@dataclass(frozen=True)
class Place:
    """Where a worker runs: its name, what CUDA_VISIBLE_DEVICES becomes (None leaves it alone), and its CPU threads."""

    name: str
    gpu: str | None
    threads: int


class Processes(Executor):
    """`executor=processes`."""

    settings: settings.Processes

    def run(self, trials: Sequence[Trial], report: Report) -> Iterator[Outcome]:
        where = places(self.settings, len(trials), gpus(trials), _cores())
        before = failures(trials)
        crew = [Worker(place, report.worker(place.name), trials, before) for place in where]
        own: set[str] = set()
        found: dict[str, Outcome] = {}
        try:
            for worker in crew:
                worker.start()
            while busy := [worker for worker in crew if worker.pipe is not None]:
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
            _stop(crew)
        yield from (outcome for trial, outcome in found.items() if trial not in own)


class Worker:
    """A process, seen from outside. `pipe` is None where it does not run."""

    def __init__(
        self, place: Place, report: Report, trials: Sequence[Trial], before: Mapping[str, Outcome | None]
    ) -> None:
        self.place, self.report = place, report
        self.work = (trials, before)
        self.process: SpawnProcess | None = None
        self.pipe: connection.Connection | None = None
        self.trial: Trial | None = None
        self.ended = False

    def start(self) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe(duplex=False)
        self.process = context.Process(target=_main, args=(theirs, *self.work), daemon=True)
        with _environment(self.place):
            self.process.start()
        theirs.close()

    def receive(self) -> tuple[Outcome | None, bool]:
        """Take one message: the outcome of a trial, where it tells one, and whether this worker ran it.

        Raises:
            FerbenchError: the worker could not begin.
            KeyboardInterrupt: it was interrupted.
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
        getattr(self.report, name)(*values)
        if name != "outcome":
            return None, False
        self.trial = None
        if values[0].status == INTERRUPTED:
            raise KeyboardInterrupt
        return values[0], True

    def _gone(self) -> Outcome | None:
        """The process has ended. Where it died on a trial, that one has failed and another process takes its place."""
        assert self.process is not None
        assert self.pipe is not None
        self.process.join()
        self.pipe.close()
        self.pipe = None
        if self.ended:
            return None
        status = self.process.exitcode or 0
        if status in (BY_HAND, -signal.SIGINT):
            raise KeyboardInterrupt
        how = _in_words(status)
        if self.trial is None:
            raise FerbenchError(
                f"Worker {self.place.name} {how} without a trial to blame; what it said stands above. executor=inprocess "
                "runs the trials in this process."
            )
        outcome = Outcome(self.trial, FAILED, f"The worker process {how} in the middle of it.")
        self.trial = None
        Store(outcome.trial.config["results_dir"]).write_failure(outcome)
        self.report.outcome(outcome)
        self.start()
        return outcome


def places(settings: settings.Processes, trials: int, gpus: Sequence[str], cores: int) -> list[Place]:
    """Where each worker runs: the GPUs in turn, the cores in equal parts.

    Raises:
        FerbenchError: a setting is negative.
    """
    for name in ("workers", "threads"):
        if getattr(settings, name) < 0:
            raise FerbenchError(f"executor.{name} has to be at least 0, which leaves the number to ferbench.")
    count = min(settings.workers or len(gpus) or cores, trials)
    threads = settings.threads or max(1, cores // count)
    return [Place(str(i + 1), gpus[i % len(gpus)] if gpus else None, threads) for i in range(count)]


def gpus(trials: Sequence[Trial]) -> list[str]:
    """The GPUs that the trials may use, as CUDA_VISIBLE_DEVICES names them; empty where they run on the CPU.

    Raises:
        FerbenchError: a trial asks for one GPU by its number.
    """
    asked = {str(trial.config["trainer"]["device"]) for trial in trials}
    if numbered := sorted(name for name in asked if ":" in name):
        raise FerbenchError(
            f"trainer.device={numbered[0]} puts all workers of executor=processes on one device. Leave it out: each gets a GPU, "
            "of those in CUDA_VISIBLE_DEVICES where that is set."
        )
    if not asked & {"auto", "cuda"}:
        return []
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [part.strip() for part in named.split(",") if part.strip() not in ("", "-1")]
    import torch

    return [str(i) for i in range(torch.cuda.device_count())]


@contextlib.contextmanager
def _environment(place: Place) -> Iterator[None]:
    """What a process that is started now finds set."""
    values = {"OMP_NUM_THREADS": str(place.threads)} | ({"CUDA_VISIBLE_DEVICES": place.gpu} if place.gpu else {})
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


def _cores() -> int:
    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_words(status: int) -> str:
    if status == -signal.SIGKILL:
        return "was killed, as the system does where memory runs out,"
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def _stop(crew: Sequence[Worker]) -> None:
    """End what still runs: by itself (Ctrl-C reaches all processes of a terminal, and nobody takes reports any more),
    interrupted, then killed."""
    for worker in crew:
        if worker.pipe is not None:
            worker.pipe.close()
    alive = [w.process for w in crew if w.process is not None and w.process.is_alive()]
    for act, patience in ((None, 2.0), (signal.SIGINT, GRACE), (signal.SIGKILL, GRACE)):
        for process in alive:
            if act is not None and process.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, act)
        for process in alive:
            process.join(patience)
        alive = [process for process in alive if process.is_alive()]


class _Relay(Report):
    """A report on the worker's side."""

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
        except OSError as error:  # nobody is there to be told, or to take the results
            raise KeyboardInterrupt from error


def _main(pipe: connection.Connection, trials: Sequence[Trial], before: Mapping[str, Outcome | None]) -> None:
    """What a worker does."""
    relay = _Relay(pipe)
    try:
        for outcome in run_shared(trials, relay, before):
            if outcome.trial.id not in relay.ran:
                relay.send(FOUND, outcome)
        relay.send(END)
    except FerbenchError as error:
        relay.send(ERROR, str(error))
    except KeyboardInterrupt:
        sys.exit(BY_HAND)
