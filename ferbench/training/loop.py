"""The training loop: trains one stage of a method, from its first step or from a checkpoint.

A method's step is a generator of updates. The loop does zero_grad, backward, clipping, accumulation, precision, schedules,
seeds, checkpoints and logging. It leaves the autocast context at every yield, because autocast caches the casted weights
until its outermost context ends: a forward pass after an update would otherwise use the old weights.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ferbench.errors import TrainingError
from ferbench.interfaces.method import Batch, Clock, Group, Method, Stage, Update, derive_seed
from ferbench.records.files import Losses
from ferbench.training import checkpoint as checkpoints
from ferbench.training.checkpoint import Checkpoint

LOG_EVERY = 25
"""Number of steps after which the losses are copied from the device to the CPU and logged."""


@dataclass(frozen=True)
class Device:
    """The device of the networks, and the precision of forward and backward passes: "fp32" or "bf16"."""

    device: torch.device
    precision: str

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """The autocast context of the precision; for fp32 it does nothing."""
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    @classmethod
    def choose(cls, device: str, precision: str) -> Device:
        """The device and precision of the settings `trainer.device` and `trainer.precision`, with "auto" resolved.

        Raises:
            TrainingError: the device does not exist or cannot be used.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            chosen = torch.device(device)
            torch.empty(1, device=chosen)
        except (RuntimeError, AssertionError) as error:
            raise TrainingError(f"trainer.device={device} cannot be used here: {str(error).splitlines()[0]}") from error
        if precision == "auto":
            precision = "bf16" if _has_bf16(chosen) else "fp32"
        return cls(chosen, precision)


def _has_bf16(device: torch.device) -> bool:
    """Whether the hardware computes in bf16 without emulation."""
    if device.type == "cuda":
        result: bool = torch.cuda.is_bf16_supported(including_emulation=False)
        return result
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii")
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags


@dataclass
class Training:
    """The settings of the loop, and what it needs besides the method.

    Attributes:
        batches: returns the batch of a step.
        device: device and precision.
        accumulate: number of micro-batches into which a batch is divided.
        clip_norm: largest L2 norm of an optimiser group's gradient; 0 turns clipping off.
        code: `code_key` of the code that runs. A checkpoint of other code is not continued.
        seed: the trial's seed. The random state of each step is a function of (seed, stage, step).
        checkpoint: file of the checkpoint; None for none.
        checkpoint_every: steps between two checkpoints.
        on_losses: called with (number of steps done, mean losses by name since the last call, images per second).
        measure_test: measures the method on the test set, in eval mode. Its results are logged among the losses and not used.
        test_curve_steps: numbers of steps after which `measure_test` is called.
    """

    batches: Callable[[int], Batch]
    device: Device
    accumulate: int = 1
    clip_norm: float = 0.0
    code: str = ""
    seed: int = 0
    checkpoint: Path | None = None
    checkpoint_every: int = 500
    on_losses: Callable[[int, Mapping[str, float], float], None] = lambda step, losses, rate: None
    measure_test: Callable[[], Mapping[str, float]] = dict
    test_curve_steps: frozenset[int] = frozenset()


