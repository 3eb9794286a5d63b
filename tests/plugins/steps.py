"""What the tests of several methods do with one step."""

from __future__ import annotations

import torch

from ferbench import Batch, Clock, Method, MethodCard
from ferbench.registry.loader import load_registry
from ferbench.testing import make_batch, make_method
from ferbench.training.loop import freeze_all_but


def make(name: str, **overrides: object) -> Method:
    """The method on the small default backbone, for four subjects and six expressions at 32 px."""
    registry = load_registry()
    return make_method(registry, registry.get(MethodCard, name), overrides, extra=False)


def updates(method: Method, stage: int = 0, clock: Clock | None = None, batch: Batch | None = None) -> dict[str, dict]:
    """Of one step, without changing a weight: the terms of each group's loss."""
    chosen = method.stages()[stage]
    freeze_all_but(method, chosen)
    step = chosen.step(batch or make_batch(method.task), clock or Clock(0, 10))
    return {u.group: {"": u.loss, **u.parts} for u in step}


def reached(method: Method, group: str, stage: int = 0) -> set[str]:
    """Names of the parameters that a group's loss has a gradient for, whether or not the group trains them."""
    chosen = method.stages()[stage]
    freeze_all_but(method, chosen)
    named = {name: p for name, p in method.named_parameters() if p.requires_grad}
    for update in chosen.step(make_batch(method.task), Clock(0, 10)):
        if update.group == group:
            found = torch.autograd.grad(update.loss, list(named.values()), allow_unused=True, retain_graph=True)
            return {n for n, g in zip(named, found, strict=True) if g is not None and g.abs().sum() > 0}
    raise AssertionError(f"no update of {group}")


def modules(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def learn_one_batch(method: Method, stage: int, steps: int, lr: float = 3e-3) -> float:
    """Accuracy on twelve images of noise after `steps` steps on them: all labels wrong for anything but memory."""
    torch.manual_seed(0)  # a method that draws in its steps draws the same in every order of the tests
    chosen = method.stages()[stage]
    parameters = freeze_all_but(method, chosen)
    optimisers = {group: torch.optim.Adam(own, lr) for group, own in parameters.items()}
    batch = make_batch(method.task)
    for step in range(steps):
        for update in chosen.step(batch, Clock(step, steps)):
            optimisers[update.group].zero_grad()
            update.loss.backward(inputs=parameters[update.group])
            optimisers[update.group].step()
    with torch.no_grad():
        return (method.logits(batch.images).argmax(1) == batch.expression).float().mean().item()
