"""The loop against a bare loop of the same model, batch and precision, written by hand. Goal: within 1.03."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch

from ferbench.cards import BackboneCard, MethodCard
from ferbench.cores import keep_memory
from ferbench.interfaces.method import Batch, Clock, Method, Task
from ferbench.registry.loader import load_registry
from ferbench.training.loop import Device, Training, train

SIZE, BATCH, STEPS = 48, 32, 12


def make(name: str) -> Method:
    registry = load_registry()
    task = Task(("a", "b", "c", "d", "e", "f"), tuple(f"S{i}" for i in range(30)), SIZE)
    backbone_card, card = registry.get(BackboneCard, "convnet"), registry.get(MethodCard, name)
    with task.init("backbone"):
        backbone = backbone_card.load()(backbone_card.settings(), SIZE)
    method: Method = card.load()(task, backbone, card.settings())
    return method.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def batches() -> list[Batch]:
    random = torch.Generator().manual_seed(0)
    made = []
    for _ in range(STEPS):
        images = torch.rand((BATCH, 3, SIZE, SIZE), generator=random) * 2 - 1
        made.append(
            Batch(
                images.contiguous(memory_format=torch.channels_last),
                torch.randint(0, 6, (BATCH,), generator=random),
                torch.randint(0, 30, (BATCH,), generator=random),
            )
        )
    return made


@pytest.mark.parametrize("name", ["cross_entropy", "degan"])
def test_training_step(paired: Callable[..., float], name: str) -> None:
    keep_memory()  # as `ferbench run` does
    device = Device.choose("cpu", "auto")
    ready = batches()
    method = make(name)
    training = Training(batches=lambda step: ready[step], device=device)

    bare = copy.deepcopy(method)
    stage = bare.stages()[0]
    bare.eval().requires_grad_(False)
    optimisers, parameters = {}, {}
    for group, setting in stage.trains.items():
        for module in setting.modules:
            module.train().requires_grad_(True)
        parameters[group] = [p for module in setting.modules for p in module.parameters()]
        optimisers[group] = torch.optim.AdamW(parameters[group], setting.lr, setting.betas, fused=True)

    def ours() -> None:
        train(method, method.stages()[0], STEPS, training)

    def theirs() -> None:
        for step in range(STEPS):
            generator = stage.step(ready[step], Clock(step, STEPS))
            while True:
                with torch.autocast("cpu", torch.bfloat16, enabled=device.precision == "bf16"):
                    update = next(generator, None)
                if update is None:
                    break
                optimisers[update.group].zero_grad()
                update.loss.backward(inputs=parameters[update.group])
                optimisers[update.group].step()

    paired(f"{name}, {device.precision}, {STEPS} steps of {BATCH} at {SIZE} px: loop / bare", ours, theirs)


@pytest.mark.parametrize("name", ["tdgan", "degan"])
def test_throughput(paired: Callable[..., float], name: str) -> None:
    """How much longer than cross-entropy's a step takes, on the same backbone; the first stage, from a step at which TDGAN
    moves both discriminators."""
    device = Device.choose("cpu", "auto")
    ready = batches()
    training = Training(batches=lambda step: ready[step], device=device)
    method, plain = make(name), make("cross_entropy")

    def ours() -> None:
        train(method, method.stages()[0], STEPS, training)

    def theirs() -> None:
        train(plain, plain.stages()[0], STEPS, training)

    paired(f"{name}, {STEPS} steps of {BATCH} at {SIZE} px: a step / a step of cross_entropy", ours, theirs)
    images = STEPS * BATCH
    print(f"of {images} images each; images a second follow from the medians above")
