"""Watching a trial: how far it is, for sentences about its end; that only one process runs it; and how its failure is stored."""

from __future__ import annotations

import os
from typing import Any

from ferbench.interfaces.executor import Progress, Relayed
from ferbench.limits import leave_if_forked
from ferbench.records.schema import Outcome
from ferbench.records.store import Store


class Watched(Relayed):
    """A listener that remembers how far the work is, and forwards all calls.

    Attributes:
        reached: the stage that has started last (empty for none), how many of its steps are known to be done (-1 for none), and how
            many it has.
    """

    def __init__(self, progress: Progress) -> None:
        self.reached = ("", -1, 0)
        self._progress, self._pid = progress, os.getpid()

    def report(self, name: str, values: tuple[Any, ...]) -> None:
        leave_if_forked(self._pid)
        if name == "stage":
            self.reached = values[0], values[1], values[2]
        elif name == "step":
            self.reached = self.reached[0], values[0], self.reached[2]
        getattr(self._progress, name)(*values)

    @property
    def place(self) -> str:
        """How far the work is, such as "in stage 'training', after step 25 of 100"."""
        stage, step, steps = self.reached
        if not stage:
            return "before its first stage"
        return f"after stage '{stage}'" if step >= steps else f"in stage '{stage}', after step {step} of {steps}"


def too_long(limit: float, watched: Watched) -> str:
    """The sentence for work that took longer than `trial.timeout`."""
    return (
        f"It took longer than trial.timeout={limit:g} s and was ended {watched.place}. What its checkpoints hold is kept: a larger "
        "trial.timeout with --retry failed continues from there."
    )


def store_failure(outcome: Outcome, progress: Progress) -> None:
    """Store that a trial has failed; where that cannot be written, `progress` gets a message."""
    try:
        Store(outcome.trial.config["results_dir"]).write_failure(outcome)
    except OSError as failure:
        progress.message(f"the failure could not be stored either: {failure.strerror or failure}")
