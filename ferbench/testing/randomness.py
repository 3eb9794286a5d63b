"""Rules about random numbers. Each starts from random states of its own, so that it holds or not whatever was run before."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ferbench.cards import MethodCard
from ferbench.interfaces.method import Clock, Identifies, Method, Synthesizes
from ferbench.randomness import own_random_state, states
from ferbench.testing.inputs import STEPS, data_of, make_batch
from ferbench.training.loop import freeze_all_but

SEEDS = (715_225_739, 981_324_171)
"""Of two states that no plugin sets by chance."""

ROUNDING = 1e-4
"""Largest difference, as a share of the largest value, between an image's outputs in two batches of other sizes."""


def outputs_repeat(card: MethodCard, make: Callable[[], Method]) -> None:
    """features, logits, identity_features and synthesize give the same for the same images each time, in eval mode, and for an
    image what they give without the others of its batch; they leave the method in eval mode.

    Draw no random numbers outside training: use dropout as a module, which eval() turns off, and no statistics of the batch. Do not
    call `train()`.
    """
    method = make().eval()
    batch, faces = make_batch(method.task), make_batch(method.task, seed=1)
    half = len(batch) // 2
    asked: dict[str, Callable[[int], Tensor]] = {
        "features": lambda count: method.features(batch.images[:count]),
        "logits": lambda count: method.logits(batch.images[:count]),
    }
    if isinstance(method, Identifies):
        asked["identity_features"] = lambda count: method.identity_features(batch.images[:count])
    if isinstance(method, Synthesizes):
        asked["synthesize"] = lambda count: method.synthesize(batch.images[:count], faces.split(len(batch) // count)[0])
    with torch.no_grad():
        for name, function in asked.items():
            found = []
            for seed, count in ((SEEDS[0], len(batch)), (SEEDS[1], len(batch)), (SEEDS[0], half)):
                with own_random_state(seed):
                    found.append(function(count))
            assert not any(module.training for module in method.modules()), (
                f"{name} puts the method into train mode; leave train() out: each module is in the mode that it has to have"
            )
            assert torch.equal(found[0], found[1]), (
                f"{name} differs from one call to the next on the same images: it draws random numbers, as dropout does that is "
                "not turned off by eval(). What is judged has to be the same each time"
            )
            apart = (found[0][:half] - found[2]).abs().max()
            assert apart <= ROUNDING * found[0].abs().max() + 1e-6, (
                f"{name} of an image depends on the other images of its batch, as batch normalisation in train mode does; test "
                "images come in batches of any size"
            )


def construction_randomness(card: MethodCard, make: Callable[[], Method]) -> None:
    """Creating a method neither draws from nor seeds the random states that it shares with all other code.

    Create layers inside `with task.init(part):`, and draw other numbers from a generator of the method's own.
    """
    with own_random_state(SEEDS[0]):
        before = states()
        make()
        after = states()
    touched = [name for name in before if before[name] != after[name]]
    assert not touched, (
        f"creating the method draws from the global random state of {' and '.join(touched)}, or seeds it; create layers inside "
        "task.init(part), and draw other numbers from a generator of the method's own"
    )


def step_randomness(card: MethodCard, make: Callable[[], Method]) -> None:
    """A step does not set the seed of torch, numpy or Python: each step has its own already.

    Leave `torch.manual_seed` and the like out of steps.
    """
    for stage in make().stages():
        after = []
        for seed in SEEDS:
            method = make()
            (same,) = (each for each in method.stages() if each.name == stage.name)
            freeze_all_but(method, same)
            with own_random_state(seed):
                for _ in same.step(make_batch(method.task, stage=same, data=data_of(card, same)), Clock(0, STEPS)):
                    pass
                after.append(states())
        seeded = [name for name in after[0] if after[0][name] == after[1][name]]
        assert not seeded, (
            f"the step of stage '{stage.name}' sets the seed of {' and '.join(seeded)}, so that all steps draw the same numbers; "
            "leave it out: each step is seeded, in a way that a resumed training repeats"
        )
