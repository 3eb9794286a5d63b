"""The executor interface, and the listener that is informed of the progress of trials."""

from __future__ import annotations

import dataclasses
import importlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ferbench.records.lease import lease
from ferbench.records.schema import DONE as DONE
from ferbench.records.schema import FAILED as FAILED
from ferbench.records.schema import OOM as OOM
from ferbench.records.schema import STORED as STORED
from ferbench.records.schema import Outcome as Outcome
from ferbench.records.schema import StageNode as StageNode
from ferbench.records.schema import Trial as Trial

REPORTED = ("preparing", "trial", "shared", "message", "stage", "step", "outcome")
"""Names of the methods of `Progress` that are called while trials run; an executor forwards them from where the trials run."""


PERFORM = "ferbench.execution.work"
"""The module that does the work of a node. It is imported where the work is done."""

DRAW = "ferbench.report.figures.trial"
"""The module that draws the figures of a trial."""

REST = 1.0
"""Seconds until a node that another command had is tried again."""


class Progress:
    """A listener whose methods are called while trials run. This one does nothing; the command line has one that prints."""

    def preparing(self, done: int, total: int) -> None:
        """`done` of `total` images are prepared."""

    def trial(self, trial: Trial) -> None:
        """`trial` has started."""

    def shared(self, node: Node) -> None:
        """A stage that several trials start from is trained now."""

    def message(self, text: str) -> None:
        """`text` is a message about the running trial."""

    def stage(self, name: str, step: int, steps: int) -> None:
        """The stage `name` of `steps` steps has started; `step` of them were done before (0 unless it is resumed)."""

    def step(self, step: int, losses: Mapping[str, float], images_per_second: float) -> None:
        """`step` steps of the running stage are done. `losses` are means, by name, over the steps since the last call."""

    def outcome(self, outcome: Outcome) -> None:
        """A trial has ended with `outcome`."""

    def worker(self, name: str) -> Progress:
        """The listener for the worker `name`, one of several that run trials at the same time."""
        return self


class Relayed(Progress):
    """A listener for which all calls of REPORTED are one: `report`, with the name of the call and its arguments."""

    def report(self, name: str, values: tuple[Any, ...]) -> None:
        """The method `name` of `Progress` was called with `values`."""
        raise NotImplementedError


def _relay(name: str) -> Callable[..., None]:
    return lambda self, *values: self.report(name, values)


for _name in REPORTED:
    setattr(Relayed, _name, _relay(_name))


@dataclass(frozen=True)
class Node:
    """A piece of work: a stage that several trials start from, or a trial. It can be pickled.

    Attributes:
        key: of the stage, or id of the trial; unique in a study.
        trial: the trial; for a stage, the first of those that start from it.
        stage: the stage; None for the trial itself.
        needs: keys of the nodes that it starts from.
        before: the failure of the trial that was stored when the study began, and is to be run again; None for none.
    """

    key: str
    trial: Trial
    stage: StageNode | None = None
    needs: tuple[str, ...] = ()
    before: Outcome | None = None

    @property
    def label(self) -> str:
        """Text for progress, such as "stage synthesis · degan · fold 3 · seed 0"."""
        return self.trial.label if self.stage is None else f"stage {self.stage.name} · {self.trial.label}"

    def perform(self, progress: Progress) -> Outcome | None:
        """Run the trial or train the stage, in any process that has ferbench, the same plugins and the results folder.

        Returns:
            The outcome; None if another process is doing it.

        Raises:
            KeyboardInterrupt: it was interrupted, and left a checkpoint. All other errors become outcomes.
        """
        outcome: Outcome | None = importlib.import_module(PERFORM).perform(self, progress)
        return outcome


def prepare(nodes: Sequence[Node], progress: Progress) -> None:
    """Prepare the images that nodes need, and check them. An executor on whose card `prepares` is False does so once, where its
    jobs run, before any node is performed. What is prepared already is only checked.

    Raises:
        FerbenchError: images cannot be read, or the same ones are trained and tested on.
    """
    importlib.import_module(PERFORM).prepare(nodes, progress)


def perform_together(nodes: Sequence[Node], lanes: int, progress: Progress) -> None:
    """Perform nodes that do not need one another in worker processes on this machine, `lanes` at a time, as `executor=processes`
    does. What becomes of each is in the events of the node (`ferbench.interfaces.events`).

    Raises:
        KeyboardInterrupt: as `Node.perform`.
    """
    importlib.import_module(PERFORM).perform_together(nodes, lanes, progress)


def check_code(nodes: Sequence[Node]) -> None:
    """For an engine whose jobs may have another installation than the command that planned the nodes.

    Raises:
        FerbenchError: the code that is installed here is not the code that planned the nodes.
    """
    importlib.import_module(PERFORM).check_code(nodes)


def draw(node: Node) -> None:
    """Draw the figures of a trial that is done, where it ran: for an engine whose jobs may outlive the command, which otherwise
    draws them."""
    importlib.import_module(DRAW).draw_stored(node.trial.config["results_dir"], node.key)


def alone(results_dir: str | Path, name: str, waiting: Callable[[str], None]) -> AbstractContextManager[None]:
    """A context that one process has at a time, of all that use this results folder on any machine: for an engine that must not
    submit work twice.

    Args:
        name: of what is protected, such as that of the engine.
        waiting: called with the name of the other process if this one has to wait.
    """
    folder = Path(results_dir, ".leases")
    folder.mkdir(parents=True, exist_ok=True)
    return lease(folder / f"executor-{name}.json", waiting)


