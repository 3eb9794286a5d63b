"""Conformance checks of what a stage changes outside its groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ferbench import Average, Batch, Clock, Group, MethodCard, Stage, Update
from ferbench.registry.loader import load_registry
from ferbench.testing.accumulation import micro_batches
from ferbench.testing.steps import frozen_parts, step_on_meta
from tests.training.remembering import Remembering, momentum

CARD = load_registry().get(MethodCard, "cross_entropy")
"""The rules do not look at it."""


def made(step: Callable[[Remembering, Batch, Clock], Iterator[Update]], **more: Any) -> Callable[[], Remembering]:
    class Changing(Remembering):
        def stages(self) -> list[Stage]:
            groups = {"network": Group([self.student, self.head], 1e-2)}
            fields = {name: value(self) for name, value in more.items()}
            return [Stage("training", lambda batch, clock: step(self, batch, clock), groups, **fields)]

    return Changing


def statistics(method: Remembering, batch: Batch, clock: Clock) -> Iterator[Update]:
    method.teacher.train()
    yield from method.step(batch, clock)


def plain(method: Remembering, batch: Batch, clock: Clock) -> Iterator[Update]:
    yield from method.step(batch, clock)


def test_a_method_that_says_what_it_changes() -> None:
    for rule in (frozen_parts, micro_batches, step_on_meta):
        rule(CARD, Remembering)
    frozen_parts(CARD, made(plain, averages=lambda m: [Average(m.student, m.teacher)], after=lambda m: m.remember))
    frozen_parts(CARD, made(momentum, changes=lambda m: [m.teacher]))


@pytest.mark.parametrize(
    ("step", "names"), [(momentum, r"teacher\.1\.weight, teacher\.1\.bias"), (statistics, r"teacher\.2\.running")]
)
def test_weights_and_statistics_that_change_without_a_word(step: Any, names: str) -> None:
    with pytest.raises(AssertionError, match=rf"'training' changes {names}.*, which it does not train"):
        frozen_parts(CARD, made(step))


def test_momentum_for_each_micro_batch() -> None:
    with pytest.raises(AssertionError, match=r"changes 'teacher\.1\.weight' once for each micro-batch"):
        micro_batches(CARD, made(momentum, changes=lambda m: [m.teacher]))


def test_an_after_that_waits_for_the_device() -> None:
    """On the meta device, which has no values."""

    def reads(batch: Batch, outputs: Any, clock: Clock) -> None:
        outputs["keys"].mean().item()

    with pytest.raises(RuntimeError, match="meta"):
        step_on_meta(CARD, made(plain, after=lambda m: reads))
