"""Doing a piece of work, in whatever process it is given to.

Processes with one results folder coordinate through leases and records: two commands, or two workers of an engine that believed
one of them dead, never do the same work at the same time.
"""

from __future__ import annotations

import contextlib
import importlib
import socket
import sys
from collections.abc import Sequence

from ferbench.config.schema import RunConfig, from_dict
from ferbench.data.load import Data, check_extra_twins, check_twins, clip_of, data_key, load_data, prepare_data
from ferbench.errors import FerbenchError
from ferbench.execution.executors.processes import Processes
from ferbench.execution.watch import store_failure
from ferbench.hashing import digest
from ferbench.interfaces import events
from ferbench.interfaces.executor import Node, Progress, Work
from ferbench.plan.identity import Cards
from ferbench.plan.work import keys, nodes
from ferbench.records.schema import STORED, Outcome, Trial
from ferbench.records.store import PROGRESS, Store
from ferbench.registry.builtin import ProcessesSettings
from ferbench.registry.component import Component
from ferbench.registry.loader import Registry, load_registry

TRIAL = "ferbench.execution.trial"
"""The module that trains and evaluates. It needs torch, and is imported where the work is done."""


def work_of(trials: Sequence[Trial], progress: Progress) -> Work:
    """The work of trials that are to be run."""
    before = {trial.id: _store(trial).failure(trial.id) for trial in trials}

    def fail(outcome: Outcome) -> None:
        store_failure(outcome, progress)
        progress.outcome(outcome)

    return Work(nodes(trials, _store(trials[0]).trained, before), fail)


def perform(node: Node, progress: Progress) -> Outcome | None:
    """Run a trial or train a shared stage, unless that is done already.

    Returns:
        The outcome; None if another process is doing it.

    Raises:
        KeyboardInterrupt: it was interrupted, and left a checkpoint. All other errors become outcomes.
    """
    store = _store(node.trial)
    if (known := ended(node)) is not None:
        events.Recording(node, progress).end(known)  # an engine may hear of it in no other way
        return known
    if any(store.held(name) for name in _leases(node)):
        return None
    recording = events.Recording(node, progress)
    module = importlib.import_module(TRIAL)
    outcome: Outcome | None
    if node.stage is not None:
        recording.shared(node)
        outcome = module.train_stage(node.trial, node.stage, recording)
    else:
        outcome = module.run(node.trial, recording)
    recording.end(outcome)
    return outcome


def perform_together(work: Sequence[Node], lanes: int, progress: Progress) -> None:
    """Perform nodes that do not need one another in `lanes` worker processes on this machine."""
    here = {node.key: node for node in work}

    def fail(outcome: Outcome) -> None:  # its process was killed, and could not say so
        store_failure(outcome, progress)
        events.Recording(here[outcome.trial.id], progress).end(outcome)

    for _ in Processes(ProcessesSettings(workers=lanes)).run(Work(work, fail), progress):
        pass


def check_code(work: Sequence[Node]) -> None:
    """Raise FerbenchError if the code that is installed here is not the code that planned the nodes."""
    checked: dict[str, dict[str, str]] = {}
    for node in work:
        config = from_dict(node.trial.config)
        names = [
            component and component.name
            for component in (config.method, config.backbone, config.dataset, config.test_dataset, config.extra_dataset)
        ]
        key = digest([names, config.protocol.name, config.preparation.detector, node.trial.plugin_files])
        if key not in checked:
            checked[key] = Cards.of(load_registry(node.trial.plugin_files), config, config.protocol.name).code
        if differing := [part for part, code in node.trial.code.items() if checked[key].get(part) != code]:
            raise FerbenchError(
                f"On {socket.gethostname()}, {sys.executable} has other code of {', '.join(differing)} than the command that "
                f"planned {node.trial.label}: install the same versions of ferbench and of its plugins there."
            )


def prepare(work: Sequence[Node], progress: Progress) -> None:
    """Prepare the images that nodes need, once each, and check them. Raises as `prepared`."""
    asked: dict[str, tuple[Registry, RunConfig]] = {}
    for node in work:
        config = node.trial.config
        registry = load_registry(node.trial.plugin_files)
        clip = clip_of(registry, Component.from_dict(config["method"]))
        key = digest([data_key(config), config["preparation"], clip])
        if key not in asked:
            asked[key] = registry, from_dict(config)
    for registry, run_config in asked.values():
        prepared(registry, load_data(registry, run_config), run_config, progress)


def prepared(registry: Registry, data: Data, config: RunConfig, progress: Progress) -> None:
    """Prepare the images of a dataset with its protocol, and check them.

    Raises:
        FerbenchError: images cannot be read, or the same ones are trained and tested on.
    """
    images = prepare_data(registry, data, config, progress.preparing)
    check_twins(data, images, config.protocol.settings.get("allow_overlap", ""))
    if data.extra is not None:
        check_extra_twins(data, images, prepare_data(registry, data.extra, config, progress.preparing))


def ended(node: Node) -> Outcome | None:
    """What became of a node since the study began, as the results folder says; None if it has not ended."""
    store = _store(node.trial)
    if node.stage is not None:
        return Outcome(node.trial, STORED) if store.trained(node.key) else None
    if store.finished(node.trial):
        return Outcome(node.trial, STORED)
    failure = store.failure(node.trial.id)
    return failure if failure != node.before else None


def forget(trials: Sequence[Trial]) -> None:
    """Remove what was reported about work on trials, and on stages that they share, that is not going on."""
    store, known = _store(trials[0]), keys(trials)
    for path in (store.root / PROGRESS).glob("*.jsonl"):
        if path.stem in known and not (store.held(f"trial-{path.stem}") or store.held(f"stage-{path.stem}")):
            with contextlib.suppress(OSError):
                path.unlink()


def _leases(node: Node) -> list[str]:
    """The leases that a process holds one after another while it works on a node."""
    if node.stage is not None:
        return [f"stage-{node.key}"]
    return [f"trial-{node.key}", *(f"stage-{stage.key}" for stage in node.trial.trainings)]


def _store(trial: Trial) -> Store:
    return Store(trial.config["results_dir"])