class Work:
    """What is left of a study: nodes, and which of them can start. An executor begins nodes that are `ready`, in its workers calls
    `Node.perform`, and says what became of each: `end`, `busy`, `lost` or `give_up`. All of it happens in the process that runs the
    study.

    An engine with dependencies of its own can take all `nodes` at once: each comes after those that it `needs`.

    Args:
        nodes: in an order in which each comes after those that it needs.
        fail: stores the failure of a trial that could not be begun.
        retries: how often a trial whose worker died is run again; a stage, from which several trials start, once more.
    """

    def __init__(
        self, nodes: Sequence[Node], fail: Callable[[Outcome], None] = lambda outcome: None, retries: int = 0
    ) -> None:
        self.nodes = tuple(nodes)
        self.retries = retries
        self._fail = fail
        self._left = {node.key: node for node in nodes}
        self._begun: set[str] = set()
        self._lost: dict[str, int] = {}
        self._resting: dict[str, float] = {}
        self._waited = False

    @property
    def left(self) -> bool:
        """Whether a node has not ended."""
        return bool(self._left)

    @property
    def trials(self) -> list[Trial]:
        """The trials of the study that have not ended."""
        return [node.trial for node in self._left.values() if node.stage is None]

    def ended(self, node: Node) -> bool:
        """Whether the node has ended, or cannot be done since one that it needs has failed."""
        return node.key not in self._left

    def ready(self) -> list[Node]:
        """The nodes that can start: not begun, all that they need has ended, and no other command had them within REST seconds."""
        now = time.monotonic()
        return [node for node in self._startable() if self._resting.get(node.key, 0.0) <= now]

    def rest(self) -> float | None:
        """Seconds until a node is ready that another command had; None if there is none."""
        times = [self._resting[node.key] for node in self._startable() if node.key in self._resting]
        return max(min(times) - time.monotonic(), 0.0) if times else None

    def wait(self, progress: Progress) -> None:
        """Wait until a node is ready, where nothing runs and other commands have all that is left. `progress` is told so, once."""
        if not self._waited:
            progress.message("waiting for other commands, which run what is left")
            self._waited = True
        time.sleep(self.rest() or 0.0)

    def _startable(self) -> list[Node]:
        return [
            node
            for node in self._left.values()
            if node.key not in self._begun and not any(need in self._left for need in node.needs)
        ]

    def begin(self, node: Node) -> None:
        """A worker gets the node; it is ready no more."""
        self._begun.add(node.key)

    def busy(self, node: Node) -> None:
        """Another command has the node: it is ready again after REST seconds."""
        self._begun.discard(node.key)
        self._resting[node.key] = time.monotonic() + REST

    def end(self, node: Node, outcome: Outcome) -> list[Outcome]:
        """The node has ended, with `outcome`.

        Returns:
            What is thereby known: the outcome of a trial; for a stage, nothing, or if it failed the failures of all trials that
            start from it, which are stored.
        """
        del self._left[node.key]
        self._begun.discard(node.key)
        if node.stage is None:
            return [outcome]
        if outcome.status in (DONE, STORED):
            return []
        name = outcome.stage or node.stage.name
        found = []
        for other in [other for other in self._left.values() if node.key in other.needs]:
            failed = dataclasses.replace(outcome, trial=other.trial, stage=name)
            if other.stage is None:
                error = f"Stage '{name}', from which it starts, failed: {outcome.error}"
                failed = dataclasses.replace(failed, error=error, seconds=0.0)
                self._fail(failed)
            if other.key in self._left:
                found += self.end(other, failed)
        return found

    def lost(self, node: Node, why: str, again: bool = True) -> list[Outcome]:
        """The worker that ran the node died. The node is ready again, or, if that happened too often, has failed.

        Args:
            why: a sentence.
            again: False if the node has failed however seldom that happened.

        Returns:
            As `end`.
        """
        times = self._lost[node.key] = self._lost.get(node.key, 0) + 1
        if again and times <= self.retries + (node.stage is not None):
            self._begun.discard(node.key)
            return []
        return self.give_up(node, why)

    def give_up(self, node: Node, why: str, memory: bool = False) -> list[Outcome]:
        """The node cannot be done, and is not tried again.

        Args:
            why: a sentence.
            memory: whether it ran out of memory.

        Returns:
            As `end`.
        """
        outcome = Outcome(node.trial, OOM if memory else FAILED, why, stage=node.stage.name if node.stage else "")
        if node.stage is None:
            self._fail(outcome)
        return self.end(node, outcome)


class Executor(ABC):
    """Runs the work of a study. Constructed with an instance of the settings class on its card."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    @abstractmethod
    def run(self, work: Work, progress: Progress) -> Iterator[Outcome]:
        """Run all nodes, and yield the outcome of each trial when it is known. A failed trial does not stop the others.

        Where the generator is closed or KeyboardInterrupt is raised in it, all that it has started ends, and leaves checkpoints;
        unless the executor `Queues`, whose jobs go on.

        Raises:
            FerbenchError: the engine cannot be used, or has ended.
        """


@dataclass(frozen=True)
class Job:
    """What an engine has of a node.

    Attributes:
        key: of the node.
        name: what the engine calls the job, such as "slurm 4711_3".
        running: whether it runs; it waits if not.
        where: the machine that it runs on, or why it waits.
    """

    key: str
    name: str
    running: bool
    where: str


@runtime_checkable
class Queues(Protocol):
    """An executor whose jobs outlive the command that submitted them: the same command, given again, finds them."""

    def jobs(self, results_dir: str) -> list[Job]:
        """The jobs of all studies with this results folder that wait or run now.

        Raises:
            FerbenchError: the engine does not answer.
        """
        ...

    def cancel(self, results_dir: str, keys: Collection[str]) -> int:
        """Cancel the jobs of these nodes; those that run leave checkpoints. Returns how many there were.

        Raises:
            FerbenchError: the engine does not answer.
        """
        ...
