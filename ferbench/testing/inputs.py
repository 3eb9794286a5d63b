"""What conformance checks work on: a small task, random batches, a method on a small backbone, and a training of a few steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ferbench.cards import BackboneCard, MethodCard
from ferbench.errors import FerbenchError
from ferbench.interfaces.method import Batch, Method, Task
from ferbench.registry.loader import Registry
from ferbench.training.loop import Device, Training

EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
SUBJECTS = ("S1", "S2", "S3", "S4")
SIZE = 32
STEPS = 2
CPU = Device(torch.device("cpu"), "fp32")

Make = Callable[[], Method]
"""Creates the variant of a method that is checked; each call creates an equal one."""


def make_task(seed: int = 0) -> Task:
    """A small task: 6 expressions, 4 subjects, images of 32 x 32 pixels."""
    return Task(EXPRESSIONS, SUBJECTS, SIZE, seed)


def make_batch(task: Task, count: int = 12, seed: int = 0, device: str = "cpu") -> Batch:
    """A batch of `count` random images with labels in which every expression and subject occurs (for `count` >= 6)."""
    random = torch.Generator().manual_seed(seed)
    images = torch.rand((count, 3, task.image_size, task.image_size), generator=random) * 2 - 1
    neutral = torch.rand(images.shape, generator=random) * 2 - 1
    index = torch.arange(count)
    return Batch(
        images.to(device),
        (index % len(task.expressions)).to(device),
        (index % len(task.subjects)).to(device),
        neutral.to(device),
    )


def make_method(
    registry: Registry, card: MethodCard, overrides: dict[str, object] | None = None, seed: int = 0
) -> Method:
    """A method with the small default backbone. `overrides` are settings that differ from the defaults."""
    task = make_task(seed)
    backbone_card = small_backbone(registry)
    with task.init("backbone"):
        backbone = backbone_card.load()(backbone_card.settings(**(backbone_card.small or {})), SIZE)
    method = card.load()(task, backbone, card.settings(**{**card.defaults(), **(overrides or {})}))
    assert isinstance(method, Method), f"{card.target} is not a subclass of ferbench.Method"
    return method


def small_backbone(registry: Registry) -> BackboneCard:
    """The first installed backbone that is cheap enough for checks.

    Raises:
        FerbenchError: there is none.
    """
    found = next((card for card in registry.catalogue(BackboneCard).values() if card.small is not None), None)
    if found is None:
        raise FerbenchError(
            "Methods are checked on a small backbone, and none is installed: its card says small={...}."
        )
    return found


def variants_of(card: MethodCard) -> dict[str, dict[str, object]]:
    """The overrides of each variant by its name: "full" and the card's ablations."""
    return {"full": {}, **{name: dict(overrides) for name, overrides in card.ablations.items()}}


def training(seed: int = 0, device: Device = CPU, **more: Any) -> Training:
    """A training on random batches. `more` are further fields of Training."""
    task = make_task(seed)
    return Training(**{"batches": lambda step: make_batch(task, seed=step), "device": device, "seed": seed, **more})
