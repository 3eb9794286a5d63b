"""The steps of a stage: zero_grad, backward, clipping, accumulation, precision, schedules and seeds.

The loop leaves the autocast context at every yield, because autocast caches the casted weights until its outermost context ends: a
forward pass after an update would otherwise use the old weights.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.autograd.graph import increment_version

from ferbench.errors import FerbenchError, TrainingError
from ferbench.interfaces.method import Batch, Clock, Method, Stage, Update, derive_seed, fraction
from ferbench.interfaces.replicas import whole_batch
from ferbench.randomness import marks, set_seed
from ferbench.records.files import SKIPPED
from ferbench.training.averages import Averages
from ferbench.training.optimisers import factor_of, gradient_norm, rates_of, set_rates, uphill
from ferbench.training.state import Once

if TYPE_CHECKING:
    from ferbench.training.loop import Device, Training

GUARDED, GUARDED_EVERY = 3, 25
"""With micro-batches, state that a step changes more than once is looked for in the first steps, and in each of so many."""


UNTIED = (
    "that depends on none of the group's weights: it comes from detached or frozen values (argmax, no_grad, modules in no group), "
    "or the group is not the one that the loss is for"
)

BACKWARD = {
    "through the graph a second time": "that shares computations with an update before it, whose gradient is computed already. "
    "Compute it after that yield, from the images on, or detach() what both share; to train several modules by one loss, put them "
    "into one Group, whose parts can have learning rates of their own",
    "modified by an inplace operation": "that was computed with weights, or values, that have changed since. Compute it after the "
    "yield of the update before it, and change nothing in place that it needs",
    "does not require grad": UNTIED,
}
"""What torch's errors in a backward pass mean for a step."""


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
        obstacle: a sentence on why steps cannot be recorded as a graph; empty if they may be.
    """

    def __init__(
        self,
        method: Method,
        stage: Stage,
        averages: Averages,
        steps: int,
        optimisers: Mapping[str, torch.optim.Optimizer],
        parameters: Mapping[str, Sequence[nn.Parameter]],
        training: Training,
        scalers: Mapping[str, torch.amp.GradScaler] | None = None,
    ) -> None:
        self.method = method
        self.stage = stage
        self.steps = steps
        self.optimisers = optimisers
        self.parameters = parameters
        self.training = training
        self.averages = averages
        self._run = 0
        self._seeded: int | None = None
        self._left: tuple[int, Mapping[str, int]] = (-1, {})
        self._looks = 0
        self.scalers = scalers or {}
        why = ["their losses are scaled (fp16)"] if self.scalers else []
        why += [
            f"group '{n}' has sam, for which random numbers are drawn again" for n, g in stage.trains.items() if g.sam
        ]
        self.obstacle = f"The steps of stage '{stage.name}' are not recorded as a graph: {why[0]}." if why else ""

    def context(self) -> contextlib.AbstractContextManager[object]:
        """The context in which the steps are run."""
        return contextlib.nullcontext()

    def __call__(self, step: int) -> tuple[Row, int]:
        """Run a step. Returns its losses, and the number of images in its batch."""
        batch, replicas = self.training.batches(step), self.training.replicas
        for name, rates in self.rates(step).items():
            set_rates(self.optimisers[name], rates)
        self.seed(step)
        guarded = self._run < GUARDED or self._run % GUARDED_EVERY == 0
        self._run += 1
        return self.run(batch, Clock(step, self.steps), guarded), len(batch) * (replicas.count if replicas else 1)

    def between(self, do: Callable[[], None]) -> None:
        """Do something between two steps, which may set random states."""
        do()
        self._seeded = None

    def seed(self, step: int) -> None:
        """Set the random states of torch, numpy and Python, which are a function of seed, stage and step, and of the replica from
        the second on.

        Raises:
            TrainingError: since the last step something has seeded one of them.
        """
        replica = (self.training.replicas.rank,) if self.training.replicas and self.training.replicas.rank else ()
        if name := self._reseeded():
            call = {"torch": "torch.manual_seed", "numpy": "numpy.random.seed", "Python": "random.seed"}[name]
            raise TrainingError(
                f"Stage '{self.stage.name}' sets {name}'s random seed ({call} or the like), so that all its steps would draw the "
                "same numbers. Leave it out: each step is seeded, in a way that a resumed training repeats.",
                self.stage.name,
                step,
            )
        self._seed("step", step, *replica)

    def _reseeded(self) -> str:
        """Which of torch, numpy and Python something has seeded since `seed`; empty if none. Two steps that were seeded apart and
        leave the same state behind have seeded it alike."""
        if self._seeded is None:
            return ""
        if torch.default_generator.initial_seed() != self._seeded:
            return "torch"
        if self._looks == GUARDED:  # reading the states takes longer than some steps
            return ""
        self._looks += 1
        (seed, before), self._left = self._left, (self._seeded, marks())
        left = self._left[1]
        return next((name for name in left if seed != self._seeded and before.get(name) == left[name]), "")

    def _seed(self, part: str, *more: object) -> None:
        self._seeded = seed = derive_seed(part, self.training.seed, self.stage.name, *more)
        set_seed(seed, cuda=self.training.device.device.type == "cuda")

    def rates(self, step: int) -> dict[str, list[float]]:
        """The learning rates of each group in a step: of what is in no part, and of its parts."""
        found = {}
        for name, group in self.stage.trains.items():
            try:
                found[name] = rates_of(self.optimisers[name], factor_of(group, fraction(step, self.steps)))
            except FerbenchError as error:
                raise TrainingError(
                    f"Group '{name}' of stage '{self.stage.name}' cannot be trained: {error}.", self.stage.name, step
                ) from error
        return found

    def run(self, batch: Batch, clock: Clock, guarded: bool = False) -> Row:
        """Run a step on a batch. The generators of all micro-batches advance to the same yield before the optimiser steps, so that
        each update uses the gradient of the whole batch.

        Args:
            guarded: whether to look for state that each micro-batch changes anew. It waits for the device.
        """
        count, training, optimisers = self.training.accumulate, self.training, self.optimisers
        parts = batch.split(count)
        micro = [self.stage.step(part, clock) for part in parts]
        once = Once(self.method, self.stage) if guarded and count > 1 else None
        outputs: dict[str, Tensor] = {}
        for generator in micro:
            if not inspect.isgenerator(generator):
                raise self._misuse(clock, "returns instead of yielding updates; write 'yield Update(...)'")
        names: list[str] = []
        values: list[Tensor] = []
        while True:
            if once is not None:
                once.begin(updated=bool(names))
            updates = []
            for generator in micro:
                if (update := advance(generator, training.device)) is not None:
                    updates.append(update)
                if once is not None:
                    once.look()
            if not updates:
                self._meet(clock, "the end")
                self._end(batch, outputs, clock)
                empty = torch.zeros(0, device=training.device.device)
                return Row(tuple(names), torch.stack(values) if values else empty)
            if wrong := [type(update).__name__ for update in updates if not isinstance(update, Update)]:
                raise self._misuse(clock, f"yields a {wrong[0]}; write 'yield Update(group, loss)'")
            group = updates[0].group
            if group not in optimisers:
                groups = f"its groups are {', '.join(optimisers)}" if optimisers else "its `trains` is empty"
                raise self._misuse(clock, f"updates the group '{group}', which the stage does not have: {groups}")
            if len(updates) != len(micro) or any(update.group != group for update in updates):
                raise self._misuse(clock, "yields different groups of updates for different micro-batches")
            if self.stage.after is not None:
                outputs |= self._reported(clock, updates, parts, outputs)
            self._gradient(clock, updates)
            if self.stage.trains[group].sam:
                if names:
                    raise self._misuse(clock, f"updates group '{group}', which has sam, after another; update it first")
                self._gradient_uphill(clock, batch, updates)
            skipped = self._change(group)
            names += [group, *(f"{group}/{part}" for part in updates[0].parts)]
            values.append(_mean([update.loss for update in updates]))
            values += [_mean([update.parts[part] for update in updates]) for part in updates[0].parts]
            if skipped is not None:
                names.append(group + SKIPPED)
                values.append(skipped)

    def _gradient(self, clock: Clock, updates: Sequence[Update], then: Callable[[], None] = lambda: None) -> None:
        """Give the parameters of a group the mean gradient of the updates, which are those of all micro-batches. `then` is called
        before several devices bring their gradients together."""
        group, parameters = updates[0].group, self.parameters[updates[0].group]
        self.optimisers[group].zero_grad(set_to_none=True)
        for update in updates:
            loss = update.loss
            if not isinstance(loss, Tensor) or loss.ndim:
                shape = (
                    f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
                )
                raise self._misuse(clock, f"gives group '{group}' a loss that is {shape}; a loss is a scalar tensor")
            loss = loss if len(updates) == 1 else loss / len(updates)
            try:
                (self.scalers[group].scale(loss) if self.scalers else loss).backward(inputs=parameters)
            except RuntimeError as error:
                for said, meant in BACKWARD.items():
                    if said in str(error):
                        raise self._misuse(clock, f"gives group '{group}' a loss {meant}") from error
                raise
        then()
        self._meet(clock, f"{group}: {', '.join(updates[0].parts)}", parameters)
        if all(parameter.grad is None for parameter in parameters):
            raise self._misuse(clock, f"gives group '{group}' a loss {UNTIED}")

    def _gradient_uphill(self, clock: Clock, batch: Batch, updates: Sequence[Update]) -> None:
        """Replace the gradient of a group by that at the weights a little uphill (`Group.sam`)."""
        group = updates[0].group
        modules = [module for own in self.stage.trains.values() for module in own.all_modules]
        trained = {id(buffer): buffer for module in modules for buffer in module.buffers()}
        buffers = [(buffer, buffer.clone()) for buffer in trained.values()]

        def set_back() -> None:
            for buffer, before in buffers:
                buffer.copy_(before)

        self.seed(clock.step)
        with uphill(self.parameters[group], self.stage.trains[group].sam):
            micro = [self.stage.step(part, clock) for part in batch.split(len(updates))]
            again = [u for generator in micro if (u := advance(generator, self.training.device)) is not None]
            if [u.group for u in again] != [u.group for u in updates]:
                raise self._misuse(clock, f"yields other updates where group '{group}', which has sam, runs it again")
            self._gradient(clock, again, set_back)

    def _change(self, group: str) -> Tensor | None:
        """Clip the gradient of a group, and let its optimiser step.

        Returns:
            Where losses are scaled, (), float32: 1 if the step was left out, because the gradient was infinite, else 0.
        """
        parameters, optimiser, scaler = self.parameters[group], self.optimisers[group], self.scalers.get(group)
        own = self.stage.trains[group].clip_norm
        limit = self.training.clip_norm if own is None else own
        skipped = None
        if scaler is not None:
            scaler.unscale_(optimiser)
            skipped = (~gradient_norm(parameters).isfinite()).float()
        if limit:
            nn.utils.clip_grad_norm_(parameters, limit)
        if scaler is not None:
            scaler.step(optimiser)
            scaler.update()
        else:
            optimiser.step()
        increment_version(parameters)  # fused kernels do not, and a loss from before would get a wrong gradient
        return skipped

    def _reported(
        self, clock: Clock, updates: Sequence[Update], parts: Sequence[Batch], known: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """The outputs of an update, joined over micro-batches."""
        if any(update.outputs.keys() != updates[0].outputs.keys() for update in updates):
            raise self._misuse(clock, "reports different outputs for different micro-batches")
        for name in updates[0].outputs:
            if name in known:
                raise self._misuse(clock, f"reports the output '{name}' with two updates; give it two names")
            for update, part in zip(updates, parts, strict=True):
                found = update.outputs[name]
                if not isinstance(found, Tensor) or found.dim() == 0 or len(found) != len(part):
                    what = (
                        f"of shape {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
                    )
                    raise self._misuse(
                        clock, f"reports the output '{name}', {what}; it needs a row for each of {len(part)} images"
                    )
        joined = {name: [update.outputs[name].detach() for update in updates] for name in updates[0].outputs}
        return {name: torch.cat(values) if len(values) > 1 else values[0] for name, values in joined.items()}

    def _end(self, batch: Batch, outputs: Mapping[str, Tensor], clock: Clock) -> None:
        """What happens once a step: averages, and the stage's `after`."""
        self.averages.update(clock)
        after, replicas = self.stage.after, self.training.replicas
        if after is None:
            return
        with torch.no_grad(), self.training.device.autocast():
            if replicas is None:
                after(batch, outputs, clock)
                return
            batch, outputs = _whole(batch), {name: whole_batch(value) for name, value in outputs.items()}
            self._seed("after", clock.step)
            with replicas.apart():
                after(batch, outputs, clock)

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


def _whole(batch: Batch) -> Batch:
    """The batch of all devices."""
    return Batch.of({name: whole_batch(tensor) for name, tensor in batch.tensors().items()})


def _mean(values: Sequence[Tensor]) -> Tensor:
    """(), float32, the mean of losses."""
    return values[0].detach().float() if len(values) == 1 else torch.stack([v.detach() for v in values]).mean().float()
