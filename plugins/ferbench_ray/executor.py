"""The executor that gives a study to a Ray cluster.

All stages and trials become Ray tasks at once. A task has the results of those that it needs as arguments, so that Ray starts it
when they are there, on whatever node; Ray itself runs again what a node lost.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ferbench import Executor, FerbenchError
from ferbench.interfaces import parcels
from ferbench.interfaces.executor import Node, Outcome, Progress, Trial, Work
from ferbench_ray import worker
from ferbench_ray.cluster import Machine, connected, lines_of, machines, per_trial, ray
from ferbench_ray.display import Display
from ferbench_ray.plugin import RaySettings
from ferbench_ray.worker import Report, Shared

TICK = 0.25
"""Seconds between two looks at what the tasks report."""

ANSWER = 120.0
"""Seconds in which each node says what it has installed; a process has to start and to import ferbench."""

GRACE = 20.0
"""Seconds in which interrupted tasks end by themselves."""

GONE = (
    "The Ray node of this machine has ended, and with it the study. Start it, and give the same command again: what was in "
    "training goes on."
)


class RayExecutor(Executor):
    """`executor=ray`."""

    settings: RaySettings

    def run(self, work: Work, progress: Progress) -> Iterator[Outcome]:
        check(self.settings)
        with connected(self.settings.address):
            found = machines()
            gpus = per_trial(self.settings, _trials(work), found)
            able = [machine for machine in found if machine.cpus >= self.settings.cpus and machine.gpus >= gpus]
            if not able:
                had = ", ".join(f"{machine.host}: {machine.cpus:g} and {machine.gpus:g}" for machine in found)
                raise FerbenchError(
                    f"No node of the Ray cluster has executor.cpus={self.settings.cpus:g} CPUs and executor.gpus={gpus:g} GPUs; "
                    f"they have {had}. Ask for less, or add a node."
                )
            with _shared(work, gpus, able) as shared:
                study = _Study(self.settings, shared, able, work, progress)
                try:
                    yield from study.run()
                finally:
                    study.stop()


def check(settings: RaySettings) -> None:
    """Raise FerbenchError if a setting makes no sense."""
    if settings.cpus <= 0:
        raise FerbenchError(f"executor.cpus is {settings.cpus:g}; a trial needs some, such as 1 or 0.5.")
    if settings.gpus < 0 and settings.gpus != -1:
        raise FerbenchError(f"executor.gpus is {settings.gpus:g}; write -1 (chosen by ferbench), 0, a fraction or 1.")
    if settings.gpus > 1:
        raise FerbenchError(
            f"executor.gpus is {settings.gpus:g}; a trial uses one GPU at most: write 1, or a fraction."
        )
    if settings.retries < 0:
        raise FerbenchError(f"executor.retries is {settings.retries}; it has to be at least 0.")


def _trials(work: Work) -> list[Trial]:
    return list({node.trial.id: node.trial for node in work.nodes}.values())


@contextlib.contextmanager
def _shared(work: Work, gpus: float, able: Sequence[Machine]) -> Iterator[Shared]:
    """A context in which the nodes have what all tasks need. They have been asked what they have installed.

    Raises:
        FerbenchError: a node cannot run the study, or has other versions than the others.
    """
    trials = _trials(work)
    key = uuid.uuid4().hex[:16]
    results = Path(trials[0].config["results_dir"]).resolve()
    mark = results / ".drafts" / f"shared-{key}"
    environment = {
        name: str(Path(value).absolute()) if name == "FERBENCH_CACHE" else value
        for name, value in os.environ.items()
        if name.startswith("FERBENCH_")
    }
    shared = Shared(key, str(Path.cwd()), str(mark), environment, gpus, parcels.plugin_files(trials))
    mark.touch()
    try:
        yield _agreed(shared, work, able)
    finally:
        with contextlib.suppress(OSError):
            mark.unlink()


def _agreed(shared: Shared, work: Work, able: Sequence[Machine]) -> Shared:
    """`shared` with what all nodes have in common. Raises FerbenchError as `_shared`."""
    different_code = list({tuple(sorted(trial.code.items())): trial for trial in _trials(work)}.values())
    told = ray.put(shared)
    look = ray.remote(worker.look)
    asked = [
        look.options(num_cpus=0, max_retries=1, scheduling_strategy=machine.only).remote(told, different_code)
        for machine in able
    ]
    ours, everywhere = parcels.installed(different_code), True
    for machine, answer in zip(able, asked, strict=True):
        try:
            sees, theirs = ray.get(answer, timeout=ANSWER)
        except ray.exceptions.GetTimeoutError as error:
            raise FerbenchError(
                f"The Ray node {machine.host} did not answer in {ANSWER:.0f} s. 'ray status' shows what it does."
            ) from error
        except ray.exceptions.RayError as error:
            raise FerbenchError(f"The Ray node {machine.host} cannot run ferbench: {lines_of(error)[-1]}") from error
        if isinstance(theirs, str):
            raise FerbenchError(f"The Ray node {machine.host} cannot run the study: {theirs}")
        if difference := worker.different(ours, theirs):
            raise FerbenchError(f"On the Ray node {machine.host} {difference}. Install the same on all nodes.")
        ours, everywhere = {**theirs, **ours}, everywhere and sees
    return replace(shared, everywhere=everywhere, versions=ours)


class _Study:
    """A study while it runs on the cluster."""

    def __init__(
        self, settings: RaySettings, shared: Shared, able: Sequence[Machine], work: Work, progress: Progress
    ) -> None:
        self.settings, self.able, self.work, self.progress = settings, able, work, progress
        self.nodes = {node.key: node for node in work.nodes}
        self.display = Display(work.nodes, progress)
        self.mailbox = ray.remote(worker.Mailbox).options(num_cpus=0, max_restarts=-1).remote()
        self.shared = replace(shared, mailbox=self.mailbox)
        self.told = ray.put(self.shared)
        # a kept process saves the seconds of imports; on a node with several GPUs it would keep its first one
        keeps = shared.gpus == 0 or all(machine.gpus <= 1 for machine in able)
        self.task = ray.remote(
            num_cpus=settings.cpus,
            num_gpus=shared.gpus,
            max_retries=settings.retries,
            max_calls=0 if keeps else 1,
            num_returns=2,
        )(worker.perform)
        self.running: dict[Any, Node] = {}  # references of reports
        self.results: dict[str, tuple[Any, Any]] = {}  # references of report and files, by node
        self.stored: dict[str, Any] = {}  # references of stages, and checkpoints, that the results folder has

    def run(self) -> Iterator[Outcome]:
        if not self.shared.everywhere:
            self.progress.message("the nodes have no results folder in common: results are sent here")
        for node in self.work.nodes:
            self.submit(node)
        while self.work.left:
            for node in self.work.ready():  # those that another command had
                self.submit(node)
            if not self.running:
                self.work.wait(self.progress)
                continue
            ray.wait(list(self.running), timeout=TICK)
            ready, _ = ray.wait(list(self.running), num_returns=len(self.running), timeout=0)
            self.display.show(self._reports())
            for reference in ready:
                yield from self._ended(reference)

    def submit(self, node: Node) -> None:
        self.work.begin(node)
        needed = [self.results[key] for key in self._all_needs(node) if key in self.results]
        reports = [report for report, _ in needed]
        if not self.shared.everywhere:
            reports += [*self._brought(node), *(files for _, files in needed)]
        report, files = self.task.options(name=node.label).remote(self.told, node, *reports)
        self.running[report] = node
        self.results[node.key] = report, files

    def _all_needs(self, node: Node) -> list[str]:
        """Keys of the nodes that a node needs, and of those that these need."""
        found: list[str] = []
        for key in node.needs:
            found += [*self._all_needs(self.nodes[key]), key]
        return list(dict.fromkeys(found))

    def _brought(self, node: Node) -> list[Any]:
        """References of what the results folder has of the stages of a node: trained ones, and checkpoints."""
        for stage in parcels.stages_of(node):
            if stage.key not in self.stored and (files := parcels.pack(stage)):
                self.stored[stage.key] = ray.put({stage.key: files})
        return [self.stored[stage.key] for stage in parcels.stages_of(node) if stage.key in self.stored]

    def _reports(self) -> list[tuple[Any, ...]]:
        """What the tasks have reported since the last call; nothing while the actor starts again, since its node died."""
        try:
            found: list[tuple[Any, ...]] = ray.get(self.mailbox.take.remote(), timeout=5)
        except ray.exceptions.RayError:
            return []
        return found

    def _ended(self, reference: Any) -> list[Outcome]:
        node = self.running[reference]
        if any(self.running.get(self.results[key][0]) for key in node.needs if key in self.results):
            return []  # it failed with a node that it needs, which comes first
        del self.running[reference]
        try:
            report: Report = ray.get(reference)
            if not report.refusal:
                self._bring_home(node)
        except ray.exceptions.LocalRayletDiedError as error:
            raise FerbenchError(GONE) from error
        except ray.exceptions.RayError as error:
            return self._broken(node, error)
        if report.refusal:
            raise FerbenchError(report.refusal)
        if report.outcome is None:
            self.display.ended(node)
            self.work.busy(node)
            return []
        outcome = replace(report.outcome, trial=node.trial)
        self.display.ended(node, outcome)
        return self._without_dependents(self.work.end(node, outcome))

    def _broken(self, node: Node, error: Exception) -> list[Outcome]:
        """The task gave no report: its process or its node died too often, or Ray ended it."""
        self.display.ended(node)
        memory = isinstance(error, ray.exceptions.OutOfMemoryError)
        if memory:
            why = (
                "Out of memory: the memory of its Ray node was full, and Ray ended it. A larger executor.cpus lets fewer trials "
                "run at a time; a smaller budget.batch_size needs less."
            )
        elif isinstance(error, ray.exceptions.RayTaskError):
            why = f"Its Ray task failed: {lines_of(error)[-1]}"
        else:
            again = f", and so did {self.settings.retries} more that went on with it" if self.settings.retries else ""
            why = f"Its Ray process or node died{again} ({type(error).__name__})."
        return self._without_dependents(self.work.give_up(node, why, memory))

    def _without_dependents(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Forget the tasks of trials, and of stages, that have ended with what they need."""
        self.running = {reference: node for reference, node in self.running.items() if not self.work.ended(node)}
        return outcomes

    def _bring_home(self, node: Node) -> None:
        """Store what a task sent, if the nodes have no results folder in common. Raises FerbenchError if it cannot be written."""
        if self.shared.everywhere:
            return
        files: Mapping[str, parcels.Files] = ray.get(self.results[node.key][1])
        for part in parcels.parts_of(node):
            if part.key in files:
                try:
                    parcels.adopt(part, files[part.key])
                except OSError as error:
                    raise FerbenchError(
                        f"What came from a Ray node cannot be written to results_dir={node.trial.config['results_dir']}: "
                        f"{error.strerror or error}. Once it can be, the same command goes on."
                    ) from error

    def stop(self) -> None:
        """End all tasks: those that run are interrupted, leave checkpoints, and are ended after a while."""
        references = list(self.running)
        for force in (False, True):
            for reference in references:
                with contextlib.suppress(ray.exceptions.RayError, ValueError):
                    ray.cancel(reference, force=force)
            if references:
                done, references = ray.wait(references, num_returns=len(references), timeout=GRACE)
                for reference in done:
                    with contextlib.suppress(ray.exceptions.RayError, FerbenchError):
                        if ray.get(reference).interrupted:
                            self._bring_home(self.running[reference])
        ray.kill(self.mailbox)
        if self.shared.plugins or not self.shared.everywhere:
            clear = ray.remote(worker.clear)
            cleared = [
                clear.options(num_cpus=0, max_retries=0, scheduling_strategy=m.only).remote(self.told)
                for m in self.able
            ]
            ray.wait(cleared, num_returns=len(cleared), timeout=GRACE)
