"""Checks of stages and training steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ferbench.cards import MethodCard
from ferbench.errors import enumerate_first
from ferbench.evaluation.inference import fault_of_output
from ferbench.interfaces.method import Clock
from ferbench.registry.loader import Registry
from ferbench.testing.inputs import EXPRESSIONS, STEPS, Make, data_of, make_batch, make_method, training
from ferbench.training.checkpoint import trained_state
from ferbench.training.loop import Device, freeze_all_but, train
from ferbench.training.state import modules_of


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


def without_extra(registry: Registry, card: MethodCard, settings: Mapping[str, Any]) -> None:
    """Without an extra dataset, stages() returns the stages that need none.

    Leave a stage whose card says data="extra" out where `self.task.extra` is None.
    """
    names = [stage.name for stage in make_method(registry, card, dict(settings), extra=False).stages()]
    stated = [stage.name for stage in card.stages_with(extra=False)]
    assert names == stated, f"without an extra dataset (task.extra is None) stages() returns {names}, not {stated}"


def step_on_cpu(card: MethodCard, make: Make) -> None:
    """Training runs, its losses are finite, and it changes every parameter of every group.

    Compute the loss from every parameter of the group, or leave modules that it does not depend on out of the group.
    """
    method = make()
    for stage in method.stages():
        before = {name: p.detach().clone() for name, p in method.named_parameters()}
        losses = train(method, stage, STEPS, training(card=card)).losses
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
    for stage in method.stages():
        batch = make_batch(method.task, device="meta", stage=stage, data=data_of(card, stage))
        parameters = freeze_all_but(method, stage)
        outputs: dict[str, Tensor] = {}
        clock = Clock(0, STEPS)
        for update in stage.step(batch, clock):
            update.loss.backward(inputs=parameters[update.group])
            outputs |= {name: output.detach() for name, output in update.outputs.items()}
        if stage.after is not None:
            with torch.no_grad():
                stage.after(batch, outputs, clock)
    method.eval()
    batch = make_batch(method.task, device="meta")
    fault = fault_of_output("logits", method.logits(batch.images), batch.images, len(EXPRESSIONS))
    assert not fault, f"logits() {fault}"


def step_in_bf16(card: MethodCard, make: Make) -> None:
    """Training runs under bf16 autocast.

    Under autocast some results are bfloat16: convert with `.float()` where a function needs float32, and tensors of your own
    with `.to(other.dtype)`.
    """
    method = make()
    for stage in method.stages():
        train(method, stage, 1, training(device=Device(torch.device("cpu"), "bf16"), card=card))


def frozen_parts(card: MethodCard, make: Make) -> None:
    """Modules that a stage does not train keep their weights and batch-norm statistics unchanged.

    Train the module in a group, make it an average of another one (`Stage.averages`), or list it in the stage's `changes`; do not
    call `.train()` on modules of other stages.
    """
    method = make()
    for stage in method.stages():
        before = {name: value.clone() for name, value in method.state_dict().items()}
        train(method, stage, STEPS, training(card=card))
        declared = [*modules_of(stage), *(average.into for average in stage.averages), *stage.changes]
        own = {id(tensor) for module in declared for tensor in [*module.parameters(), *module.buffers()]}
        norms = [module for module in method.modules() if isinstance(module, nn.modules.batchnorm._NormBase)]
        frozen = [*method.parameters(), *(buffer for norm in norms for buffer in norm.buffers(recurse=False))]
        still = {id(tensor) for tensor in frozen} - own
        state = method.state_dict(keep_vars=True)
        moved = [name for name, value in state.items() if id(value) in still and not torch.equal(value, before[name])]
        assert not moved, f"stage '{stage.name}' changes {enumerate_first(moved)}, which it does not train"
