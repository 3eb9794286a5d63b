"""Steps of a stage as CUDA graphs: a step is recorded once and then replayed, which spares the host almost all of its work.

A step that a method has written down in Python runs as it is, until it is known that a recording of it computes the same:

1. The first two steps are run as Python does. In the second, everything that a recording would freeze is looked for: reads of
   values from the GPU, of `Clock.step`, random numbers drawn on the CPU, attributes of the method that change.
2. The third step is recorded, and run as Python does.
3. The fourth is replayed, then set back and run as Python does, twice. Where the replay agrees with these as well as they with
   each other, the following steps are replayed.

What differs from step to step (rows of images, labels, augmentation, progress, learning rates) lies in static tensors that are
filled before a replay. A step that asks `Clock.every` has a graph for each combination of answers. Where something stands in
the way, all steps are run as Python does, and `obstacle` says why.
"""

from __future__ import annotations

import contextlib
import random
import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from ferbench.config.schema import Trainer
from ferbench.interfaces.method import Batch, Clock, fraction
from ferbench.training.steps import Row, Steps

WARM = 2
"""Steps of each combination that are run before one is recorded."""

TOLERANCE = 0.02
"""How far losses, first moments and buffers after a replayed step may be from those after the same step run by Python, as a
fraction of their change, if two runs by Python agree better than that. Kernels that add in any order (atomics) do not give equal
bits even in Python, and a recording may take other kernels."""

WEIGHTS = 0.5
"""The same for weights and second moments. AdamW divides by the size of a gradient: where it is nearly zero, its sign is noise."""

NOISE = 4
"""How many times as far as two runs by Python are from each other."""

RING = 32
"""Buffers on the host: so many steps can be started before the first of them has been copied to the device."""

FIRST_MOMENTS = ("exp_avg", "momentum_buffer")
"""Names in the state of torch's optimisers."""

Key = tuple[tuple[int, bool], ...]
"""The intervals that a step asks for, and whether it is one of each."""


class Recorder(ABC):
    """What records and replays. The one for CUDA is `CudaRecorder`."""

    def context(self) -> contextlib.AbstractContextManager[object]:
        """The context of all steps."""
        return contextlib.nullcontext()

    @abstractmethod
    def record(self, body: Callable[[], Row]) -> tuple[Row, Callable[[], None]]:
        """Record `body` without running it. Returns its row, which a replay fills, and the replay.

        Raises:
            RuntimeError: it cannot be recorded.
        """

    @contextlib.contextmanager
    def watched(self) -> Iterator[list[str]]:
        """A context that collects places in which a value is read from the device."""
        yield []

    def random_on_host(self) -> list[Any]:
        """The states of the random generators whose numbers a recording would freeze, in a form that can be compared."""
        return _python_random()


