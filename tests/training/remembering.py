"""A method with all kinds of state that is in no group: a momentum teacher, a queue, prototypes and counters."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Average, Batch, Clock, Epoch, Group, Method, Stage, Update
from ferbench.testing import make_task

WIDTH, QUEUE = 8, 30


class Remembering(Method):
    """`norm`: whether the student has batch norm, whose statistics are of micro-batches. `smoothed` is of the second stage only."""

    queue: Tensor
    at: Tensor
    prototypes: Tensor
    epochs: Tensor
    steps: Tensor

    def __init__(self, norm: bool = True, warmup: bool = False, smoothed: bool = False) -> None:
        task = make_task()
        super().__init__(task, None, None)  # type: ignore[arg-type]
        self.smoothed, self.warmup = smoothed, warmup
        with task.init("student"):
            self.student = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, WIDTH))
            if norm:
                self.student.append(nn.BatchNorm1d(WIDTH))
            self.head = nn.Linear(WIDTH, len(task.expressions))
        self.teacher = copy.deepcopy(self.student)
        self.register_buffer("queue", torch.zeros(QUEUE, WIDTH))
        self.register_buffer("at", torch.zeros((), dtype=torch.int64))
        self.register_buffer("prototypes", torch.zeros(len(task.expressions), WIDTH))
        self.register_buffer("epochs", torch.zeros((), dtype=torch.int64))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def stages(self) -> Sequence[Stage]:
        groups = {"network": Group([self.student, self.head], 1e-2)}
        averages = [Average(self.student, self.teacher, 0.9, self.warmup)]
        return [
            Stage("first", self.step, groups, after=self.remember, before_epoch=self.look_over, averages=averages),
            Stage("second", self.last, {"head": Group([self.head])}),
        ]

    def step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        features = self.student(batch.images)
        with torch.no_grad():
            keys = self.teacher(batch.images)
        terms = {
            "expression": F.cross_entropy(self.head(features), batch.expression),
            "queue": (features @ self.queue.T).mean(1).square().mean(),
            "prototype": F.mse_loss(features, self.prototypes[batch.expression]),
        }
        yield Update.total("network", terms, {"keys": keys})

    def remember(self, batch: Batch, outputs: Mapping[str, Tensor], clock: Clock) -> None:
        places = (self.at + torch.arange(len(batch), device=self.at.device)) % QUEUE
        self.queue.index_copy_(0, places, outputs["keys"].to(self.queue.dtype))
        self.at += len(batch)
        self.steps += 1

    def look_over(self, epoch: Epoch) -> None:
        sums, counts = torch.zeros_like(self.prototypes), torch.zeros_like(self.prototypes[:, :1])
        for batch in epoch.batches():
            sums.index_add_(0, batch.expression, self.student(batch.images))
            counts.index_add_(0, batch.expression, torch.ones_like(counts[batch.expression]))
        self.prototypes.copy_(sums / counts)
        self.epochs += 1

    def last(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        factor = 2.0 if self.smoothed else 1.0
        yield Update("head", factor * F.cross_entropy(self.logits(batch.images), batch.expression))

    def features(self, images: Tensor) -> Tensor:
        result: Tensor = self.teacher(images)
        return result

    def logits(self, images: Tensor) -> Tensor:
        result: Tensor = self.head(self.features(images))
        return result


def momentum(method: Remembering, batch: Batch, clock: Clock) -> Iterator[Update]:
    """A step that moves the teacher's weights itself, after its update."""
    yield from method.step(batch, clock)
    with torch.no_grad():
        for ours, theirs in zip(method.teacher.parameters(), method.student.parameters(), strict=True):
            ours.lerp_(theirs, 0.1)
