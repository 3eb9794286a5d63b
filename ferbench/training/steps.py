"""The steps of a stage: zero_grad, backward, clipping, accumulation, precision, schedules and seeds.

The loop leaves the autocast context at every yield, because autocast caches the casted weights until its outermost context ends: a
forward pass after an update would otherwise use the old weights.
"""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ferbench.errors import TrainingError
from ferbench.interfaces.method import Batch, Clock, Group, Stage, Update, derive_seed, fraction
from ferbench.randomness import set_seed

if TYPE_CHECKING:
    from ferbench.training.loop import Device, Training


@dataclass(frozen=True)
class Row:
    """The losses of a step.

    Attributes:
        names: of the losses. values: (len(names),), float32, on the device.
    """

    names: tuple[str, ...]
    values: Tensor


class Steps:
    """The steps of a stage, one after another, as Python runs them.

    Attributes:
        obstacle: a sentence on why steps are not captured; empty here.
    """

    obstacle = ""

    def __init__(
        self,
        stage: Stage,
        steps: int,
        optimisers: Mapping[str, torch.optim.Optimizer],
        parameters: Mapping[str, Sequence[nn.Parameter]],
        training: Training,
    ) -> None:
        self.stage = stage
        self.steps = steps
        self.optimisers = optimisers
        self.parameters = parameters
        self.training = training
        self._seed: int | None = None

    def context(self) -> contextlib.AbstractContextManager[object]:
        """The context in which the steps are run."""
        return contextlib.nullcontext()

    def __call__(self, step: int) -> tuple[Row, int]:
        """Run a step. Returns its losses, and the number of images in its batch."""
        batch, replicas = self.training.batches(step), self.training.replicas
        for name, rate in self.rates(step).items():
            set_rate(self.optimisers[name], rate)
        self.seed(step)
        return self.run(batch, Clock(step, self.steps)), len(batch) * (replicas.count if replicas else 1)

    def seed(self, step: int) -> None:
        """Set the random states of torch, numpy and Python, which are a function of seed, stage and step, and of the replica from
        the second on.

        Raises:
            TrainingError: since the last step something has seeded torch.
        """
        replica = (self.training.replicas.rank,) if self.training.replicas and self.training.replicas.rank else ()
        seed = derive_seed("step", self.training.seed, self.stage.name, step, *replica)
        if self._seed is not None and torch.default_generator.initial_seed() != self._seed:
            raise TrainingError(
                f"Stage '{self.stage.name}' sets torch's random seed (torch.manual_seed or the like), so that all its steps would "
                "draw the same numbers. Leave it out: each step is seeded, in a way that a resumed training repeats.",
                self.stage.name,
                step,
            )
        self._seed = seed
        set_seed(seed)
        if self.training.device.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def rates(self, step: int) -> dict[str, float]:
        """The learning rate of each group in a step."""
        return {name: rate_of(group, fraction(step, self.steps)) for name, group in self.stage.trains.items()}

    def run(self, batch: Batch, clock: Clock) -> Row:
        """Run a step on a batch. The generators of all micro-batches advance to the same yield before the optimiser steps, so that
        each update uses the gradient of the whole batch."""
        count, training, optimisers = self.training.accumulate, self.training, self.optimisers
        micro = [self.stage.step(part, clock) for part in batch.split(count)]
        for generator in micro:
            if not inspect.isgenerator(generator):
                raise self._misuse(clock, "returns instead of yielding updates; write 'yield Update(...)'")
        names: list[str] = []
        values: list[Tensor] = []
        while True:
            updates = [u for generator in micro if (u := advance(generator, training.device)) is not None]
            if not updates:
                self._meet(clock, "the end")
                empty = torch.zeros(0, device=training.device.device)
                return Row(tuple(names), torch.stack(values) if values else empty)
            group = updates[0].group if isinstance(updates[0], Update) else ""
            if group not in optimisers:
                raise self._misuse(clock, f"yields {updates[0]!r}; its groups are {', '.join(optimisers)}")
            if len(updates) != len(micro) or any(update.group != group for update in updates):
                raise self._misuse(clock, "yields different groups of updates for different micro-batches")
            optimiser = optimisers[group]
            optimiser.zero_grad(set_to_none=True)
            for update in updates:
                loss = update.loss if count == 1 else update.loss / count
                loss.backward(inputs=self.parameters[group])
            self._meet(clock, f"{group}: {', '.join(updates[0].parts)}", self.parameters[group])
            if training.clip_norm:
                nn.utils.clip_grad_norm_(self.parameters[group], training.clip_norm)
            optimiser.step()
            names += [group, *(f"{group}/{part}" for part in updates[0].parts)]
            values.append(_mean([update.loss for update in updates]))
            values += [_mean([update.parts[part] for update in updates]) for part in updates[0].parts]

    def _meet(self, clock: Clock, said: str, parameters: Sequence[nn.Parameter] = ()) -> None:
        """Where several devices train, give gradients their mean over all of them."""
        if self.training.replicas is not None and not self.training.replicas.meet(said, parameters):
            raise self._misuse(clock, "yields different updates on different devices")

    def _misuse(self, clock: Clock, what: str) -> TrainingError:
        stage = self.stage
        code = inspect.unwrap(getattr(stage.step, "__func__", stage.step)).__code__
        return TrainingError(
            f"The step of stage '{stage.name}' ({code.co_filename}, line {code.co_firstlineno}) {what}.",
            stage.name,
            clock.step,
        )


def advance(generator: Iterator[Update], device: Device) -> Update | None:
    """Continue a step to its next update, in the precision of `device`; None if the step has ended."""
    with device.autocast():
        return next(generator, None)


def _mean(values: Sequence[Tensor]) -> Tensor:
    """(), float32, the mean of losses."""
    return values[0].detach().float() if len(values) == 1 else torch.stack([v.detach() for v in values]).mean().float()


def optimiser_of(group: Group, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    on_gpu = (
        parameters[0].device.type == "cuda"
    )  # there, learning rates are tensors, so that a graph of the step reads them
    rate: Any = torch.tensor(group.lr, device=parameters[0].device) if on_gpu else group.lr
    return torch.optim.AdamW(
        parameters, lr=rate, betas=group.betas, weight_decay=group.weight_decay, fused=True, capturable=on_gpu
    )


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of an optimiser with one group."""
    group = optimiser.param_groups[0]
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def rate_of(group: Group, progress: float) -> float:
    """The learning rate of a group where a fraction `progress` of the stage is done."""
    return group.lr * 0.5 * (1 + math.cos(math.pi * progress)) if group.schedule == "cosine" else group.lr
