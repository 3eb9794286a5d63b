"""Schedules against torch's own, against closed forms, and what they refuse."""

from __future__ import annotations

import math
import pickle
import re
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from ferbench import FerbenchError, Group
from ferbench.blocks.schedules import Constant, Cosine, Exponential, Polynomial, Schedule, StepDecay, Warmup
from ferbench.training.optimisers import factor_of

STEPS, LR = 20, 0.3


def rates(schedule: str | Schedule) -> list[float]:
    group = Group([torch.nn.Linear(2, 2)], LR, schedule=schedule)
    return [LR * factor_of(group, step / STEPS) for step in range(STEPS)]


def of_torch(kind: Any, **settings: Any) -> list[float]:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    scheduler, found = kind(optimiser, **settings), []
    for _ in range(STEPS):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return found


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", lambda: [LR] * STEPS),
        (Constant(), lambda: [LR] * STEPS),
        ("cosine", lambda: of_torch(lr_scheduler.CosineAnnealingLR, T_max=STEPS)),
        (Cosine(0.1), lambda: of_torch(lr_scheduler.CosineAnnealingLR, T_max=STEPS, eta_min=LR * 0.1)),
        (Exponential(0.01), lambda: of_torch(lr_scheduler.ExponentialLR, gamma=0.01 ** (1 / STEPS))),
        (StepDecay((0.5, 0.75)), lambda: of_torch(lr_scheduler.MultiStepLR, milestones=[10, 15])),
        (StepDecay([0.3], 0.5), lambda: of_torch(lr_scheduler.MultiStepLR, milestones=[6], gamma=0.5)),
        (Polynomial(0.9), lambda: of_torch(lr_scheduler.PolynomialLR, total_iters=STEPS, power=0.9)),
        (Warmup(0.2, 0.25), lambda: of_torch(lr_scheduler.LinearLR, start_factor=0.25, total_iters=4)),
        (lambda progress: 1 - progress, lambda: of_torch(lr_scheduler.PolynomialLR, total_iters=STEPS, power=1)),
    ],
)
def test_it_is_torchs(schedule: Any, expected: Any) -> None:
    assert rates(schedule) == pytest.approx(expected(), rel=1e-9, abs=1e-12)


def test_cosine_is_its_name() -> None:
    assert rates("cosine") == rates(Cosine())


def test_a_warmup_is_followed_by_the_whole_of_the_next_schedule() -> None:
    found = rates(Warmup(0.2, then=Cosine(0.5)))
    assert found[:4] == pytest.approx([0, 0.25 * LR, 0.5 * LR, 0.75 * LR])
    rest = [LR * (0.5 + 0.25 * (1 + math.cos(math.pi * (step - 4) / 16))) for step in range(4, STEPS)]
    assert found[4:] == pytest.approx(rest)


def test_warmups_can_follow_each_other_and_travel_between_processes() -> None:
    nested = Warmup(0.5, 0.5, Warmup(0.5, then=StepDecay((0.5,))))
    assert pickle.loads(pickle.dumps(nested)) == nested
    assert [nested(progress) for progress in (0, 0.25, 0.5, 0.625, 0.75, 0.9)] == [0.5, 0.75, 0, 0.5, 1, 0.1]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Cosine(-0.1), "Cosine.floor is -0.1; it has to be from 0 to 1."),
        (lambda: Exponential(0), "Exponential.final is 0; it has to be above 0 and at most 1."),
        (lambda: StepDecay([30, 60]), "a value of StepDecay.at is 30; it has to be a fraction of the stage"),
        (lambda: StepDecay([0.5], 10), "StepDecay.factor is 10; it has to be above 0 and at most 1."),
        (lambda: Polynomial(0), "Polynomial.power is 0; it has to be above 0."),
        (lambda: Warmup(5), "Warmup.share is 5; it has to be a fraction of the stage"),
        (lambda: Warmup(start=2), "Warmup.start is 2; it has to be from 0 to 1."),
        (lambda: Warmup(float("nan")), "Warmup.share is nan"),
    ],
)
def test_a_value_that_makes_no_schedule(make: Any, text: str) -> None:
    with pytest.raises(FerbenchError, match=re.escape(text)):
        make()
