"""A short training of a method: its losses, the gradients it begins with, how far each weight moves, and what it then says.

All of it in float64, on pixels without augmentation, which have the same 256 levels on every machine. In float32 the kernels of
two CPUs round differently, and Adam divides a gradient by its own size: a weight whose gradient is nothing but rounding moves
as far as any other, in a direction that nobody can hold. After six steps the losses of a GAN differed by 6 % and the movements
of its weights by 40 % between AVX-512 and SSE; so they did from initial weights that differed in the last bit of a float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from ferbench import Backbone, BackboneCard, Method, MethodCard, Stage
from ferbench.interfaces.method import Batch, Identifies, Synthesizes
from ferbench.registry.loader import load_registry
from ferbench.training.loop import Device, Training, train
from ferbench.training.state import modules_of
from tests.golden import inputs
from tests.golden.summary import norm_and_projection, rounded

STEPS = 6
"""Of each stage: enough for a schedule to bend and for an update to feel the one before."""

SMALL: Mapping[str, object] = {"width": 8, "feature_dim": 32}
"""Settings of those methods that have them: what counts is the arithmetic, not the size."""

FURTHER: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    "degan": {
        "fake as an expression": {"fake_class": "expression"},
        "fake as a logit": {"fake_class": "separate"},
        "gradient penalty": {"r1": 1.0},
    }
}
"""Settings of a method that neither its defaults nor an ablation reach, and that choose other arithmetic."""

Values = dict[str, Any]


def make(card: MethodCard, overrides: Mapping[str, object]) -> Method:
    """The method on the small default backbone, as `ferbench.execution.setup.build` makes it."""
    backbone_card = load_registry().get(BackboneCard, "convnet")
    settings: Any = backbone_card.settings()
    settings.width = 8
    task = inputs.task()
    with task.init("backbone"):
        backbone: Backbone = backbone_card.load()(settings, inputs.SIZE)
    small = {name: value for name, value in SMALL.items() if name in card.setting_names}
    return card.load()(task, backbone, card.settings(**{**card.defaults(), **small, **overrides}))


def values(card: MethodCard) -> Values:
    """Of the full method, of every ablation and of what else it can do."""
    found = run(card, {}, "full")
    for name, overrides in {**card.ablations, **FURTHER.get(card.name, {})}.items():
        found |= run(card, overrides, name)
    return found


def run(card: MethodCard, overrides: Mapping[str, object], variant: str) -> Values:
    """All stages of one variant, in their order, and its outputs in the end."""
    drawn = [inputs.batch(step, "neutral" in card.needs) for step in range(STEPS)]
    training = Training(drawn.__getitem__, Device(inputs.CPU, "fp32"), seed=inputs.SEED)
    found: Values = {}
    with default_float64():
        method = make(card, overrides)
        for stage in method.stages():
            found |= _under(f"{variant}/{stage.name}", stage_values(method, stage, training, variant == "full"))
        return found | _under(f"{variant}/outputs", outputs(method.eval(), drawn[0], drawn[1]))


@contextmanager
def default_float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def stage_values(method: Method, stage: Stage, training: Training, by_tensor: bool) -> Values:
    """`groups`, `loss`, `gradient` (of the first update), `movement`; of an ablation, the last two by network."""
    before = {name: p.detach().clone() for name, p in method.named_parameters()}
    names = {id(p): name for name, p in method.named_parameters()}
    with _first_gradients(names) as gradients:
        losses = train(method, stage, STEPS, training).losses
    trained = {id(p) for module in modules_of(stage) for p in module.parameters()}
    after = {name: p for name, p in method.named_parameters() if id(p) in trained and name in gradients}
    moved = {name: p.detach() - before[name] for name, p in after.items()}
    if not by_tensor:
        gradients, moved = _by_network(gradients), _by_network(moved)
    series: dict[str, list[float]] = {}
    for _, name, value in losses:
        series.setdefault(name, []).append(rounded(value))
    return (
        {f"groups/{name}": _describe(stage, name) for name in stage.trains}
        | {f"loss/{name}": values for name, values in series.items()}
        | {f"gradient/{name}": norm_and_projection(value) for name, value in sorted(gradients.items())}
        | {f"movement/{name}": norm_and_projection(value) for name, value in sorted(moved.items())}
        | {f"buffers/{name}": norm_and_projection(value) for name, value in _by_network(_buffers(method)).items()}
    )


def outputs(method: Method, batch: Batch, identities: Batch) -> Values:
    """Of sixteen frames: logits, features, and what else the method can do."""
    with torch.inference_mode():
        found = {"logits": method.logits(batch.images), "features": method.features(batch.images)}
        if isinstance(method, Identifies):
            found["identity_features"] = method.identity_features(batch.images)
        if isinstance(method, Synthesizes):
            found["synthesis"] = method.synthesize(batch.images, identities)
    return {name: norm_and_projection(value) for name, value in found.items()}


def _under(prefix: str, values: Values) -> Values:
    return {f"{prefix}/{name}": value for name, value in values.items()}


def _describe(stage: Stage, group: str) -> str:
    own = stage.trains[group]
    count = sum(p.numel() for p in {p for module in own.modules for p in module.parameters()})
    return f"{count} parameters, lr {own.lr:g}, betas {own.betas}, weight decay {own.weight_decay:g}, {own.schedule}"


@contextmanager
def _first_gradients(names: Mapping[int, str]) -> Iterator[dict[str, Tensor]]:
    """The gradient with which each parameter is updated for the first time, by its name."""
    found: dict[str, Tensor] = {}

    def keep(optimiser: torch.optim.Optimizer, *_: object) -> None:
        for parameter in optimiser.param_groups[0]["params"]:
            if parameter.grad is not None:
                found.setdefault(names[id(parameter)], parameter.grad.detach().clone())

    handle = register_optimizer_step_pre_hook(keep)
    try:
        yield found
    finally:
        handle.remove()


def _by_network(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All tensors of a child module as one."""
    joined: dict[str, list[Tensor]] = {}
    for name, value in sorted(tensors.items()):
        joined.setdefault(name.partition(".")[0], []).append(value.flatten())
    return {name: torch.cat(parts) for name, parts in joined.items()}


def _buffers(method: nn.Module) -> dict[str, Tensor]:
    """Floating-point state that no optimiser moves: statistics of batch normalisation, centres."""
    return {name: b.float() for name, b in method.named_buffers() if b.is_floating_point()}