def steps_of_test_curve(steps: int, points: int, epoch: int) -> frozenset[int]:
    """The numbers of steps after which the test accuracy is measured: equally spaced, the last one being `steps`.

    Args:
        steps: number of steps of the stage.
        points: how often to measure, at most once an epoch.
        epoch: number of steps in an epoch.
    """
    count = min(points, -(-steps // max(epoch, 1)))
    return frozenset(round(steps * (i + 1) / count) for i in range(count))


@dataclass(frozen=True)
class Trained:
    """The result of training a stage.

    Attributes:
        losses: losses of all steps.
        steps_run: number of steps that were run now, without those before a checkpoint.
    """

    losses: Losses
    steps_run: int


def modules_of(stage: Stage) -> list[nn.Module]:
    """All modules that a stage trains."""
    return [module for group in stage.trains.values() for module in group.modules]


def train(method: Method, stage: Stage, steps: int, training: Training) -> Trained:
    """Train one stage of a method in place, and return the losses.

    Raises:
        TrainingError: a loss is NaN or infinite, or the stage's groups or its step are not as `Stage` defines them.
    """
    parameters = freeze_all_but(method, stage)
    optimisers = {name: _optimiser(stage.trains[name], parameters[name]) for name in stage.trains}
    losses: Losses = []
    first = 0
    if training.checkpoint is not None and (saved := checkpoints.load(training.checkpoint, training.code)) is not None:
        _restore(method, optimisers, saved)
        first, losses = saved.step, saved.losses
    log = _Log(stage.name, losses, first, training)
    for step in range(first, steps):
        _seed(training, stage.name, step)
        _schedule(optimisers, stage.trains, step / steps)
        batch = training.batches(step)
        for name, loss in _step(stage, batch, Clock(step, steps), optimisers, parameters, training):
            log.add(step, name, loss)
        last = step + 1 == steps
        save = training.checkpoint is not None and (step + 1) % training.checkpoint_every == 0 and not last
        if last or save or (step + 1) % LOG_EVERY == 0:
            log.flush(step + 1, len(batch))
        if step + 1 in training.test_curve_steps:
            losses += _test_accuracy(method, stage, training, step)
        if save and training.checkpoint is not None:
            tensors = {f"model/{k}": v for k, v in checkpoints.trained_state(method, modules_of(stage)).items()}
            tensors |= {f"optimiser/{k}": v for k, v in checkpoints.optimiser_state(optimisers).items()}
            checkpoints.save(training.checkpoint, Checkpoint(step + 1, tensors, losses, training.code))
    method.eval().requires_grad_(False)
    return Trained(losses, steps - first)


def _test_accuracy(method: Method, stage: Stage, training: Training, step: int) -> Losses:
    method.eval()
    measured = [(step, name, value) for name, value in training.measure_test().items()]
    for module in modules_of(stage):
        module.train()
    return measured


def freeze_all_but(method: Method, stage: Stage) -> dict[str, list[nn.Parameter]]:
    """Put the modules that a stage trains into train mode, and all others into eval mode without gradients.

    Returns:
        The parameters of each optimiser group, by its name.

    Raises:
        TrainingError: a group has no parameters, or two groups have a parameter in common.
    """
    method.eval().requires_grad_(False)
    owner: dict[int, str] = {}
    parameters: dict[str, list[nn.Parameter]] = {}
    for name, group in stage.trains.items():
        unique: dict[int, nn.Parameter] = {}
        for module in group.modules:
            module.train().requires_grad_(True)
            unique |= {id(parameter): parameter for parameter in module.parameters()}
        if not unique:
            raise TrainingError(f"The group '{name}' of stage '{stage.name}' has no parameters.", stage.name)
        for key in unique:
            if owner.setdefault(key, name) != name:
                raise TrainingError(
                    f"The groups '{owner[key]}' and '{name}' of stage '{stage.name}' train the same weights.",
                    stage.name,
                )
        parameters[name] = list(unique.values())
    return parameters


def _step(
    stage: Stage,
    batch: Batch,
    clock: Clock,
    optimisers: Mapping[str, torch.optim.Optimizer],
    parameters: Mapping[str, Sequence[nn.Parameter]],
    training: Training,
) -> Iterator[tuple[str, Tensor]]:
    """Run one step and yield (name, value) of each loss.

    The generators of all micro-batches advance to the same yield before the optimiser steps, so that each update uses the
    gradient of the whole batch."""
    count = training.accumulate
    micro = [stage.step(part, clock) for part in batch.split(count)]
    for generator in micro:
        if not inspect.isgenerator(generator):
            raise _misuse(stage, clock, "returns instead of yielding updates; write 'yield Update(...)'")
    while True:
        updates = [update for generator in micro if (update := advance(generator, training.device)) is not None]
        if not updates:
            return
        group = updates[0].group if isinstance(updates[0], Update) else ""
        if group not in optimisers:
            raise _misuse(stage, clock, f"yields {updates[0]!r}; its groups are {', '.join(optimisers)}")
        if len(updates) != len(micro) or any(update.group != group for update in updates):
            raise _misuse(stage, clock, "yields different groups of updates for different micro-batches")
        optimiser = optimisers[group]
        optimiser.zero_grad(set_to_none=True)
        for update in updates:
            loss = update.loss if count == 1 else update.loss / count
            loss.backward(inputs=parameters[group])
        if training.clip_norm:
            nn.utils.clip_grad_norm_(parameters[group], training.clip_norm)
        optimiser.step()
        yield group, _mean([update.loss for update in updates])
        for part in updates[0].parts:
            yield f"{group}/{part}", _mean([update.parts[part] for update in updates])


def advance(generator: Iterator[Update], device: Device) -> Update | None:
    """Continue a step to its next update, in the precision of `device`; None if the step has ended."""
    with device.autocast():
        return next(generator, None)


def _mean(values: Sequence[Tensor]) -> Tensor:
    return values[0].detach() if len(values) == 1 else torch.stack([value.detach() for value in values]).mean()


def _misuse(stage: Stage, clock: Clock, what: str) -> TrainingError:
    code = inspect.unwrap(getattr(stage.step, "__func__", stage.step)).__code__
    return TrainingError(
        f"The step of stage '{stage.name}' ({code.co_filename}, line {code.co_firstlineno}) {what}.",
        stage.name,
        clock.step,
    )


def _optimiser(group: Group, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=group.lr, betas=group.betas, weight_decay=group.weight_decay, fused=True)


def _schedule(optimisers: Mapping[str, torch.optim.Optimizer], groups: Mapping[str, Group], progress: float) -> None:
    for name, optimiser in optimisers.items():
        if groups[name].schedule == "cosine":
            optimiser.param_groups[0]["lr"] = groups[name].lr * 0.5 * (1 + math.cos(math.pi * progress))


def _seed(training: Training, stage: str, step: int) -> None:
    seed = derive_seed("step", training.seed, stage, step)
    torch.default_generator.manual_seed(seed)
    if training.device.device.type == "cuda":
        torch.cuda.manual_seed(seed)


def _restore(method: Method, optimisers: Mapping[str, torch.optim.Optimizer], saved: Checkpoint) -> None:
    def part(prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in saved.tensors.items() if k.startswith(prefix)}

    checkpoints.load_state(method, part("model/"))
    checkpoints.load_optimiser_state(optimisers, part("optimiser/"))


class _Log:
    """The log of losses. They are kept on the device and copied to the CPU together, in `flush`."""

    def __init__(self, stage: str, losses: Losses, step: int, training: Training) -> None:
        self.stage = stage
        self.losses = losses
        self.training = training
        self.waiting: list[tuple[int, str, Tensor]] = []
        self.since = (time.perf_counter(), step)

    def add(self, step: int, name: str, loss: Tensor) -> None:
        self.waiting.append((step, name, loss))

    def flush(self, step: int, batch_size: int) -> None:
        """Log and report the losses since the last call. Raises TrainingError if one is not finite."""
        values = torch.stack([loss.float() for _, _, loss in self.waiting]).tolist() if self.waiting else []
        means: dict[str, list[float]] = {}
        for (at, name, _), value in zip(self.waiting, values, strict=True):
            if not math.isfinite(value):
                raise TrainingError(
                    f"The loss '{name}' is {value} in step {at} of stage '{self.stage}'. A lower learning rate, "
                    "trainer.clip_norm=1 or trainer.precision=fp32 often helps.",
                    self.stage,
                    at,
                )
            self.losses.append((at, name, value))
            means.setdefault(name, []).append(value)
        self.waiting.clear()
        now = time.perf_counter()
        rate = (step - self.since[1]) * batch_size / max(now - self.since[0], 1e-9)
        self.since = (now, step)
        self.training.on_losses(step, {name: sum(v) / len(v) for name, v in means.items()}, rate)
