"""The executor interface, and what a running trial reports."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ferbench.records import Outcome, Trial

WORK = "ferbench.trial:run"
"""The work on one trial: a function of (trial, report) to an Outcome, or to None where another process is at that trial. It
raises nothing but KeyboardInterrupt."""


class Report:
    """What is told while trials run. This one is silent; the command line has one for a terminal and one for a log."""

    def preparing(self, done: int, total: int) -> None:
        """Images are read and resized: so many of so many."""

    def trial(self, trial: Trial) -> None:
        """A trial begins."""

    def message(self, text: str) -> None:
        """A sentence about the running trial."""

    def stage(self, name: str, step: int, steps: int) -> None:
        """A stage begins, at `step` where it was resumed."""

    def step(self, step: int, losses: Mapping[str, float], images_per_second: float) -> None:
        """Training stands at `step`; means of the losses since the last report."""

    def outcome(self, outcome: Outcome) -> None:
        """A trial has ended."""

    def worker(self, name: str) -> Report:
        """The report of one of several workers that run trials at the same time."""
        return self


class Executor(ABC):
    """Constructed with its settings."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    @abstractmethod
    def run(self, trials: Sequence[Trial], report: Report) -> Iterator[Outcome]:
        """Run the trials, in any order; gives each one's outcome as it ends. One that fails costs no other.

        Others may be running the same trials in the same results folder: `ferbench.executors.shared` gives each trial to one.
        """
