"""Pieces of work that train nothing, for checks of executors. Worker processes import this module, which needs no torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ferbench.interfaces import events
from ferbench.interfaces.executor import Node, Progress
from ferbench.records.schema import DONE, FAILED, Outcome

PERFORMED = "performed"
"""File of the results folder with the key of each node that was performed, in their order."""


@dataclass(frozen=True)
class Rehearsed(Node):
    """A node that trains nothing.

    Attributes:
        fails: whether its outcome is a failure.
        busy: whether another process has it when it is performed for the first time.
    """

    fails: bool = False
    busy: bool = False

    def perform(self, progress: Progress) -> Outcome | None:
        results = Path(self.trial.config["results_dir"])
        recording = events.Recording(self, progress)
        outcome: Outcome | None = None
        if not self.busy or self._once(results / f"busy-{self.key}"):
            outcome = Outcome(self.trial, FAILED, "It was to fail.") if self.fails else Outcome(self.trial, DONE)
            with (results / PERFORMED).open("a", encoding="utf-8") as file:
                file.write(f"{self.key}\n")
        recording.end(outcome)
        return outcome

    @staticmethod
    def _once(path: Path) -> bool:
        """Whether the path existed; afterwards it does."""
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return True
        return False
