"""A study's tracker: what the process that runs the study hears of trials is passed on to it."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ferbench.cards import TrackerCard
from ferbench.errors import FerbenchError
from ferbench.interfaces.executor import REPORTED, Node, Progress
from ferbench.interfaces.tracker import INTERRUPTED, Tracked, Tracker
from ferbench.plan.study import Study
from ferbench.records import files
from ferbench.records.schema import DONE, STORED, Outcome, Trial
from ferbench.records.settings import settings_of
from ferbench.records.store import Store
from ferbench.registry.loader import Registry

SLOW = 60.0
"""Seconds after which a call of a tracker was so slow that it is switched off: it holds up the study."""


@contextlib.contextmanager
def tracked(registry: Registry, study: Study, progress: Progress) -> Iterator[Progress]:
    """A context in which a listener passes everything on to `progress`, and to the study's tracker if it has one.

    Raises:
        FerbenchError: there is no such tracker, its package is not installed, or it does not accept its settings.
    """
    if study.tracker is None:
        yield progress
        return
    desk = Desk(study.tracker.name, Store(study.results_dir), progress.message)
    desk.open(functools.partial(study.tracker.make, registry, TrackerCard, Path(study.results_dir)))
    try:
        yield Tracking(desk, progress)
    finally:
        desk.close()


class Desk:
    """Calls a tracker, which is switched off when it fails.

    Args:
        name: of the tracker.
        store: the results folder, from which metrics and the test curve are read.
        say: is told why it is switched off.
    """

    def __init__(self, name: str, store: Store, say: Callable[[str], None]) -> None:
        self._name, self._store, self._say = name, store, say
        self._tracker: Tracker | None = None
        self._open: dict[str, Tracked] = {}

    def open(self, make: Callable[[], Tracker]) -> None:
        """Make the tracker. Raises FerbenchError if that is what it raises."""
        try:
            self._tracker = make()
        except FerbenchError:
            raise
        except (Exception, SystemExit) as error:
            self._failed(error)

    def begin(self, run: Tracked) -> None:
        if run.key not in self._open:
            self._open[run.key] = run
            self._call("begin", run)

    def log(self, run: Tracked, stage: str, step: int, values: Mapping[str, float]) -> None:
        if run.key in self._open:
            self._call("log", run, stage, step, values)

    def end(self, run: Tracked, status: str, error: str = "") -> None:
        """With what the record says, if there is one."""
        if run.key not in self._open:
            return
        metrics: dict[str, float] = {}
        if status == DONE and self._tracker is not None:
            try:
                metrics, curve = self._measured(run.key)
            except (FerbenchError, OSError, ValueError) as failure:
                self._say(f"tracker '{self._name}' is not told the metrics of {run.label}: {failure}")
            else:
                for step, accuracy in curve:
                    self.log(run, "test", step, {"accuracy": accuracy})
        del self._open[run.key]
        self._call("end", run, status, metrics, error)

    def _measured(self, trial: str) -> tuple[dict[str, float], list[tuple[int, float]]]:
        """The metrics of a record, and its test curve."""
        record, losses = self._store.load(trial), files.read_losses(self._store.path(trial))
        curve = losses[losses["loss"] == files.TEST_ACCURACY]
        steps = [int(step) + 1 for step in curve["step"].tolist()]
        metrics = {name: value for name, value in record.metrics.items() if value is not None}
        return metrics, list(zip(steps, map(float, curve["value"].tolist()), strict=True))

    def ended(self, outcome: Outcome) -> None:
        if (run := self._open.get(outcome.trial.id)) is not None:
            self.end(run, DONE if outcome.status == STORED else outcome.status, outcome.error)

    def close(self) -> None:
        for run in list(self._open.values()):
            self.end(run, INTERRUPTED)
        self._call("close")

    def _call(self, name: str, *values: Any) -> None:
        if self._tracker is None:
            return
        began = time.monotonic()
        with self._guarded():
            getattr(self._tracker, name)(*values)
        if self._tracker is not None and (took := time.monotonic() - began) > SLOW:
            self._tracker = None
            self._say(f"tracker '{self._name}' took {took:.0f} s for one call, and is switched off; the trials go on")

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (Exception, SystemExit) as error:
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        tracker, self._tracker = self._tracker, None
        text = " ".join(f"{type(error).__name__}: {error}".split())
        self._say(f"tracker '{self._name}' has failed, and is switched off; the trials go on ({text})")
        with contextlib.suppress(Exception, SystemExit):
            if tracker is not None:
                tracker.close()


class Tracking(Progress):
    """A listener that passes everything on, and keeps track of what runs here: one for each worker, as of any listener."""

    def __init__(self, desk: Desk, listener: Progress) -> None:
        self._desk, self._listener = desk, listener
        self._run: Tracked | None = None
        self._stage = ""
        for name in REPORTED:
            setattr(self, name, lambda *values, name=name: self._report(name, values))

    def worker(self, name: str) -> Progress:
        return Tracking(self._desk, self._listener.worker(name))

    def _report(self, name: str, values: tuple[Any, ...]) -> None:
        getattr(self._listener, name)(*values)
        match name:
            case "trial":
                self._begin(_of_trial(*values))
            case "shared":
                self._begin(_of_node(*values))
            case "stage":
                self._stage = values[0]
            case "step" if self._run is not None:
                step, losses, rate = values
                self._desk.log(self._run, self._stage, step, {**losses, "images_per_second": rate})
            case "outcome":
                self._desk.ended(values[0])

    def _begin(self, run: Tracked) -> None:
        if self._run is not None and self._run.kind == SHARED:  # nothing else says that it has ended
            self._desk.end(self._run, "ended")
        self._run = run
        self._desk.begin(run)


SHARED = "stage"
"""What `Tracked.kind` says of a stage that several trials start from."""


def _of_trial(trial: Trial) -> Tracked:
    kind = trial.label.partition(" · ")[0]
    own = {"variant": trial.variant, "fold": trial.fold, "seed": trial.seed}
    return Tracked(trial.id, trial.label, kind, settings_of(trial) | own)


def _of_node(node: Node) -> Tracked:
    return Tracked(node.key, node.label, SHARED, settings_of(node.trial) | {"seed": node.trial.seed})
