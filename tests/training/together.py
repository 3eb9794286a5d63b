"""What two processes do together in test_replicas.py, in double precision, so that only an error can make a difference."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Batch, Clock, Group, Method, MethodCard, Stage, Update, whole_batch
from ferbench.errors import TrainingError
from ferbench.interfaces.executor import Progress
from ferbench.registry.loader import load_registry
from ferbench.testing import Drawn, make_batch, make_method, make_task, training
from ferbench.training.choice import Choice
from ferbench.training.loop import Device, train
from ferbench.training.replicas import Replicas, synchronise
from tests.training.remembering import Remembering

REGISTRY = load_registry()
METHODS = list(REGISTRY.catalogue(MethodCard))
STEPS = 3

WITHOUT_DRAWS: dict[str, dict[str, object]] = {
    "cross_entropy": {},
    "grl": {},
    "iacnn": {},
    "fdrl": {},
    "degan": {"identity_code": False, "noise_dim": 0, "discriminator_dropout": 0.0},
    "residue_only": {"identity_code": False, "noise_dim": 0, "discriminator_dropout": 0.0},
    "derl": {"discriminator_dropout": 0.0},
    "pixel_residue": {"discriminator_dropout": 0.0},
    "ifgan": {"discriminator_dropout": 0.0, "weight_average": 0.0},
    "tergan": {"discriminator_dropout": 0.0},
    "tdgan": {"discriminator_dropout": 0.0, "noise_dim": 0},
}
"""Settings with which the steps of a method draw no random numbers. IF-GAN's mean faces are in no loss here: on two devices they
have seen the parts of both, on one those so far. A test of their own is about them."""

OF_MEANS = ("cross_entropy", "grl", "derl", "pixel_residue")
"""Methods that compute means over images and batch norm only: they might ask for synchronised batch norm."""


@dataclass(frozen=True)
class Parts(Drawn):
    """Batches, or a part of them, in double precision."""

    replicas: Replicas | None = None

    def whole(self, seed: int) -> Batch:
        batch = make_batch(self.task, seed=seed)
        return Batch(batch.images.double(), batch.expression, batch.subject)

    def __call__(self, step: int) -> Batch:
        batch = self.whole(step)
        return batch if self.replicas is None else batch.split(self.replicas.count)[self.replicas.rank]

    def unaugmented(self) -> Iterator[Batch]:
        return (self.whole(-1 - number) for number in range(2))


class Toy(Method):
    """Two layers and buffers; its step is what a test gives."""

    memory: Tensor

    def __init__(self) -> None:
        super().__init__(make_task(), None, None)  # type: ignore[arg-type]
        with self.task.init("toy"):
            self.a = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 6))
            self.b = nn.Linear(6, 6)
            self.lonely = nn.Linear(2, 2)
        self.register_buffer("memory", torch.zeros(3))
        self.rank = 0
        self.sam = 0.0
        self.step: Any = self.plain

    def plain(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        yield Update("all", F.cross_entropy(self.a(batch.images), batch.expression))

    def uses_a_layer_on_one_device(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        logits = self.a(batch.images)
        yield Update("all", F.cross_entropy(self.b(logits) if self.rank else logits, batch.expression))

    def disagrees(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        yield Update("all", self.a(batch.images).mean(), {f"of {self.rank}": self.a(batch.images).mean()})

    def ends_early(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        if self.rank == 0:
            yield Update("all", self.a(batch.images).mean())

    def remembers(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        self.memory += batch.images.mean((0, 2, 3))
        yield Update("all", self.a(batch.images).mean())

    def replaces(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        self.memory = self.memory + batch.images.mean((0, 2, 3))
        yield Update("all", self.a(batch.images).mean())

    def pairs(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        f = whole_batch(self.a(batch.images))
        yield Update("all", torch.pdist(f).square().mean())

    def penalises(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        """The squared gradient of what batch norm gives, which differentiates it twice."""
        images = batch.images.requires_grad_()
        made = F.normalize(self.b(self.a(images)), dim=1)
        (gradient,) = torch.autograd.grad(made.square().sum(), images, create_graph=True)
        yield Update("all", gradient.square().sum((1, 2, 3)).mean())

    def draws(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        yield Update("all", self.a(batch.images).mean(), {"drawn": torch.rand(())})

    def stages(self) -> Sequence[Stage]:
        return [Stage("toy", self.step, {"all": Group([self.a, self.b, self.lonely], sam=self.sam)})]

    def features(self, images: Tensor) -> Tensor:
        return self.a(images)

    def logits(self, images: Tensor) -> Tensor:
        return self.a(images)


def toy(step: str, rank: int = 0, norm: bool = False, sam: float = 0.0) -> Toy:
    made = Toy()
    made.rank, made.sam, made.step = rank, sam, getattr(made, step)
    if norm:
        made.a.append(nn.BatchNorm1d(6, momentum=None))
    return made


@contextlib.contextmanager
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def run(method: Method, steps: int = STEPS, replicas: Replicas | None = None, **more: Any) -> list[Any]:
    """Train all stages on batches of 12 images, or a part of them. Returns the losses of each."""

    def batches(step: int) -> Batch:
        whole = make_batch(make_task(), seed=step)
        return whole if replicas is None else whole.split(replicas.count)[replicas.rank]

    made = training(**{"batches": batches, "replicas": replicas, **more})
    return [train(method, stage, steps, made).losses for stage in method.stages()]


def stopped(method: Method, path: Path, replicas: Replicas | None = None, **more: Any) -> None:
    """Train the first stage until it is interrupted in step 3, with a checkpoint of step 2."""

    def batches(step: int) -> Batch:
        if step == 3:
            raise KeyboardInterrupt
        whole = make_batch(make_task(), seed=step)
        return whole if replicas is None else whole.split(replicas.count)[replicas.rank]

    with contextlib.suppress(KeyboardInterrupt):
        run(method, 4, replicas, batches=batches, checkpoint=path, checkpoint_every=2, **more)


def method(name: str, **more: object) -> Method:
    return make_method(REGISTRY, REGISTRY.get(MethodCard, name), {**WITHOUT_DRAWS.get(name, {}), **more})


def everything(trial: Any, node: Any, device: Device, replicas: Replicas, progress: Progress) -> int:
    """All that the tests ask for, in one pair of processes: what each of them found lies in the folder `trial`."""
    found: dict[str, Any] = {}
    rank = replicas.rank

    def keep(name: str, made: Method, losses: list[Any]) -> None:
        found[name] = {"weights": dict(made.state_dict()), "losses": losses}

    for name in METHODS:
        made = make_method(REGISTRY, REGISTRY.get(MethodCard, name))
        keep(f"as it is {name}", made, run(made, replicas=replicas))
    with double():
        for name in METHODS:
            made = method(name)
            keep(name, made, run(made, replicas=replicas))
        for name in OF_MEANS:
            made = method(name)
            synchronise(made)
            keep(f"synchronised {name}", made, run(made, replicas=replicas))
        made = method("cross_entropy")
        keep("micro", made, run(made, replicas=replicas, accumulate=3))
        made = method("cross_entropy")
        keep("clipped", made, run(made, replicas=replicas, clip_norm=0.05))
        made = method("ifgan", weight_average=1.0)
        keep("mean faces", made, run(made, replicas=replicas))
        for step in ("plain", "uses_a_layer_on_one_device", "pairs", "draws"):
            made = toy(step, rank)
            keep(step, made, run(made, replicas=replicas))
        made = toy("plain", rank, norm=True)
        keep("cumulative", made, run(made, replicas=replicas))
        made = toy("plain", rank, norm=True, sam=0.3)
        keep("uphill", made, run(made, replicas=replicas))
        made = toy("penalises", rank, norm=True)
        synchronise(made)
        keep("penalises", made, run(made, replicas=replicas))
        made = toy("plain", rank)
        if rank:
            nn.init.zeros_(made.b.weight)
        keep("other start", made, run(made, replicas=replicas))
        parts = Parts(make_task(), replicas=replicas)
        remembering = Remembering(norm=False).double()
        keep("remembering", remembering, run(remembering, 5, replicas, batches=parts, accumulate=2))
        remembering = Remembering().double()
        keep("remembering with norm", remembering, run(remembering, 5, replicas, batches=parts))
        made = toy("plain", rank)
        measure = iter([0.2, 0.6, 0.4]).__next__ if rank == 0 else None
        keep("chosen", made, run(made, 4, replicas, choice=Choice(measure, 1, patience=1)))  # type: ignore[arg-type]
        for step in ("disagrees", "ends_early", "remembers", "replaces"):
            try:
                run(toy(step, rank), replicas=replicas)
            except TrainingError as error:
                found[step] = str(error)
        stopped(method("cross_entropy"), Path(trial) / "two", replicas)
        made = method("cross_entropy")
        keep("resumed", made, run(made, 4, replicas, checkpoint=Path(trial) / "one"))
    torch.save(found, Path(trial) / f"found-{rank}")
    return 0


def fails(trial: Any, node: Any, device: Device, replicas: Replicas, progress: Progress) -> int:
    """The second process does what `trial` says, while the first waits for it."""
    if replicas.rank == 1:
        if trial == "bug":
            raise ZeroDivisionError("a bug")
        os.kill(os.getpid(), signal.Signals[trial])
    replicas.mean(torch.zeros(1))
    return 0


class Unportable(Exception):
    """It cannot be unpickled."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")
