"""plan -> executor -> store: runs what is missing, and yields outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ferbench.cards import ExecutorCard
from ferbench.executors.base import Executor, Report
from ferbench.plan import Study, component, prepare_data
from ferbench.records import FAILED, OOM, STORED, Outcome, Trial
from ferbench.registry import Registry
from ferbench.store import Store

RETRY: dict[str, tuple[str, ...]] = {"": (), "failed": (FAILED,), "oom": (OOM,), "all": (FAILED, OOM)}


def state(store: Store, trial: Trial, retry: str = "") -> Outcome | None:
    """What is known of a trial: stored, failed before (and not to be retried), or None where it is to be run."""
    if store.has(trial.id):
        return Outcome(trial, STORED)
    failure = store.failure(trial.id)
    if failure is not None and failure.status not in RETRY[retry]:
        return failure
    return None


def run_study(registry: Registry, study: Study, report: Report, retry: str = "") -> Iterator[Outcome]:
    """Run the trials that the store lacks. Yields an outcome for every trial: first those known already.

    Args:
        retry: which failed trials are run again: "" (none), "failed", "oom" or "all".

    Raises:
        FerbenchError: the results folder cannot be written, or frames cannot be read.
    """
    store = Store(study.results_dir)
    store.prepare()
    missing = []
    for trial in study.trials:
        known = state(store, trial, retry)
        if known is None:
            missing.append(trial)
        else:
            yield known
    if not missing:
        return
    for data, config in study.data:
        prepare_data(registry, data, config, report.preparing)
    executor: Any
    _, executor = component(registry, ExecutorCard, study.executor)
    assert isinstance(executor, Executor)
    yield from executor.run(missing, report)
