"""Moving averages of weights."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ferbench import Average, Batch, Clock, Group, Method, Stage
from ferbench.errors import TrainingError
from ferbench.testing import make_batch, training
from ferbench.training.averages import share
from ferbench.training.graph import CudaRecorder, Rehearsal
from ferbench.training.loop import Device, train
from tests.training.remembering import Remembering
from tests.training.test_graph import NEEDS_CUDA, batches

STEPS = 6


def averaged(method: Remembering, *averages: Average) -> Stage:
    groups = {"network": Group([method.student, method.head], 1e-2)}
    return Stage("first", method.step, groups, averages=averages)


def history(method: Remembering, stage: Stage, **more: Any) -> list[dict[str, Tensor]]:
    """The student after each step."""
    found: list[dict[str, Tensor]] = []

    def batches(step: int) -> Batch:
        if step:
            found.append(copy.deepcopy(method.student.state_dict()))
        return make_batch(method.task, seed=step)

    train(method, stage, STEPS, training(batches=batches, **more))
    return [*found, copy.deepcopy(method.student.state_dict())]


@pytest.mark.parametrize("decay", [0.0, 0.9, 0.999])
def test_an_average_is_torchs(decay: float) -> None:
    """Weights are those of AveragedModel, which copies its first; buffers are those of the student."""
    method = Remembering()
    theirs = AveragedModel(method.student, multi_avg_fn=get_ema_multi_avg_fn(decay))
    theirs.update_parameters(method.student)
    for state in history(method, averaged(method, Average(method.student, method.teacher, decay))):
        moved = copy.deepcopy(method.student)
        moved.load_state_dict(state)
        theirs.update_parameters(moved)
    for name, value in method.teacher.named_parameters():
        assert torch.allclose(value, theirs.module.get_parameter(name), atol=1e-6), name
    for name, buffer in method.teacher.named_buffers():
        assert torch.equal(buffer, method.student.get_buffer(name)), name


@pytest.mark.parametrize("graph", [None, Rehearsal()])
def test_a_warm_up_is_the_plain_mean(graph: Any) -> None:
    """Until the decay is less, and whatever the average was before."""
    method = Remembering()
    nn.init.constant_(method.teacher.get_parameter("1.weight"), 1e6)
    states = history(method, averaged(method, Average(method.student, method.teacher, 0.999, warmup=True)), graph=graph)
    for name, value in method.teacher.named_parameters():
        expected = torch.stack([state[name] for state in states]).mean(0)
        assert torch.allclose(value, expected, atol=1e-6), name


def test_a_decay_that_grows() -> None:
    """A function of progress: 0 at first, so that the first step is copied, then 1, so that nothing more is."""
    method = Remembering()
    average = Average(method.student, method.teacher, lambda progress: (progress > 0).double())
    states = history(method, averaged(method, average))
    assert torch.equal(method.teacher.get_parameter("1.weight"), states[0]["1.weight"])


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.floats(0, 1), st.booleans())
@settings(max_examples=50, deadline=None)
def test_shares(step: int, more: int, decay: float, warmup: bool) -> None:
    """In [0, 1]; with a warm-up, at least 1 / (step + 1)."""
    average = Average(nn.Linear(1, 1), nn.Linear(1, 1), decay, warmup)
    found = float(share(average, Clock(step, step + more)))
    assert found == pytest.approx(max(1 - decay, 1 / (step + 1)) if warmup else 1 - decay, abs=1e-9)


def test_it_is_in_eval_mode_and_judged() -> None:
    method = Remembering()
    modes: list[bool] = []
    stage = averaged(method, Average(method.student, method.teacher))
    stage = Stage(
        "first",
        stage.step,
        stage.trains,
        after=lambda b, o, c: modes.append(method.teacher.training),
        averages=stage.averages,
    )
    train(method, stage, STEPS, training())
    assert modes == [False] * STEPS
    images = make_batch(method.task).images
    assert torch.equal(method.features(images), method.teacher(images))
    assert not torch.equal(method.features(images), method.student(images))


def outside(method: Remembering) -> Average:
    return Average(method.student, copy.deepcopy(method.student))


def of_nothing_trained(method: Remembering) -> Average:
    method.third = copy.deepcopy(method.teacher)
    return Average(method.teacher, method.third)


def narrower(method: Remembering) -> Average:
    method.teacher[1] = nn.Linear(3 * 32 * 32, 4)
    return Average(method.student, method.teacher)


def without_norm(method: Remembering) -> Average:
    method.teacher = method.teacher[:2]
    return Average(method.student, method.teacher)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (outside, "goes into a module that is no part of the method"),
        (lambda m: Average(m.teacher, m.student), "goes into weights that the stage trains"),
        (lambda m: Average(m.student, m.student), "goes into weights that the stage trains"),
        (of_nothing_trained, "is of weights that the stage does not train"),
        (narrower, r"has '1\.bias' of shape \[8\] in `of` and \[4\] in `into`"),
        (without_norm, r"has '2\.bias' of shape \[8\] in `of` and None in `into`"),
        (lambda m: Average(m.student, m.teacher, 1.5), r"has the decay 1\.5; it is in \[0, 1\]"),
    ],
)
def test_an_average_that_is_none(make: Any, sentence: str) -> None:
    method = Remembering()
    stage = averaged(method, make(method))
    with pytest.raises(TrainingError, match=f"An average of stage 'first' {sentence}"):
        train(method, stage, 1, training())


def test_two_into_the_same_weights() -> None:
    method = Remembering()
    average = Average(method.student, method.teacher)
    with pytest.raises(TrainingError, match="goes into the same weights as another one"):
        train(method, averaged(method, average, average), 1, training())


def test_a_field_that_does_not_exist() -> None:
    """A misspelt field is an error where it is written."""
    fields: dict[str, Any] = {"dekay": 0.9}
    with pytest.raises(TypeError, match="dekay"):
        Average(nn.Linear(1, 1), nn.Linear(1, 1), **fields)


@pytest.mark.parametrize("more", [{}, {"accumulate": 2}])
def test_recordings_compute_the_same(more: dict[str, Any]) -> None:
    """A stage with averages, a queue, outputs, and passes between steps, with the stand-in for graphs, bit for bit."""
    made: list[Method] = []
    for graph in (None, Rehearsal()):
        method = Remembering(warmup=True)
        found = train(method, method.stages()[0], 14, training(graph=graph, **more))
        assert found.obstacle == ""
        made.append(method)
    ours, theirs = (method.state_dict() for method in made)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_pass_that_replaces_a_buffer_ends_recordings() -> None:
    """A recording would go on with the buffer that it saw."""

    def replaces(method: Remembering) -> Stage:
        def look(epoch: Any) -> None:
            method.prototypes = method.prototypes + 1

        stage = averaged(method)
        return Stage("first", stage.step, stage.trains, before_epoch=look, epoch_steps=5)

    plain, graphed = Remembering(), Remembering()
    ours, theirs = replaces(plain), replaces(graphed)
    train(plain, ours, 14, training())
    found = train(graphed, theirs, 14, training(graph=Rehearsal()))
    assert found.obstacle == (
        "The steps of stage 'first' are not recorded as a graph: its before_epoch changes self.prototypes, and not in place."
    )
    a, b = plain.state_dict(), graphed.state_dict()
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.gpu
@NEEDS_CUDA
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("warmup", [False, True])
def test_graphs_compute_the_same(precision: str, warmup: bool) -> None:
    """On a GPU, with images from memory. Counters and places are equal, values nearly."""
    device = Device(torch.device("cuda"), precision)
    made: list[Method] = []
    for graph in (None, CudaRecorder(device.device)):
        method = Remembering(warmup=warmup).cuda()
        more: dict[str, Any] = {"device": device, "batches": batches(neutral=False, device="cuda"), "graph": graph}
        assert train(method, method.stages()[0], 14, training(**more)).obstacle == ""
        made.append(method)
    ours, theirs = (method.state_dict() for method in made)
    for name in ours:
        assert torch.allclose(ours[name], theirs[name], rtol=1e-2, atol=1e-2), name
    assert (int(ours["steps"]), int(ours["epochs"]), int(ours["at"])) == (14, 5, 14 * 8)
