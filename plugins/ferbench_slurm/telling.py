"""What the submitting terminal shows of many jobs: a few of those that run at the same time, each at a place of its own, and the
outcomes of all."""

from __future__ import annotations

from collections.abc import Mapping

from ferbench.interfaces.executor import Node, Outcome, Progress, Trial

SHOWN = 8
"""Jobs whose progress is shown at the same time."""


class Desks:
    """The places where progress is shown: listeners of workers, lent to the jobs that run."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self._free: list[Progress] = []
        self._made = 0

    def take(self) -> Progress | None:
        """A free place; None if there is none."""
        if self._free:
            return self._free.pop(0)
        if self._made == SHOWN:
            return None
        self._made += 1
        return self.progress.worker(str(self._made))

    def give(self, desk: Progress) -> None:
        """Give a place back."""
        self._free.append(desk)


class Told(Progress):
    """The listener of one node. It has a place from when its job begins until it ends or waits again.

    Attributes:
        begun: whether its job has begun.
    """

    def __init__(self, node: Node, desks: Desks) -> None:
        self.node, self.begun = node, False
        self._desks = desks
        self._desk: Progress | None = None
        self._named = False

    def rests(self) -> None:
        """Its job waits again."""
        self.begun = False
        self.leaves()

    def leaves(self) -> None:
        """Give the place back."""
        if self._desk is not None:
            self._desks.give(self._desk)
            self._desk = None

    def trial(self, trial: Trial) -> None:
        self._begin()
        self._name()

    def shared(self, node: Node) -> None:
        self._begin()
        if self._desk is not None:
            self._desk.shared(node)

    def message(self, text: str) -> None:
        if self._desk is not None:
            self._desk.message(text)

    def stage(self, name: str, step: int, steps: int) -> None:
        if self._desk is not None:
            self._desk.stage(name, step, steps)

    def step(self, step: int, losses: Mapping[str, float], images_per_second: float) -> None:
        if self._desk is not None:
            self._desk.step(step, losses, images_per_second)

    def outcome(self, outcome: Outcome) -> None:
        desk = self._desk or self._desks.progress.worker("-")
        if not self._named:
            self._named = True
            desk.trial(outcome.trial)
        desk.outcome(outcome)

    def _begin(self) -> None:
        self.begun = True
        self._desk = self._desk or self._desks.take()

    def _name(self) -> None:
        """Say which trial it is: counted once, however often its job begins."""
        if self._desk is None:
            return
        if self._named:
            self._desk.message(f"{self.node.label} goes on")
        else:
            self._named = True
            self._desk.trial(self.node.trial)
