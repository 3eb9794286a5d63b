"""Steps as graphs. On a machine without a GPU the same machinery runs with a stand-in that runs each replay by Python."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Batch, Clock, Group, Method, MethodCard, Stage, Update
from ferbench.config.schema import Augment
from ferbench.data.batches import Batches, Images, Labels
from ferbench.evaluation.inference import over_batches
from ferbench.registry.loader import load_registry
from ferbench.testing import EXPRESSIONS, SIZE, make_method, make_task, training
from ferbench.training.graph import CudaRecorder, Graphs, Inputs, Recorder, Rehearsal
from ferbench.training.loop import Device, train
from ferbench.training.steps import Row

REGISTRY = load_registry()
METHODS = list(REGISTRY.catalogue(MethodCard))
STEPS = 14
NEEDS_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def batches(neutral: bool = True, device: str = "cpu") -> Batches:
    """24 images of 4 subjects on the device, with augmentation."""
    generator = torch.Generator().manual_seed(0)
    array = torch.randint(0, 256, (24, SIZE, SIZE, 3), generator=generator, dtype=torch.uint8).numpy()
    rows = torch.arange(24)
    subjects = rows % len(make_task().subjects)
    labels = Labels(rows, rows % len(EXPRESSIONS), subjects, subjects if neutral else None)
    return Batches(Images(array, torch.device(device)), labels, Augment(), 8, (0,))


def trained(method: Method, recorder: Recorder | None, steps: int = STEPS, **more: Any) -> list[Any]:
    """Losses of all stages, and obstacles."""
    found: list[Any] = []
    for stage in method.stages():
        result = train(method, stage, steps, training(graph=recorder, **{"batches": batches(), **more}))
        found += [result.losses, result.obstacle]
    return found


def same(a: nn.Module, b: nn.Module) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def enough(name: str, steps: int) -> int:
    """Steps in which the rarest recording of a method is replayed too: TDGAN has one of every tenth step."""
    return 62 if name == "tdgan" else steps


@pytest.mark.parametrize("name", METHODS)
def test_the_machinery_computes_what_the_loop_does(name: str) -> None:
    """All methods, bit for bit: weights and losses, with the stand-in."""
    plain = make_method(REGISTRY, REGISTRY.get(MethodCard, name))
    graphed = copy.deepcopy(plain)
    steps = enough(name, STEPS)
    assert trained(plain, None, steps) == trained(graphed, Rehearsal(), steps)
    assert same(plain, graphed)


@pytest.mark.parametrize(
    "more", [{"accumulate": 2}, {"clip_norm": 0.5}, {"device": Device(torch.device("cpu"), "bf16")}]
)
def test_accumulation_clipping_and_precision(more: dict[str, Any]) -> None:
    plain = make_method(REGISTRY, REGISTRY.get(MethodCard, "degan"))
    graphed = copy.deepcopy(plain)
    assert trained(plain, None, **more) == trained(graphed, Rehearsal(), **more)
    assert same(plain, graphed)


def test_a_training_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    whole = make_method(REGISTRY, REGISTRY.get(MethodCard, "tdgan"))
    broken = copy.deepcopy(whole)
    (stage,), (again,) = whole.stages(), broken.stages()
    losses = train(whole, stage, STEPS, training(graph=Rehearsal(), batches=batches())).losses

    class Stop(Exception):
        pass

    def stop(step: int, losses: object, rate: float) -> None:
        if step == STEPS:
            raise Stop

    path = tmp_path / "c.safetensors"
    parts: dict[str, Any] = {"batches": batches(), "checkpoint": path}
    cut = copy.deepcopy(broken)
    with pytest.raises(Stop):
        train(cut, cut.stages()[0], STEPS, training(graph=Rehearsal(), on_losses=stop, checkpoint_every=8, **parts))
    assert train(broken, again, STEPS, training(graph=Rehearsal(), **parts)).losses == losses
    assert same(whole, broken)


def test_batches_that_lie_on_the_disk_are_copied() -> None:
    plain = make_method(REGISTRY, REGISTRY.get(MethodCard, "degan"))
    graphed = copy.deepcopy(plain)
    streamed = batches()
    streamed.images.resident = None
    assert trained(plain, None) == trained(graphed, Rehearsal(), batches=streamed)
    assert same(plain, graphed)


class Toy(Method):
    """One network; its step is what a test gives."""

    scratch = ("count",)

    def __init__(self, step: Callable[[Toy, Batch, Clock], Iterator[Update]]) -> None:
        task = make_task()
        super().__init__(task, None, None)  # type: ignore[arg-type]
        with task.init("toy"):
            self.net = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, len(EXPRESSIONS)))
        self.count = 0
        self.register_buffer("queue", torch.zeros(4))
        self._step = step

    def loss(self, batch: Batch) -> Tensor:
        return F.cross_entropy(self.net(batch.images), batch.expression)

    def stages(self) -> Sequence[Stage]:
        return [Stage("toy", lambda batch, clock: self._step(self, batch, clock), {"net": Group([self.net])})]

    def features(self, images: Tensor) -> Tensor:
        result: Tensor = self.net(images)
        return result

    logits = features


def reads_step(toy: Toy, batch: Batch, clock: Clock) -> Iterator[Update]:
    yield Update("net", toy.loss(batch) * (1 + clock.step % 2))


def counts(toy: Toy, batch: Batch, clock: Clock) -> Iterator[Update]:
    toy.count += 1
    yield Update("net", toy.loss(batch) * toy.count)


def replaces_a_buffer(toy: Toy, batch: Batch, clock: Clock) -> Iterator[Update]:
    loss = toy.loss(batch)
    toy.queue = torch.cat([toy.get_buffer("queue")[1:], loss.detach()[None]])
    yield Update("net", loss)


def draws_by_numpy(toy: Toy, batch: Batch, clock: Clock) -> Iterator[Update]:
    yield Update("net", toy.loss(batch) * np.random.rand())  # noqa: NPY002


def draws_by_python(toy: Toy, batch: Batch, clock: Clock) -> Iterator[Update]:
    yield Update("net", toy.loss(batch) * random.random())


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (reads_step, "it reads clock.step; clock.every\\(n\\) and clock.progress can be recorded"),
        (counts, "it changes self.count"),
        (replaces_a_buffer, "it changes self.queue"),
        (draws_by_numpy, "it draws random numbers on the CPU"),
        (draws_by_python, "it draws random numbers on the CPU"),
    ],
)
def test_what_a_recording_would_freeze_is_found(step: Any, why: str) -> None:
    import re

    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    plain = Toy(step)
    losses, _ = trained(plain, None)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    graphed = Toy(step)
    found, obstacle = trained(graphed, Rehearsal())
    assert re.fullmatch(f"The steps of stage 'toy' are not recorded as a graph: {why}.", obstacle)
    assert found == losses
    assert same(plain, graphed)


def every_third(toy: Toy, batch: Batch, clock: Clock) -> Iterator[Update]:
    if clock.every(3):
        yield Update("net", toy.loss(batch) * 2)
    yield Update("net", toy.loss(batch) * clock.progress.float())


class Frozen(Recorder):
    """A recorder that keeps the first clock: a recording that computes something else."""

    def record(self, body: Callable[[], Row]) -> tuple[Row, Callable[[], None]]:
        row, replay = Rehearsal().record(body)

        def wrong() -> None:
            replay()
            row.values.mul_(2)

        return row, wrong


class Broken(Recorder):
    def record(self, body: Callable[[], Row]) -> tuple[Row, Callable[[], None]]:
        raise RuntimeError("operation not permitted when stream is capturing.\nmore")


@pytest.mark.parametrize(
    ("recorder", "why"),
    [
        (Frozen(), "a recording of it computes something else"),
        (Broken(), "operation not permitted when stream is capturing"),
    ],
)
def test_a_recording_that_fails_costs_nothing(recorder: Recorder, why: str) -> None:
    plain, graphed = Toy(every_third), Toy(every_third)
    losses, _ = trained(plain, None)
    found, obstacle = trained(graphed, recorder)
    assert obstacle == f"The steps of stage 'toy' are not recorded as a graph: {why}."
    assert found == losses
    assert same(plain, graphed)


def test_a_graph_for_each_combination_of_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Graphs] = []
    keep = Graphs.__post_init__ if hasattr(Graphs, "__post_init__") else None
    assert keep is None
    original = Graphs.context

    def context(self: Graphs) -> Any:
        made.append(self)
        return original(self)

    monkeypatch.setattr(Graphs, "context", context)
    toy = Toy(every_third)
    found, obstacle = trained(toy, Rehearsal(), steps=30)
    assert obstacle == ""
    names = [[name for at, name, _ in found if at == step] for step in range(30)]
    assert names == [["net", "net"] if step % 3 == 0 else ["net"] for step in range(30)]
    (graphs,) = made
    assert {key: known.trusted for key, known in graphs._known.items() if key} == {
        ((3, True),): True,
        ((3, False),): True,
    }
    assert graphs.replayed == 30 - 1 - 2 * 4, "one step before the interval was known, four of each combination"


def test_inputs_are_filled_with_one_copy() -> None:
    like = {"a": torch.arange(3), "b": torch.rand(2, 5), "c": torch.tensor(0.5, dtype=torch.float64)}
    inputs = Inputs(like, torch.device("cpu"))
    for number in range(6):
        values = {name: tensor + number for name, tensor in like.items()}
        inputs.fill(values)
        assert all(torch.equal(inputs.tensors[name], values[name]) for name in like)


# -- on a GPU


@pytest.fixture
def deterministic() -> Iterator[None]:
    """Kernels that give equal bits each time, where there are some."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.deterministic = True
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.deterministic = False


