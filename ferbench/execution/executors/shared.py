"""Running trials in several processes with one results folder, on one machine or on many.

Workers coordinate only through leases and records: each process takes the next trial that is not finished and that no other
process is running.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator, Mapping, Sequence

from ferbench.interfaces.executor import Progress
from ferbench.records.schema import STORED, Outcome, Trial
from ferbench.records.store import Store

WORK = "ferbench.execution.trial:run"
"""The function that runs one trial. It takes (trial, progress) and returns an Outcome, or None if another process is running the
trial. It raises only KeyboardInterrupt."""

POLL = 1.0
"""Seconds between two checks whether trials in other processes have ended."""


def failures(trials: Sequence[Trial]) -> dict[str, Outcome | None]:
    """The failure of each trial that is stored now, or None. These trials will be run again."""
    return {trial.id: _store(trial).failure(trial.id) for trial in trials}


def run_shared(trials: Sequence[Trial], progress: Progress, before: Mapping[str, Outcome | None]) -> Iterator[Outcome]:
    """Run the trials that no other process runs, one after another, and yield an outcome for each of the trials.

    Trials with a stage that another process is training are run later. The outcomes of trials that other processes run are read
    from the results folder at the end.

    Args:
        before: result of `failures` at the start of the study. A trial with a different failure has failed in another process
            and is not run again.
    """
    module, _, function = WORK.partition(":")
    work = getattr(importlib.import_module(module), function)
    left = list(trials)
    reported = False
    while left:
        trial = _next(left)
        if trial is not None:
            outcome = _ended(trial, before) or work(trial, progress)
            if outcome is not None:
                left.remove(trial)
                yield outcome
            continue
        if not reported:
            progress.message("waiting for other processes, which run the remaining trials")
            reported = True
        time.sleep(POLL)


def _next(trials: Sequence[Trial]) -> Trial | None:
    """The first trial that no process runs and of which no stage is being trained; else the first that no process runs."""
    fallback = None
    for trial in trials:
        store = _store(trial)
        if store.held(f"trial-{trial.id}"):
            continue
        nodes = [*trial.stages, *([trial.judges] if trial.judges else [])]
        if not any(store.held(f"stage-{node.key}") for node in nodes):
            return trial
        fallback = fallback or trial
    return fallback


def _ended(trial: Trial, before: Mapping[str, Outcome | None]) -> Outcome | None:
    """The outcome of a trial that another process has run; None if there is none."""
    store = _store(trial)
    if store.finished(trial):
        return Outcome(trial, STORED)
    failure = store.failure(trial.id)
    return failure if failure != before.get(trial.id) else None


def _store(trial: Trial) -> Store:
    return Store(trial.config["results_dir"])
