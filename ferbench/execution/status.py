"""What is going on in a results folder, read from its files and from engines with queues: `ferbench status`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from ferbench.cards import ExecutorCard
from ferbench.errors import FerbenchError
from ferbench.interfaces import events
from ferbench.interfaces.executor import Job, Queues
from ferbench.records.schema import Outcome, StageNode
from ferbench.records.store import Store
from ferbench.records.studies import Planned, StudyFile, commands
from ferbench.registry.component import Component
from ferbench.registry.loader import Registry


@dataclass(frozen=True)
class Running:
    """Work that a process does now.

    Attributes:
        label: of the trial, or of the stage that several trials start from.
        trial: id of the trial; empty for a stage.
        latest: what it reported.
        part: how much of its training is done, from 0 to 1.
    """

    label: str
    trial: str
    latest: events.Latest
    part: float


@dataclass(frozen=True)
class Status:
    """The state of a study.

    Attributes:
        study: the study. commands: how many commands run it now.
        stored: number of trials with a record.
        failed: outcomes of the trials that failed.
        running: what runs now.
        jobs: what waits in the queue of an engine. silent: why the engine cannot be asked; empty if it can.
        left: the trials that have not ended.
        seconds: how long they will take, as many at a time as run now; None if no trial of the study is stored.
    """

    study: StudyFile
    commands: int
    stored: int
    failed: tuple[Outcome, ...]
    running: tuple[Running, ...]
    jobs: tuple[Job, ...]
    silent: str
    left: tuple[Planned, ...]
    seconds: float | None


def status(store: Store, study: StudyFile, registry: Registry) -> Status:
    """The state of a study."""
    jobs, silent = _jobs(store, study, registry)
    by_key = {job.key: job for job in jobs if job.running}
    stored = [trial for trial in study.trials if store.has(trial.id)]
    failures = {trial.id: failure for trial in study.trials if (failure := store.failure(trial.id))}
    failed = {name: found for name, found in failures.items() if not store.has(name)}
    running = list(_running(store, study.trials))
    at_work = {work.trial for work in running}
    known = {trial.id for trial in stored} | failed.keys() - at_work
    left = [trial for trial in study.trials if trial.id not in known]
    labels = {trial.id: trial.label for trial in study.trials}
    reported = {work.label for work in running}
    running += [  # its process starts
        Running(labels[key], key, events.Latest(events.path(store.root, key)), 0.0)
        for key in by_key
        if key in labels and labels[key] not in reported and not store.has(key)
    ]
    return Status(
        study,
        commands(store, study),
        len(stored),
        tuple(failed[trial.id] for trial in study.trials if trial.id in failed.keys() - at_work),
        tuple(running),
        tuple(job for job in jobs if not job.running),
        silent,
        tuple(left),
        _seconds(store, stored, left, running),
    )


def queue(store: Store, study: StudyFile, registry: Registry) -> Queues | None:
    """The executor of a study, if its jobs outlive the command.

    Raises:
        FerbenchError: it is not installed, or does not accept its settings.
    """
    made = Component.from_dict(study.executor).make(registry, ExecutorCard)
    return made if isinstance(made, Queues) else None


def _jobs(store: Store, study: StudyFile, registry: Registry) -> tuple[list[Job], str]:
    try:
        engine = queue(store, study, registry)
        ours = {trial.id for trial in study.trials} | {stage.key for trial in study.trials for stage in trial.stages}
        return [job for job in engine.jobs(str(store.root)) if job.key in ours] if engine else [], ""
    except FerbenchError as error:
        return [], str(error)


def _running(store: Store, trials: Sequence[Planned]) -> Iterable[Running]:
    """Trials, and stages that several of them start from, that processes hold."""
    of_trials: set[str] = set()
    for trial in trials:
        if store.held(f"trial-{trial.id}"):
            of_trials |= {stage.key for stage in trial.stages}
            latest = events.Latest(events.path(store.root, trial.id))
            yield Running(trial.label, trial.id, latest, _part(trial.stages, latest))
    seen: set[str] = set()
    for trial in trials:
        for stage in trial.stages:
            if stage.key not in seen | of_trials and store.held(f"stage-{stage.key}"):
                seen.add(stage.key)
                latest = events.Latest(events.path(store.root, stage.key))
                yield Running(f"stage {stage.name} · {trial.label}", "", latest, 0.0)


def _part(stages: Sequence[StageNode], latest: events.Latest) -> float:
    """How much of a trial's training is done."""
    done, names = 0, [stage.name for stage in stages]
    if latest.name in names:
        done = sum(stage.steps for stage in stages[: names.index(latest.name)]) + latest.done
    return min(done / max(sum(stage.steps for stage in stages), 1), 1.0)


def _seconds(
    store: Store, stored: Sequence[Planned], left: Sequence[Planned], running: Sequence[Running]
) -> float | None:
    """From how long the stored trials of the same method and variant took; of others where there are none."""
    took: dict[str, list[float]] = {}
    for trial in stored:
        try:
            seconds = store.load(trial.id).cost.get("seconds")
        except FerbenchError:
            continue
        if seconds is not None:
            took.setdefault(trial.kind, []).append(float(seconds))
    if not took:
        return None
    usual = fmean(seconds for kind in took.values() for seconds in kind)
    parts = {work.trial: work.part for work in running}
    expected = [
        (1 - parts.get(trial.id, 0.0)) * (fmean(took[trial.kind]) if trial.kind in took else usual) for trial in left
    ]
    return sum(expected) / max(len(running), 1)