@pytest.mark.gpu
@NEEDS_CUDA
@pytest.mark.filterwarnings("ignore:.*does not have a deterministic implementation")
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_graphs_compute_what_the_loop_does(name: str, precision: str, deterministic: None) -> None:
    """All stages of all methods are captured. They compute the same, bit for bit where the plain loop gives equal bits twice; where
    it does not (pooling adds in any order), they are as near as two plain loops are. What is evaluated afterwards is the same too,
    running averages and all."""
    device = Device(torch.device("cuda"), precision)
    plain = make_method(REGISTRY, REGISTRY.get(MethodCard, name)).cuda()
    again, graphed = copy.deepcopy(plain), copy.deepcopy(plain)
    more: dict[str, Any] = {"device": device, "batches": batches(device="cuda")}
    steps = enough(name, 12)
    ours, twice = trained(plain, None, steps, **more), trained(again, None, steps, **more)
    theirs = trained(graphed, CudaRecorder(device.device), steps, **more)
    assert [o for o in theirs if isinstance(o, str)] == [""] * len(plain.stages())
    noise, distance = apart(ours, twice), apart(ours, theirs)
    print(f"{name} {precision}: two plain loops {noise:.2g} apart, the graph {distance:.2g}")
    assert distance <= 4 * noise + (0 if noise == 0 else 1e-3)
    images = more["batches"](0).images
    with torch.inference_mode(), device.autocast():
        first, second, third = (method.eval().logits(images).float() for method in (plain, again, graphed))
    assert float((first - third).abs().max()) <= 4 * float((first - second).abs().max()) + (0 if noise == 0 else 1e-2)