class CudaRecorder(Recorder):
    """Records CUDA graphs on a stream of its own."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream = torch.cuda.Stream(device)

    @contextlib.contextmanager
    def context(self) -> Iterator[None]:
        outer = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(outer)
        with torch.cuda.stream(self.stream):
            yield
        outer.wait_stream(self.stream)

    def record(self, body: Callable[[], Row]) -> tuple[Row, Callable[[], None]]:
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"):
                row = body()
        except BaseException:
            # a recording that breaks off leaves the random generator as if it still recorded
            index = torch.cuda.current_device() if self.device.index is None else self.device.index
            generator = torch.cuda.default_generators[index]
            generator.graphsafe_set_state(generator.clone_state())
            raise
        return row, graph.replay

    @contextlib.contextmanager
    def watched(self) -> Iterator[list[str]]:
        places: list[str] = []
        thread, before = threading.get_ident(), torch.cuda.get_sync_debug_mode()

        def note(message: Warning | str, category: object, filename: str, line: int, *more: object) -> None:
            if "called a synchronizing" in str(message) and threading.get_ident() == thread:
                places.append(f"{filename}, line {line}")

        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = note  # type: ignore[assignment]
            torch.cuda.set_sync_debug_mode("warn")
            try:
                yield places
            finally:
                torch.cuda.set_sync_debug_mode(before)

    def random_on_host(self) -> list[Any]:
        return [*_python_random(), torch.default_generator.get_state().tolist()]


def recorder(device: torch.device) -> Recorder | None:
    """The recorder for a device; None where steps cannot be recorded."""
    return CudaRecorder(device) if device.type == "cuda" else None


def recorder_for(trainer: Trainer, device: torch.device) -> Recorder | None:
    """The recorder for a training with these settings; None where its steps are run by Python."""
    plain = trainer.graph != "auto" or trainer.compile or trainer.devices > 1
    return None if plain else recorder(device)


class Rehearsal(Recorder):
    """For tests on a machine without a GPU: a replay runs the step on the static tensors, as Python does."""

    def record(self, body: Callable[[], Row]) -> tuple[Row, Callable[[], None]]:
        kept: list[Row] = []
        row = _Later(kept)

        def replay() -> None:
            kept[:] = [body()]

        return row, replay  # type: ignore[return-value]


class _Later:
    """A row that a replay fills."""

    def __init__(self, kept: list[Row]) -> None:
        self._kept = kept

    @property
    def names(self) -> tuple[str, ...]:
        return self._kept[0].names

    @property
    def values(self) -> Tensor:
        return self._kept[0].values


@runtime_checkable
class Plans(Protocol):
    """Batches that are made on the device from a plan, see `ferbench.data.batches.Batches`."""

    @property
    def resident(self) -> bool: ...

    def plan(self, step: int) -> dict[str, Tensor]: ...

    def assemble(self, plan: Mapping[str, Tensor]) -> Batch: ...


class Inputs:
    """Static tensors on the device that are filled together, with one copy.

    Args:
        like: tensors on the CPU whose shapes and types they have.
    """

    def __init__(self, like: Mapping[str, Tensor], device: torch.device) -> None:
        places, size = {}, 0
        for name, tensor in like.items():
            places[name] = (size, tensor)
            size += -(-tensor.numel() * tensor.element_size() // 16) * 16  # each begins at a multiple of 16 bytes
        pinned = device.type == "cuda"
        self._whole = torch.zeros(size, dtype=torch.uint8, device=device)
        self._hosts = [torch.zeros(size, dtype=torch.uint8, pin_memory=pinned) for _ in range(RING)]
        self._copied = [torch.cuda.Event() for _ in range(RING)] if pinned else []
        self._turn = 0

        def views(buffer: Tensor) -> dict[str, Tensor]:
            return {
                name: buffer[at : at + like.numel() * like.element_size()].view(like.dtype).view(like.shape)
                for name, (at, like) in places.items()
            }

        self.tensors = views(self._whole)
        self._views = [views(host) for host in self._hosts]

    def fill(self, values: Mapping[str, Tensor]) -> None:
        """Copy values into the tensors. It does not wait for the device."""
        self._turn = (self._turn + 1) % RING
        if self._copied:
            self._copied[self._turn].synchronize()
        for name, view in self._views[self._turn].items():
            view.copy_(values[name])
        self._whole.copy_(self._hosts[self._turn], non_blocking=True)
        if self._copied:
            self._copied[self._turn].record()


@dataclass
class Recorded:
    """What is known of the steps of one combination.

    Attributes:
        run: how many were run by Python. row, replay: of the recording, once there is one. trusted: it was compared.
    """

    run: int = 0
    row: Row | None = None
    replay: Callable[[], None] | None = None
    trusted: bool = False


@dataclass
class Graphs:
    """The steps of a stage, replayed as graphs where that computes the same. Called like `Steps`.

    Attributes:
        steps: the steps as Python runs them.
        method: the method that they train.
        recorder: records and replays.
        obstacle: why nothing is replayed; empty if nothing stands in the way.
        replayed: how many steps were replayed.
    """

    steps: Steps
    method: nn.Module
    recorder: Recorder
    obstacle: str = ""
    replayed: int = 0
    _known: dict[Key, Recorded] = field(default_factory=dict)
    _intervals: set[int] = field(default_factory=set)
    _inputs: Inputs | None = None
    _large: dict[str, Tensor] = field(default_factory=dict)

    def context(self) -> contextlib.AbstractContextManager[object]:
        """The context in which the steps are run."""
        return self.recorder.context()

    def __call__(self, step: int) -> tuple[Row, int]:
        """Run a step. Returns its losses, and the number of images in its batch."""
        if self.obstacle:
            return self.steps(step)
        key = tuple((n, step % n == 0) for n in sorted(self._intervals))
        known = self._known.setdefault(key, Recorded())
        size = self._fill(step)
        return self._step(step, known), size

    def between(self, do: Callable[[], None]) -> None:
        """Do something between two steps. Recordings see what it changes in place; where it changes anything else, they end."""
        before = _plain_state(self.method)
        self.steps.between(do)
        now = _plain_state(self.method)
        if not self.obstacle and (changed := sorted(name for name, value in now.items() if before.get(name) != value)):
            self._stop(f"its before_epoch changes {changed[0]}, and not in place")

    def _step(self, step: int, known: Recorded) -> Row:
        self.steps.seed(step)
        if known.trusted:
            assert known.replay is not None
            assert known.row is not None
            known.replay()
            self.replayed += 1
            return Row(known.row.names, known.row.values.clone())
        warm = WARM + (self.steps.training.accumulate > 1)  # one more, to look for what micro-batches do several times
        if known.run < warm:
            known.run += 1
            return self._watched(step, look=known.run == warm)
        if known.replay is None:
            self._record(step, known)
            self.steps.seed(step)
            return self._by_python(step)
        return self._compared(step, known)

    # -- inputs

    def _fill(self, step: int) -> int:
        training = self.steps.training
        source = training.batches
        if isinstance(source, Plans) and source.resident:
            values = source.plan(step)
        else:
            values = source(step).tensors()
        progress = torch.tensor(fraction(step, self.steps.steps), dtype=torch.float64)
        rated = {f"rate {i} {name}": rate for name, own in self.steps.rates(step).items() for i, rate in enumerate(own)}
        rates = {name: torch.tensor(rate) for name, rate in rated.items()}
        if self._inputs is None:
            small = {name: value for name, value in values.items() if value.device.type == "cpu" and value.dim() < 4}
            self._inputs = Inputs({"progress": progress, **rates, **small}, training.device.device)
            device = training.device.device  # images keep their layout in memory
            self._large = {n: torch.empty_like(v, device=device) for n, v in values.items() if n not in small}
        self._inputs.fill({"progress": progress, **rates, **{n: v for n, v in values.items() if n not in self._large}})
        for name, buffer in self._large.items():
            buffer.copy_(values[name])
        for name, optimiser in self.steps.optimisers.items():
            for i, group in enumerate(optimiser.param_groups):
                key = f"rate {i} {name}"
                group["lr"] = self._inputs.tensors[key] if isinstance(group["lr"], Tensor) else rated[key]
        return len(values["expression"])

    def _batch(self) -> Batch:
        assert self._inputs is not None
        source = self.steps.training.batches
        tensors = {**self._inputs.tensors, **self._large}
        if isinstance(source, Plans) and source.resident:
            return source.assemble(tensors)
        return Batch.of(tensors)

    def _clock(self, step: int) -> Clock:
        assert self._inputs is not None
        return Clock(step, self.steps.steps, self._inputs.tensors["progress"])

    # -- a step

    def _by_python(self, step: int, guarded: bool = False) -> Row:
        clock = self._clock(step)
        row = self.steps.run(self._batch(), clock, guarded)
        self._intervals |= set(clock.asked)
        return row

    def _watched(self, step: int, look: bool) -> Row:
        """Run a step, and look for what a recording would freeze."""
        if not look:
            return self._by_python(step, guarded=True)
        before, drawn = _plain_state(self.method), self.recorder.random_on_host()
        clock = self._clock(step)
        with self.recorder.watched() as places:
            row = self.steps.run(self._batch(), clock)
        self._intervals |= set(clock.asked)
        if clock.read:
            self._stop("it reads clock.step; clock.every(n) and clock.progress can be recorded")
        elif places:
            self._stop(f"it reads a value from the GPU ({places[0]})")
        elif drawn != self.recorder.random_on_host():
            self._stop("it draws random numbers on the CPU")
        elif changed := sorted(name for name, value in _plain_state(self.method).items() if before.get(name) != value):
            self._stop(f"it changes {changed[0]}")
        return row

    def _stop(self, why: str) -> None:
        self.obstacle = f"The steps of stage '{self.steps.stage.name}' are not recorded as a graph: {why}."
        self._known.clear()

    def _record(self, step: int, known: Recorded) -> None:
        try:
            known.row, known.replay = self.recorder.record(lambda: self.steps.run(self._batch(), self._clock(step)))
        except RuntimeError as error:  # of CUDA, and out of memory
            self._stop(str(error).splitlines()[0].rstrip("."))

    def _compared(self, step: int, known: Recorded) -> Row:
        """Replay a step and run it twice by Python, each time from the same state; compare. The last run counts."""
        assert known.replay is not None
        assert known.row is not None
        sure, unsure = self._state()
        tensors = [*sure, *unsure]
        before = [tensor.clone() for tensor in tensors]

        def after(run: Callable[[], Row]) -> tuple[Row, list[Tensor]]:
            for tensor, value in zip(tensors, before, strict=True):
                tensor.copy_(value)
            self.steps.seed(step)
            row = run()
            return row, [tensor.clone() for tensor in tensors]

        def replayed() -> Row:
            assert known.replay is not None
            assert known.row is not None
            known.replay()
            return Row(known.row.names, known.row.values.clone())

        theirs, graph = after(replayed)
        _, once = after(lambda: self._by_python(step))
        row, twice = after(lambda: self._by_python(step))
        parts = [(slice(0, len(sure)), TOLERANCE), (slice(len(sure), None), WEIGHTS)]
        agree = theirs.names == row.names and _near(
            [theirs.values], [row.values], [row.values * 0], [row.values], TOLERANCE
        )
        agree = agree and all(_near(graph[p], twice[p], before[p], once[p], share) for p, share in parts)
        if not agree:
            self._stop("a recording of it computes something else")
        known.trusted = True
        return row

    def _state(self) -> tuple[list[Tensor], list[Tensor]]:
        """All tensors that a step may change: first moments and buffers; weights, second moments and counts of steps."""
        states = [state for optimiser in self.steps.optimisers.values() for state in optimiser.state.values()]
        held = [(name, t) for state in states for name, t in state.items() if isinstance(t, Tensor)]
        moments = [tensor for name, tensor in held if name in FIRST_MOMENTS]
        others = [tensor for name, tensor in held if name not in FIRST_MOMENTS]
        return [*self.method.buffers(), *moments], [*(p.detach() for p in self.method.parameters()), *others]


def _near(
    graph: Sequence[Tensor], ours: Sequence[Tensor], before: Sequence[Tensor], again: Sequence[Tensor], share: float
) -> bool:
    """Whether the tensors of a replay are as near to those of a run by Python as another such run is, or nearer than a share of
    their change."""

    def distance(some: Sequence[Tensor], others: Sequence[Tensor]) -> float:
        squares = [(a.double() - b.double()).square().sum() for a, b in zip(some, others, strict=True)]
        return float(torch.stack(squares).sum().sqrt()) if squares else 0.0

    return distance(graph, ours) <= max(NOISE * distance(again, ours), share * distance(ours, before))


def _python_random() -> list[Any]:
    """The states of the generators of Python and numpy, in a form that can be compared."""
    state = np.random.get_state(legacy=False)  # noqa: NPY002
    return [random.getstate(), str(state)]


def _plain_state(method: nn.Module) -> dict[str, Any]:
    """Attributes of a method and its modules that are no parameters, in a form that can be compared: numbers and texts by value,
    collections by length, tensors (buffers too) by where they lie."""
    found: dict[str, Any] = {}
    for prefix, module in method.named_modules():
        for name, value in {**vars(module), **module._buffers}.items():
            where = ".".join(part for part in ("self", prefix, name) if part)
            if isinstance(value, bool | int | float | str):
                found[where] = value
            elif isinstance(value, Tensor):
                found[where] = value.data_ptr() if value.device.type != "meta" else 0
            elif isinstance(value, list | tuple | dict | set) and not name.startswith("_"):
                found[where] = len(value)
    return found
