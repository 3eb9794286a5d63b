"""How long a study will take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ferbench import Batch, Clock, Group, Method, Stage, Update
from ferbench.execution.estimate import RECORDED, STEPS, WARM, Estimate, seconds_a_step
from ferbench.testing import make_task, training
from ferbench.training.graph import Rehearsal
from tests.training.test_graph import batches


class Watched(Method):
    """A method whose steps take time on a clock of ours: five seconds each at first, a hundredth later."""

    scratch = ("begun", "now")

    def __init__(self, slow: int) -> None:
        nn.Module.__init__(self)
        self.task = make_task()
        self.net = nn.Linear(3, len(self.task.expressions))
        self.slow, self.begun, self.now = slow, 0, 0.0

    def stages(self) -> list[Stage]:
        return [Stage("training", self.step, {"net": Group([self.net], 1e-3)})]

    def step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        self.now += 5.0 if self.begun < self.slow else 0.01
        self.begun += 1
        yield Update("net", F.cross_entropy(self.logits(batch.images), batch.expression))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(2, 3))

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.net(self.features(images))
        return result


@pytest.mark.parametrize(("recorded", "slow"), [(False, WARM), (True, RECORDED)])
def test_the_first_steps_do_not_count(recorded: bool, slow: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """They load kernels, and record."""
    method = Watched(slow)
    monkeypatch.setattr("ferbench.execution.estimate.time.perf_counter", lambda: method.now)
    more: dict[str, Any] = {"batches": batches(), "graph": Rehearsal() if recorded else None}
    measured = seconds_a_step(method, method.stages()[0], training(**more))
    assert measured == pytest.approx(0.01, rel=0.1)
    assert method.begun >= (2 * RECORDED if recorded else WARM + STEPS)


@pytest.mark.parametrize(
    ("workers", "gain", "seconds"),
    [(1, 1.0, 130.0), (2, 1.0, 100.0), (2, 2.0, 65.0), (8, 4.0, 25.0), (4, 4.0, 32.5)],
)
def test_trials_at_a_time_share_what_they_gain(workers: int, gain: float, seconds: float) -> None:
    """100 s of training and 30 s of all else: the GPU is the limit, or the workers are."""
    assert Estimate(100.0, 30.0, 3, workers, gain).seconds == seconds