@pytest.mark.gpu
@NEEDS_CUDA
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 0.01), ("bf16", 0.15)])
def test_a_method_trained_on_a_gpu_answers_alike_on_a_cpu(name: str, precision: str, tolerance: float) -> None:
    """Logits of 600 images, in a large batch and in the smaller ones of a CPU; differences are as parts of their spread."""
    device = Device(torch.device("cuda"), precision)
    method = make_method(REGISTRY, REGISTRY.get(MethodCard, name)).cuda()
    trained(method, CudaRecorder(device.device), enough(name, 40), device=device, batches=batches(device="cuda"))
    rows = torch.arange(24).repeat(25)
    images = batches(device="cuda").images
    with device.autocast():
        there = over_batches(method.eval().logits, images, rows)
    here = over_batches(method.cpu().logits, batches().images, rows)
    assert float(np.abs(there - here).max()) <= tolerance * float(here.std())


def apart(some: list[Any], others: list[Any]) -> float:
    """The largest difference of two losses of a step."""
    pairs = [(a, b) for one, other in zip(some[::2], others[::2], strict=True) for a, b in zip(one, other, strict=True)]
    assert all(a[:2] == b[:2] for a, b in pairs)
    return max(abs(a[2] - b[2]) for a, b in pairs)


def waits(toy: Toy, batch: Batch, clock: Clock) -> Iterator[Update]:
    loss = toy.loss(batch)
    yield Update("net", loss * (2.0 if loss.item() > 0 else 1.0))


def draws_on_the_host(toy: Toy, batch: Batch, clock: Clock) -> Iterator[Update]:
    yield Update("net", toy.loss(batch) * torch.rand(()).pin_memory().to("cuda", non_blocking=True))


@pytest.mark.gpu
@NEEDS_CUDA
@pytest.mark.parametrize(
    ("step", "why"),
    [(waits, "it reads a value from the GPU"), (draws_on_the_host, "it draws random numbers on the CPU")],
)
def test_what_only_a_gpu_would_freeze_is_found(step: Any, why: str) -> None:
    toy = Toy(step).cuda()
    device = Device(torch.device("cuda"), "fp32")
    _, obstacle = trained(toy, CudaRecorder(device.device), device=device, batches=batches(device="cuda"))
    assert why in obstacle


@pytest.mark.gpu
@NEEDS_CUDA
def test_after_a_recording_that_broke_off_the_loop_goes_on() -> None:
    """The random generator, the stream and the memory are as before."""
    recorder = CudaRecorder(torch.device("cuda"))
    net = nn.Linear(4, 4).cuda()

    def breaks() -> Row:
        F.dropout(net(torch.ones(2, 4, device="cuda"))).sum().item()
        raise AssertionError

    with recorder.context(), pytest.raises(RuntimeError):
        recorder.record(breaks)
    torch.cuda.manual_seed(1)
    first = torch.rand(8, device="cuda")
    torch.cuda.manual_seed(1)
    assert torch.equal(first, torch.rand(8, device="cuda"))
    device = Device(torch.device("cuda"), "fp32")
    toy = Toy(every_third).cuda()
    assert trained(toy, CudaRecorder(device.device), device=device, batches=batches(device="cuda"))[1] == ""
