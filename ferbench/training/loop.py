"""The training loop: trains one stage of a method, from its first step or from a checkpoint.

A method's step is a generator of updates (steps.py runs it). The loop does checkpoints, logging and the test curve.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ferbench.errors import FerbenchError, TrainingError
from ferbench.interfaces.method import Batch, Method, Stage
from ferbench.records.files import TEST_ACCURACY, VALIDATION_ACCURACY, Losses
from ferbench.records.schema import StageNode
from ferbench.training import checkpoint as checkpoints
from ferbench.training.averages import Averages
from ferbench.training.checkpoint import Checkpoint
from ferbench.training.choice import Choice, best_of, curve_of
from ferbench.training.epochs import Epochs
from ferbench.training.graph import Graphs, Recorder
from ferbench.training.interrupts import deferred
from ferbench.training.optimisers import optimiser_of, shares
from ferbench.training.precision import TYPES, fastest
from ferbench.training.replicas import Replicas, need_devices
from ferbench.training.state import State, in_eval_mode, modules_of
from ferbench.training.steps import Row, Steps

LOG_EVERY = 25
"""Number of steps after which the losses are copied from the device to the CPU and logged."""


@dataclass(frozen=True)
class Device:
    """The device of the networks, and the precision of forward and backward passes: "fp32", "bf16" or "fp16"."""

    device: torch.device
    precision: str

    @property
    def scales(self) -> bool:
        """Whether losses are scaled, so that small gradients do not become 0: in fp16, whose smallest numbers are not small."""
        return self.precision == "fp16"

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """The autocast context of the precision; for fp32 it does nothing."""
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, TYPES[self.precision])

    @classmethod
    def choose(cls, device: str, precision: str, devices: int = 1) -> Device:
        """The device and precision of the settings `trainer.device` and `trainer.precision`, with "auto" resolved.

        Args:
            devices: how many are to train together, the setting `trainer.devices`.

        Raises:
            TrainingError: the device does not exist or cannot be used, there are not so many, or it has no such precision.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            chosen = torch.device(device)
            torch.empty(1, device=chosen)
        except (RuntimeError, AssertionError) as error:
            raise TrainingError(f"trainer.device={device} cannot be used here: {str(error).splitlines()[0]}") from error
        if devices > 1:
            need_devices(chosen.type, devices)
        if precision == "auto":
            precision = fastest(chosen)
        if precision == "fp16" and chosen.type != "cuda":
            raise TrainingError(
                f"trainer.precision=fp16 is for NVIDIA's GPUs, and trainer.device is {chosen.type} here. Type "
                "trainer.precision=auto, or fp32."
            )
        return cls(chosen, precision)


