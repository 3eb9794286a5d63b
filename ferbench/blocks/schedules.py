"""Schedules of the learning rate: what `Group.schedule` can be besides "constant" and "cosine".

Each is a function of the fraction of the stage that is done, in [0, 1), to a factor of the group's learning rate; so is any other
function, `lambda progress: 1 - progress` too.

>>> [round(Warmup(0.2, then=Cosine())(progress), 2) for progress in (0.0, 0.1, 0.2, 0.6)]
[0.0, 0.5, 1.0, 0.5]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ferbench.errors import FerbenchError

Schedule = Callable[[float], float]


@dataclass(frozen=True)
class Constant:
    """1 all along."""

    def __call__(self, progress: float) -> float:
        return 1.0


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from 1 to `floor` (Loshchilov and Hutter, SGDR, ICLR 2017, equation 5, without restarts).

    Args:
        floor: the factor at the end.

    Raises:
        FerbenchError: `floor` is not in [0, 1].
    """

    floor: float = 0.0

    def __post_init__(self) -> None:
        _need("Cosine.floor", self.floor, 0 <= self.floor <= 1, "from 0 to 1")

    def __call__(self, progress: float) -> float:
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * progress))


@dataclass(frozen=True)
class Exponential:
    """From 1 to `final` by an equal factor each step: final ** progress. A factor of g after each of n epochs is final = g ** n.

    Args:
        final: the factor at the end.

    Raises:
        FerbenchError: `final` is not in (0, 1].
    """

    final: float = 0.01

    def __post_init__(self) -> None:
        _need("Exponential.final", self.final, 0 < self.final <= 1, "above 0 and at most 1")

    def __call__(self, progress: float) -> float:
        return float(self.final**progress)


@dataclass(frozen=True)
class StepDecay:
    """Multiplied by `factor` at each of the fractions `at` of the stage.

    Args:
        at: growing fractions of the stage, such as (0.5, 0.75).
        factor: by which each multiplies the rate.

    Raises:
        FerbenchError: there is no fraction, one is not in (0, 1) or not above the one before, or `factor` is not in (0, 1].
    """

    at: Sequence[float]
    factor: float = 0.1

    def __post_init__(self) -> None:
        if not isinstance(self.at, Sequence) or not self.at or sorted(set(self.at)) != list(self.at):
            raise FerbenchError(
                f"StepDecay.at is {self.at}; it has to be growing fractions of the stage, such as (0.5, 0.75)."
            )
        for place in self.at:
            _need("a value of StepDecay.at", place, 0 < place < 1, "a fraction of the stage, between 0 and 1")
        _need("StepDecay.factor", self.factor, 0 < self.factor <= 1, "above 0 and at most 1")

    def __call__(self, progress: float) -> float:
        return float(self.factor ** sum(progress >= place for place in self.at))


@dataclass(frozen=True)
class Polynomial:
    """(1 - progress) ** power, from 1 to 0.

    Args:
        power: 1 is a straight line; more falls faster at first.

    Raises:
        FerbenchError: `power` is not above 0.
    """

    power: float = 0.9

    def __post_init__(self) -> None:
        _need("Polynomial.power", self.power, self.power > 0, "above 0")

    def __call__(self, progress: float) -> float:
        return float((1 - progress) ** self.power)


@dataclass(frozen=True)
class Warmup:
    """A straight line from `start` to 1, then another schedule.

    Args:
        share: fraction of the stage that the line takes.
        start: the factor at its beginning.
        then: the schedule of the rest, whose progress goes from 0 to 1 over it.

    Raises:
        FerbenchError: `share` is not in (0, 1), or `start` is not in [0, 1].
    """

    share: float = 0.05
    start: float = 0.0
    then: Schedule = Constant()

    def __post_init__(self) -> None:
        _need("Warmup.share", self.share, 0 < self.share < 1, "a fraction of the stage, between 0 and 1")
        _need("Warmup.start", self.start, 0 <= self.start <= 1, "from 0 to 1")

    def __call__(self, progress: float) -> float:
        if progress < self.share:
            return self.start + (1 - self.start) * progress / self.share
        return self.then((progress - self.share) / (1 - self.share))


def _need(name: str, value: float, good: bool, what: str) -> None:
    if not good:
        raise FerbenchError(f"{name} is {value}; it has to be {what}.")
