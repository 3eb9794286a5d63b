"""Checks of stages and training steps."""

from __future__ import annotations

import torch

from ferbench.cards import MethodCard
from ferbench.errors import enumerate_first
from ferbench.interfaces.method import Clock
from ferbench.testing.inputs import EXPRESSIONS, STEPS, Make, make_batch, training
from ferbench.training.checkpoint import trained_state
from ferbench.training.loop import Device, freeze_all_but, modules_of, train


def stages_match_card(card: MethodCard, make: Make) -> None:
    """stages() returns the stages of the card in the same order, and their groups have parameters and do not overlap.

    Give `Stage(name, ...)` the names of the card's `StageCard`s, in their order; put each module into one group of a stage.
    """
    method = make()
    names, stated = [s.name for s in method.stages()], [s.name for s in card.stages]
    assert names == stated, f"stages() returns {names}, but the card has {stated}"
    for stage in method.stages():
        freeze_all_but(method, stage)
        trained_state(method, modules_of(stage))


def step_on_cpu(card: MethodCard, make: Make) -> None:
    """Training runs, its losses are finite, and it changes every parameter of every group.

    Compute the loss from every parameter of the group, or leave modules that it does not depend on out of the group.
    """
    method = make()
    for stage in method.stages():
        before = {name: p.detach().clone() for name, p in method.named_parameters()}
        losses = train(method, stage, STEPS, training()).losses
        assert losses, f"stage '{stage.name}' yields no update"
        own = trained_state(method, modules_of(stage))
        still = [n for n, p in method.named_parameters() if n in own and p.numel() and torch.equal(p, before[n])]
        assert not still, f"stage '{stage.name}' is to train {enumerate_first(still)}, but does not change them"


def step_on_meta(card: MethodCard, make: Make) -> None:
    """A step and logits run on the meta device: no tensor is on a wrong device, and no value is copied to the CPU.

    Make new tensors on the device of those that are given (`torch.zeros_like`, `images.new_zeros`, `device=images.device`). Compute
    with tensors instead of `.item()`, `float(...)` or `if tensor:`, and with `torch.where` or `F.one_hot` instead of picking rows
    by a mask, which makes the shape depend on values.
    """
    method = make().to("meta")
    batch = make_batch(method.task, device="meta")
    for stage in method.stages():
        parameters = freeze_all_but(method, stage)
        for update in stage.step(batch, Clock(0, STEPS)):
            update.loss.backward(inputs=parameters[update.group])
    method.eval()
    assert method.logits(batch.images).shape == (len(batch), len(EXPRESSIONS))


def step_in_bf16(card: MethodCard, make: Make) -> None:
    """Training runs under bf16 autocast.

    Under autocast some results are bfloat16: convert with `.float()` where a function needs float32, and tensors of your own
    with `.to(other.dtype)`.
    """
    method = make()
    for stage in method.stages():
        train(method, stage, 1, training(device=Device(torch.device("cpu"), "bf16")))


def frozen_parts(card: MethodCard, make: Make) -> None:
    """Modules that a stage does not train keep their weights and batch-norm statistics unchanged.

    Put a module whose weights or buffers the step changes into a group of the stage, and do not call `.train()` on modules of
    other stages.
    """
    method = make()
    for stage in method.stages():
        before = {name: value.clone() for name, value in method.state_dict().items()}
        train(method, stage, STEPS, training())
        own = trained_state(method, modules_of(stage))
        moved = [n for n, v in method.state_dict().items() if n not in own and not torch.equal(v, before[n])]
        assert not moved, f"stage '{stage.name}' changes {enumerate_first(moved)}, which it does not train"
