"""Factors in conformance checks: made-up columns for what a method's card asks for, and the rule about its estimates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

import torch
from torch import Tensor

from ferbench.cards import MethodCard
from ferbench.evaluation.inference import fault_of_estimate
from ferbench.interfaces.method import Estimates, Method, Task

NUMBERS = ("au1", "au2", "au4", "au6", "au12", "intensity", "valence", "arousal", "yaw", "pitch", "roll")
LEVELS = ("a", "b", "c")
IMAGES = 5


def columns_for(card: MethodCard) -> dict[str, tuple[str, ...]]:
    """The factors of a task that has what a card asks for, as `Task.factors`. A pattern stands for those of NUMBERS that it
    matches, or for one column of which it is the name."""

    def named(pattern: str) -> list[str]:
        return [name for name in NUMBERS if fnmatchcase(name, pattern)] or [pattern]

    numbers: dict[str, tuple[str, ...]] = {name: () for pattern in card.factors for name in named(pattern)}
    return numbers | {name: LEVELS for pattern in card.levels for name in named(pattern)}


def make_factors(task: Task, count: int, random: torch.Generator) -> dict[str, Tensor]:
    """Random factors of `count` frames, as `Batch.factors`. Every fourth value is missing."""
    missing = torch.arange(count) % 4 == 3
    return {
        name: torch.randint(len(levels), (count,), generator=random).masked_fill(missing, -1)
        if levels
        else torch.rand(count, generator=random).masked_fill(missing, torch.nan)
        for name, levels in task.factors.items()
    }


def estimates(card: MethodCard, make: Callable[[], Method]) -> None:
    """What a method estimates are finite tensors (B,) by name, probabilities for action units; without `estimates`, the rule holds.

    Return one float for each image and name, such as {"valence": head(images)[:, 0]}.
    """
    method = make().eval()
    if not isinstance(method, Estimates):
        return
    images = torch.rand((IMAGES, *method.task.image_shape), generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        found = method.estimates(images)
    assert isinstance(found, Mapping), f"estimates returns {type(found).__name__}, not tensors by name"
    for name, values in found.items():
        assert not (fault := fault_of_estimate(name, values, IMAGES)), f"estimates {fault}"
        assert values.is_floating_point(), f"estimates gives {name} as {values.dtype}, not as floats"
        assert values.isfinite().all(), f"estimates has NaN or infinite values of {name}"
