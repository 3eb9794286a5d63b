"""Moving averages of weights: `Average` of a stage, checked and computed."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ferbench.errors import TrainingError
from ferbench.interfaces.method import Average, Clock, Method, Stage
from ferbench.training.state import modules_of


class Averages:
    """The averages of a stage.

    Raises:
        TrainingError: one of them is not as `Average` defines it.
    """

    def __init__(self, method: Method, stage: Stage) -> None:
        inside = {id(module) for module in method.modules()}
        trained = {id(parameter) for module in modules_of(stage) for parameter in module.parameters()}
        averaged: set[int] = set()

        def refuse(what: str) -> TrainingError:
            return TrainingError(f"An average of stage '{stage.name}' {what}.", stage.name)

        for average in stage.averages:
            into = {id(parameter) for parameter in average.into.parameters()}
            if id(average.into) not in inside:
                raise refuse(
                    "goes into a module that is no part of the method; assign it to an attribute of self in __init__"
                )
            if into & trained:
                raise refuse(
                    "goes into weights that the stage trains; `of` is what is trained, `into` the average of it"
                )
            if into & averaged:
                raise refuse("goes into the same weights as another one")
            if not trained & {id(parameter) for parameter in average.of.parameters()}:
                raise refuse("is of weights that the stage does not train, so that it would never change")
            if (ours := _named(average.into)) != (theirs := _named(average.of)):
                name = min(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
                raise refuse(
                    f"has '{name}' of shape {theirs.get(name)} in `of` and {ours.get(name)} in `into`; make `into` with "
                    "copy.deepcopy in __init__"
                )
            if isinstance(average.decay, int | float) and not 0 <= average.decay <= 1:
                raise refuse(f"has the decay {average.decay}; it is in [0, 1]")
            averaged |= into
        self._averages = stage.averages

    @torch.no_grad()
    def update(self, clock: Clock) -> None:
        """Bring them up to date after a step."""
        for average in self._averages:
            weight = share(average, clock)
            if isinstance(weight, Tensor):
                weight = weight.to(next(average.into.parameters()).device)
            weights, buffers = dict(average.of.named_parameters()), dict(average.of.named_buffers())
            for name, ours in average.into.named_parameters():
                ours.lerp_(weights[name], weight.to(ours.dtype) if isinstance(weight, Tensor) else weight)
            for name, buffer in average.into.named_buffers():
                buffer.copy_(buffers[name])


def share(average: Average, clock: Clock) -> float | Tensor:
    """The share of the new weights in the average, 1 - decay; a scalar tensor where it differs from step to step."""
    if isinstance(average.decay, int | float) and not average.warmup:
        return 1 - average.decay
    decay = average.decay(clock.progress) if callable(average.decay) else average.decay
    if average.warmup:
        step = clock.progress * clock.steps
        decay = (step / (step + 1)).clamp(max=decay)
    return 1 - torch.as_tensor(decay, dtype=torch.float64)


def _named(module: nn.Module) -> Mapping[str, list[int]]:
    return {name: list(tensor.shape) for name, tensor in [*module.named_parameters(), *module.named_buffers()]}
