"""The executor interface, and the listener that is informed of the progress of trials."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ferbench.records.schema import Outcome, Trial

REPORTED = ("preparing", "trial", "message", "stage", "step", "outcome")
"""Names of the methods of `Progress` that are called while trials run; an executor forwards them from where the trials run."""


class Progress:
    """A listener whose methods are called while trials run. This one does nothing; the command line has one that prints."""

    def preparing(self, done: int, total: int) -> None:
        """`done` of `total` images are prepared."""

    def trial(self, trial: Trial) -> None:
        """`trial` has started."""

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


class Executor(ABC):
    """Runs trials. Constructed with an instance of the settings class on its card."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    @abstractmethod
    def run(self, trials: Sequence[Trial], progress: Progress) -> Iterator[Outcome]:
        """Run the trials, in any order, and yield the outcome of each when it ends. A failed trial does not stop the others.

        Other processes may run the same trials in the same results folder at the same time. `run_shared` in
        `ferbench.execution.executors.shared` ensures that only one of them runs each trial.
        """
