"""Running a study: passes the trials without records to the executor, and yields outcomes."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

from ferbench.cards import ExecutorCard
from ferbench.errors import FerbenchError
from ferbench.execution.work import forget, prepared, work_of
from ferbench.interfaces.executor import Executor, Progress
from ferbench.plan.study import Study
from ferbench.records.schema import FAILED, OOM, STORED, Outcome, Record, Trial, code_key
from ferbench.records.store import Damaged, Store
from ferbench.registry.loader import Registry

RETRY: dict[str, tuple[str, ...]] = {"": (), "failed": (FAILED,), "oom": (OOM,), "all": (FAILED, OOM)}
"""Statuses of failed trials that are run again, by the value of --retry."""


def state(store: Store, trial: Trial, retry: str = "") -> Outcome | None:
    """The known outcome of a trial: stored, damaged, or failed and not to be retried. None if it has to be run."""
    if (damaged := store.damage(trial.id)) is not None:
        return Outcome(trial, FAILED, _left_alone(damaged, store), again=True)
    if store.finished(trial):
        return Outcome(trial, STORED)
    if trial.replaces:  # an earlier failure was one of other code, or the user asks again
        return None
    failure = store.failure(trial.id)
    if failure is not None and failure.status not in RETRY[retry]:
        return failure
    return None


def missing(study: Study, retry: str = "") -> int:
    """How many trials have to be run."""
    store = Store(study.results_dir)
    return sum(state(store, trial, retry) is None for trial in study.trials)


def _left_alone(damaged: Damaged, store: Store) -> str:
    if damaged.newer:
        remedy = "Install that version, or choose another folder with results_dir=FOLDER."
    else:
        remedy = f"'ferbench doctor {store.root} --mend' moves it away, and the trial is run again."
    return f"The record in {damaged.path} is damaged ({damaged.reason}) and left alone. {remedy}"


def made_by_other_code(study: Study) -> list[Record]:
    """The stored records of a study whose code differs from the installed code, although the declared versions are equal."""
    store = Store(study.results_dir)
    others = []
    for trial in study.trials:
        with contextlib.suppress(FerbenchError):  # there is no record, or it is damaged
            record = store.load(trial.id)
            if dict(record.code) != dict(trial.code):
                others.append(record)
    return others


def replacing(study: Study, records: Sequence[Record]) -> Study:
    """The study with the trials of `records` to be run again. Each new record replaces the old one when it is complete."""
    codes = {record.trial.id: code_key(record.code) for record in records}
    trials = tuple(dataclasses.replace(trial, replaces=codes.get(trial.id, "")) for trial in study.trials)
    return dataclasses.replace(study, trials=trials)


def run_study(registry: Registry, study: Study, progress: Progress, retry: str = "") -> Iterator[Outcome]:
    """Run the trials without records, and yield the outcome of every trial, known ones first.

    Args:
        retry: which failed trials are run again: "" (none), "failed", "oom" (those that ran out of memory) or "all".

    Raises:
        FerbenchError: the results folder cannot be written, or frames cannot be read.
    """
    store = Store(study.results_dir)
    store.prepare()
    forget(study.trials)  # what a command that was killed has left
    missing = []
    for trial in study.trials:
        known = state(store, trial, retry)
        if known is None:
            missing.append(trial)
        else:
            yield known
    if not missing:
        return
    card = registry.get(ExecutorCard, study.executor.name)
    if card.prepares:
        for data, config in study.data:
            prepared(registry, data, config, progress)
    executor = study.executor.make(registry, ExecutorCard)
    assert isinstance(executor, Executor)
    try:
        with registry.blaming(card):
            yield from executor.run(work_of(missing, progress), progress)
    finally:
        forget(study.trials)
