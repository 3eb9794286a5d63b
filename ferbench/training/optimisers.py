"""Optimisers of a stage's groups: torch's own, with a learning rate for each part; and sharpness-aware minimisation."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ferbench.blocks.schedules import Constant, Cosine, Schedule
from ferbench.errors import FerbenchError
from ferbench.interfaces.method import Group, Part

NAMED: Mapping[str, Schedule] = {"constant": Constant(), "cosine": Cosine()}
"""The schedules that `Group.schedule` names."""

WHOLE = "whole_lr"
"""Key in a torch parameter group: its learning rate before the schedule."""


def shares(group: Group) -> list[tuple[Part, list[nn.Parameter]]]:
    """What has a learning rate of its own in a group, with its parameters: first what is in no part, then the parts.

    Raises:
        FerbenchError: two parts have a parameter in common.
    """
    taken: set[int] = set()
    parts: list[tuple[Part, list[nn.Parameter]]] = []
    for part in group.parts:
        own = _parameters(part)
        if taken & own.keys():
            raise FerbenchError("two parts of it have weights in common")
        taken |= own.keys()
        parts.append((part, list(own.values())))
    rest = Part(group.modules)
    found = [(rest, [p for key, p in _parameters(rest).items() if key not in taken]), *parts]
    return [(part, own) for part, own in found if own]


def _parameters(part: Part) -> dict[int, nn.Parameter]:
    return {id(parameter): parameter for module in part.modules for parameter in module.parameters()}


def optimiser_of(group: Group, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimiser of a group. `parameters`: all of them; on a GPU, learning rates are tensors, so that a graph of a step reads
    them."""
    device = parameters[0].device
    on_gpu = device.type == "cuda"

    def rate(value: float) -> Any:
        return torch.tensor(value, device=device) if on_gpu else value

    found: list[dict[str, Any]] = []
    for part, own in shares(group):
        decay = group.weight_decay if part.weight_decay is None else part.weight_decay
        lr = group.lr if part.lr is None else part.lr
        found.append({"params": own, "lr": rate(lr), "weight_decay": decay, WHOLE: lr})
    if group.optimiser == "sgd":
        return torch.optim.SGD(found, lr=rate(group.lr), momentum=group.momentum, nesterov=group.nesterov, fused=True)
    kind = torch.optim.Adam if group.optimiser == "adam" else torch.optim.AdamW
    return kind(found, lr=rate(group.lr), betas=group.betas, fused=True, capturable=on_gpu)


def rates_of(optimiser: torch.optim.Optimizer, factor: float) -> list[float]:
    """The learning rate of each of an optimiser's parameter groups, where the schedule's factor is `factor`."""
    return [group[WHOLE] * factor for group in optimiser.param_groups]


def set_rates(optimiser: torch.optim.Optimizer, rates: Sequence[float]) -> None:
    """Set the learning rates of an optimiser's parameter groups."""
    for group, rate in zip(optimiser.param_groups, rates, strict=True):
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def factor_of(group: Group, progress: float) -> float:
    """The factor of a group's learning rates where a fraction `progress` of the stage is done.

    Raises:
        FerbenchError: its schedule gives a number that no learning rate can have.
    """
    schedule = NAMED[group.schedule] if isinstance(group.schedule, str) else group.schedule
    given = schedule(progress)
    try:
        factor = float(given)
    except (TypeError, ValueError):
        factor = math.nan
    if not 0 <= factor < math.inf:
        raise FerbenchError(
            f"its schedule gives {given!r} at progress {progress:.4g}; a factor of lr is a number from 0 on"
        )
    return factor


def gradient_norm(parameters: Sequence[nn.Parameter]) -> Tensor:
    """(), the L2 norm of the gradients of parameters."""
    return nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])


@contextlib.contextmanager
def uphill(parameters: Sequence[nn.Parameter], radius: float) -> Iterator[None]:
    """A context in which parameters are moved along their gradient, by `radius` in the L2 norm of all of them together."""
    moved = [(p, p.detach().clone(), p.grad) for p in parameters if p.grad is not None]
    with torch.no_grad():
        factor = radius / (gradient_norm(parameters) + 1e-12)
        for parameter, _, gradient in moved:
            parameter.add_(gradient * factor)
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, before, _ in moved:
                parameter.copy_(before)
