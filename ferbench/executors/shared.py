"""Which trial is next, where several processes run the same ones in the same results folder, on one machine or many.

They need not know of each other: the leases and records in the folder say who is at what.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator, Mapping, Sequence

from ferbench.executors.base import WORK, Report
from ferbench.records import STORED, Outcome, Trial
from ferbench.store import Store

POLL = 1.0
"""Seconds between two looks at trials that others run."""


def failures(trials: Sequence[Trial]) -> dict[str, Outcome | None]:
    """By trial, the failure that stands in the results folder now: those are to be tried again."""
    return {trial.id: _store(trial).failure(trial.id) for trial in trials}


def run_shared(trials: Sequence[Trial], report: Report, before: Mapping[str, Outcome | None]) -> Iterator[Outcome]:
    """Run in this process what no other runs, one trial after another; gives an outcome for each trial.

    Trials that need a stage which another process trains come later, and those that others run last of all: what became of
    them is read from the folder.

    Args:
        before: of `failures`, when the study began: a failure of later is another process' and is not tried again.
    """
    module, _, function = WORK.partition(":")
    work = getattr(importlib.import_module(module), function)
    left = list(trials)
    told = False
    while left:
        trial = _next(left)
        if trial is not None:
            outcome = _ended(trial, before) or work(trial, report)
            if outcome is not None:
                left.remove(trial)
                yield outcome
            continue
        if not told:
            report.message("waits for other processes, which run what is left")
            told = True
        time.sleep(POLL)


def _next(trials: Sequence[Trial]) -> Trial | None:
    """The first that nobody runs and whose stages nobody trains, else the first that nobody runs."""
    second = None
    for trial in trials:
        store = _store(trial)
        if store.held(f"trial-{trial.id}"):
            continue
        nodes = [*trial.stages, *([trial.judges] if trial.judges else [])]
        if not any(store.held(f"stage-{node.key}") for node in nodes):
            return trial
        second = second or trial
    return second


def _ended(trial: Trial, before: Mapping[str, Outcome | None]) -> Outcome | None:
    """What another process made of the trial, if it has ended."""
    store = _store(trial)
    if store.has(trial.id):
        return Outcome(trial, STORED)
    failure = store.failure(trial.id)
    return failure if failure != before.get(trial.id) else None


def _store(trial: Trial) -> Store:
    return Store(trial.config["results_dir"])