@runtime_checkable
class Composed(Protocol):
    """Batches whose composition a stage may choose, see `ferbench.data.batches.Batches`."""

    def of(self, stage: Stage, accumulate: int = 1) -> Callable[[int], Batch]: ...


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
        graph: captures steps; None to run each as Python does.
        together: trains and stores a stage on several devices, each in a process of its own; None where this process trains it.
        replicas: the processes that train with this one, each on its part of a batch; the first measures, and writes checkpoints.
        choice: how the epoch is chosen whose weights are kept; None for the last step's.
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
    graph: Recorder | None = None
    together: Callable[[StageNode], None] | None = None
    replicas: Replicas | None = None
    choice: Choice | None = None


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
        obstacle: a sentence on why the steps were not captured as graphs; empty if they were, or if nobody asked.
        state: what the stage trained, and whatever else of the method's state dict it changed, by name.
    """

    losses: Losses
    steps_run: int
    obstacle: str = ""
    state: Mapping[str, Tensor] = field(default_factory=dict)


def train(method: Method, stage: Stage, steps: int, training: Training) -> Trained:
    """Train one stage of a method in place, and return the losses.

    An interrupt lets the step that runs end, and leaves a checkpoint.

    Raises:
        KeyboardInterrupt: it was interrupted.
        TrainingError: a loss is NaN or infinite, the stage's groups, step or averages are not as `Stage` defines them, it never
            yields an update, or it changes what cannot be stored with it.
    """
    parameters = freeze_all_but(method, stage)
    averages = Averages(method, stage)
    state = State(method, stage)
    optimisers = {name: optimiser_of(stage.trains[name], parameters[name]) for name in stage.trains}
    scalers = (
        {name: torch.amp.GradScaler(training.device.device.type) for name in stage.trains}
        if training.device.scales
        else {}
    )
    losses: Losses = []
    chosen: dict[str, Tensor] = {}
    first, choice = 0, training.choice
    if training.checkpoint is not None and (saved := checkpoints.load(training.checkpoint, training.code)) is not None:
        chosen = _restore(method, optimisers, scalers, saved)
        first, losses = saved.step, saved.losses
    replicas = training.replicas
    if replicas is not None:
        replicas.begin(method, modules_of(stage))
    leads = replicas is None or replicas.rank == 0
    if isinstance(training.batches, Composed):
        training = dataclasses.replace(training, batches=training.batches.of(stage, training.accumulate))
    done = first
    log = _Log(stage.name, losses, first, training)
    plain = Steps(method, stage, averages, steps, optimisers, parameters, training, scalers)
    epochs = Epochs(method, stage, training)
    updated = any(name not in (TEST_ACCURACY, VALIDATION_ACCURACY) for _, name, _ in losses)
    run = plain if training.graph is None or plain.obstacle else Graphs(plain, method, training.graph)
    with run.context(), deferred() as interrupt:
        if replicas is not None:
            replicas.asked = lambda: interrupt.asked
        for step in range(first, steps):
            if choice is not None and choice.ended(losses):  # it was interrupted at its end
                break
            if (epoch := epochs.begins(step)) is not None:
                run.between(functools.partial(epochs.begin, epoch))
            row, size = run(step)
            log.add(step, row)
            updated = updated or bool(row.names)
            done, last = step + 1, step + 1 == steps
            stop = interrupt.asked if replicas is None else replicas.stops  # all of them after the same step
            due = (step + 1) % training.checkpoint_every == 0 and not last
            measure = step + 1 in training.test_curve_steps
            if step == first + 1:
                state.check()  # soon, and again where something is stored
            choose = choice is not None and choice.due(step + 1, steps)
            flush = last or due or stop or choose or (step + 1) % LOG_EVERY == 0
            if not (flush or measure):
                continue
            if flush:
                try:
                    log.flush(step + 1, size)
                except KeyboardInterrupt:  # raised by who is told the losses
                    interrupt.asked = True
                    stop = stop or replicas is None
            if measure and leads:
                with in_eval_mode(method, stage):
                    losses += [(step, name, value) for name, value in training.measure_test().items()]
            if choice is not None and choose:
                with in_eval_mode(method, stage):
                    value = choice.measure() if leads else 0.0
                losses.append((step, VALIDATION_ACCURACY, replicas.told(value) if replicas is not None else value))
                curve = curve_of(losses)
                if leads and best_of(curve) == len(curve) - 1:
                    chosen = _kept(method, state)
                last = last or choice.ended(losses)
            if training.checkpoint is not None and leads and (due or stop):
                tensors = {f"model/{k}": v for k, v in state.tensors().items()}
                tensors |= {f"optimiser/{k}": v for k, v in checkpoints.optimiser_state(optimisers).items()}
                tensors |= {f"scaler/{k}": v for k, v in checkpoints.scaler_state(scalers).items()}
                tensors |= {f"chosen/{k}": v for k, v in chosen.items()}
                checkpoints.save(training.checkpoint, Checkpoint(step + 1, tensors, losses, training.code))
            if stop:
                raise KeyboardInterrupt
            if last:
                break
    if steps and not updated:
        raise TrainingError(
            f"The step of stage '{stage.name}' yielded no update in {steps} steps, so that nothing was trained. It yields "
            "Update(group, loss) for each optimiser step; a condition around the yield may never have held.",
            stage.name,
        )
    checkpoints.load_state(method, chosen)
    method.eval().requires_grad_(False)
    return Trained(losses, done - first, run.obstacle if training.graph is not None else "", state.tensors())


def _kept(method: Method, state: State) -> dict[str, Tensor]:
    """Copies of what the stage stores, and of all buffers, which may change later only."""
    names = {*state.tensors(), *(name for name, _ in method.named_buffers())}
    return {name: value.detach().clone() for name, value in method.state_dict().items() if name in names}


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
        for module in group.all_modules:
            module.train().requires_grad_(True)
        try:
            own = [parameter for _, some in shares(group) for parameter in some]
        except FerbenchError as error:
            raise TrainingError(
                f"Group '{name}' of stage '{stage.name}' cannot be trained: {error}.", stage.name
            ) from error
        if not own:
            raise TrainingError(f"The group '{name}' of stage '{stage.name}' has no parameters.", stage.name)
        for parameter in own:
            if owner.setdefault(id(parameter), name) != name:
                raise TrainingError(
                    f"The groups '{owner[id(parameter)]}' and '{name}' of stage '{stage.name}' train the same weights.",
                    stage.name,
                )
        parameters[name] = own
    return parameters


def _restore(
    method: Method,
    optimisers: Mapping[str, torch.optim.Optimizer],
    scalers: Mapping[str, torch.amp.GradScaler],
    saved: Checkpoint,
) -> dict[str, Tensor]:
    """Continue from a checkpoint. Returns the weights of the best epoch so far."""

    def part(prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in saved.tensors.items() if k.startswith(prefix)}

    checkpoints.load_state(method, part("model/"))
    checkpoints.load_optimiser_state(optimisers, part("optimiser/"))
    checkpoints.load_scaler_state(scalers, part("scaler/"))
    return part("chosen/")


class _Log:
    """The log of losses. They are kept on the device and copied to the CPU together, in `flush`."""

    def __init__(self, stage: str, losses: Losses, step: int, training: Training) -> None:
        self.stage = stage
        self.losses = losses
        self.training = training
        self.waiting: list[tuple[int, Row]] = []
        self.since = (time.perf_counter(), step)

    def add(self, step: int, row: Row) -> None:
        self.waiting.append((step, row))

    def flush(self, step: int, batch_size: int) -> None:
        """Log and report the losses since the last call. Raises TrainingError if one is not finite."""
        found = [row.values for _, row in self.waiting]
        if (replicas := self.training.replicas) is not None and any(row.names for _, row in self.waiting):
            found = [replicas.mean(torch.cat(found))]
            replicas.check(self.stage, step - 1)
        values = torch.cat(found).tolist() if found else []
        means: dict[str, list[float]] = {}
        names = [(at, name) for at, row in self.waiting for name in row.names]
        for (at, name), value in zip(names, values, strict=True):
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
