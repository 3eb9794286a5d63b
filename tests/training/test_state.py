"""State of a method that is in no group of a stage: it is kept, or refused."""

from __future__ import annotations

import copy
import functools
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, parametrize

from ferbench import Backbone, Batch, Clock, Epoch, Group, Method, Stage, Update
from ferbench.errors import TrainingError
from ferbench.interfaces.executor import Progress
from ferbench.records.schema import StageNode
from ferbench.records.store import Store
from ferbench.testing import Drawn, make_batch, make_task, training
from ferbench.training.checkpoint import load_tensors
from ferbench.training.loop import train
from ferbench.training.stages import run_stage
from tests.training.killed import Killed
from tests.training.remembering import QUEUE, Remembering, momentum

STEPS = 7


def same(a: nn.Module, b: nn.Module) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "results")
    made.prepare()
    return made


def run(store: Store, method: Method, second: str = "second") -> None:
    """Run both stages; the key of the second says which variant it is of."""
    for name, key, stage in zip(("first", "second"), ("first", second), method.stages(), strict=True):
        run_stage(store, StageNode(name, key, STEPS), method, stage, training(), Progress())


# -- what is kept


def test_a_shared_stage_brings_all_that_it_changed(store: Store, tmp_path: Path) -> None:
    """A variant whose first stage another one trained ends as the same variant in an empty folder."""
    empty = Store(tmp_path / "empty")
    empty.prepare()
    run(store, Remembering())
    shared, alone = Remembering(smoothed=True), Remembering(smoothed=True)
    run(store, shared, "smoothed")
    run(empty, alone, "smoothed")
    assert same(shared, alone)
    assert int(shared.steps) == STEPS
    assert not torch.equal(shared.teacher.get_parameter("1.weight"), Remembering().teacher.get_parameter("1.weight"))


def test_a_stage_stores_what_it_changed_and_nothing_else(store: Store) -> None:
    method = Remembering()
    run(store, method)
    first, second = (set(load_tensors(store.stage(key) / "weights.safetensors")) for key in ("first", "second"))
    assert first == set(method.state_dict())
    assert second == {"head.weight", "head.bias"}


@pytest.mark.parametrize("stop", range(1, STEPS))
def test_a_resumed_stage_ends_the_same(stop: int, tmp_path: Path) -> None:
    """Bit for bit, wherever it was stopped: within an epoch (of two steps) or between two."""
    whole, resumed = Remembering(), Remembering()
    train(whole, whole.stages()[0], STEPS, training())
    path, killed = tmp_path / "checkpoint", Remembering()
    broken = training(checkpoint=path, checkpoint_every=stop, batches=Killed(killed.task, stop=stop))
    with pytest.raises(KeyboardInterrupt):
        train(killed, killed.stages()[0], STEPS, broken)
    train(resumed, resumed.stages()[0], STEPS, training(checkpoint=path))
    assert same(whole, resumed)
    assert (int(resumed.steps), int(resumed.epochs)) == (STEPS, (STEPS + 1) // 2)


def test_a_stage_of_a_variant_with_other_parts_is_not_loaded(store: Store) -> None:
    """Their cards say that they share it. One has batch norm, the other has not."""
    run(store, Remembering(norm=False))
    with pytest.raises(
        TrainingError, match=r"'first' was stored by a variant .* that has no 'student\.2\..*this one has.*StageCard"
    ):
        run(store, Remembering())


def test_nor_one_with_more_parts(store: Store) -> None:
    run(store, Remembering())
    with pytest.raises(TrainingError, match=r"stored by a variant .* that has 'student\.2\..*this one has no such"):
        run(store, Remembering(norm=False))


def test_other_code_without_a_part_is_trained_again(store: Store) -> None:
    """An editable plugin got an average after its stage was stored."""
    method, later = Remembering(), Remembering()
    node = StageNode("first", "first", STEPS)
    old = Stage("first", method.step, {"network": Group([method.student, method.head])})
    run_stage(store, node, method, old, training(code="old"), Progress())
    done, _ = run_stage(store, node, later, later.stages()[0], training(code="new"), Progress())
    assert (done.steps_run, done.code) == (STEPS, "new")
    last = Remembering()
    again, _ = run_stage(store, node, last, last.stages()[0], training(code="newer"), Progress())
    assert (again.steps_run, again.code) == (0, "new"), "it fits"


def test_a_module_under_two_names_is_stored_once(store: Store) -> None:
    method = Remembering()
    method.alias = method.student
    run(store, method)
    names = load_tensors(store.stage("first") / "weights.safetensors")
    assert "student.1.weight" in names
    assert not [name for name in names if name.startswith("alias")]


# -- what is refused


class Counter:
    """An object of the author's own."""

    def __init__(self) -> None:
        self.seen = 0


@dataclass
class Values:
    mean: float = 0.0


class Keeping(Method):
    """A network; `change` is what a step does to the method besides."""

    shared: list[int] = []  # noqa: RUF012

    def __init__(self, change: Callable[[Any, Tensor], object]) -> None:
        super().__init__(make_task(), None, None)  # type: ignore[arg-type]
        with self.task.init("net"):
            self.net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 6))
            self.frozen = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6))
        self.change = change
        self.count, self.ratio, self.name = 0, 0.5, "a"
        self.items: list[Any] = []
        self.table: dict[str, Any] = {"nested": {"list": [1, 2]}}
        self.recent: deque[float] = deque([0.0, 0.0], maxlen=2)
        self.tensor = torch.zeros(3)
        self.array = np.zeros(3)
        self.generator = torch.Generator()
        self.random = random.Random(0)
        self.numbers = np.random.default_rng(0)
        self.names = {"a"}
        self.counter, self.values = Counter(), Values()
        self.hidden = [nn.Linear(2, 2)]
        self.optimiser = torch.optim.SGD(self.hidden[0].parameters(), lr=0.1, momentum=0.9)
        self.register_buffer("passing", torch.zeros(3), persistent=False)
        self.parts = [self.net, self.frozen]
        self.view = self.net.get_parameter("1.weight").data[:2]

    @functools.cached_property
    def prior(self) -> Tensor:
        return torch.ones(6) / 6

    def stages(self) -> Sequence[Stage]:
        return [Stage("training", self.step, {"net": Group([self.net])})]

    def step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        logits = self.net(batch.images)
        self.change(self, logits.detach())
        yield Update("net", F.cross_entropy(logits, batch.expression))

    def features(self, images: Tensor) -> Tensor:
        result: Tensor = self.net(images)
        return result

    logits = features


def moves_hidden_weights(method: Any, logits: Tensor) -> None:
    method.hidden[0].weight.data.add_(1)


def steps_an_optimiser(method: Any, logits: Tensor) -> None:
    method.hidden[0].weight.grad = torch.ones(2, 2)
    method.optimiser.step()


LOST: dict[str, tuple[Callable[[Any, Tensor], object], str]] = {
    "a number": (lambda m, x: setattr(m, "count", m.count + 1), "count"),
    "a fraction": (lambda m, x: setattr(m, "ratio", m.ratio * 0.9), "ratio"),
    "a text": (lambda m, x: setattr(m, "name", m.name + "a"), "name"),
    "a new tensor": (lambda m, x: setattr(m, "last", x), "last"),
    "a tensor in place": (lambda m, x: m.tensor.add_(1), "tensor"),
    "a list": (lambda m, x: m.items.append(x), "items"),
    "a list of the class": (lambda m, x: m.shared.append(1), "shared"),
    "deep in a dict": (lambda m, x: m.table["nested"]["list"].append(3), "table"),
    "a deque": (lambda m, x: m.recent.append(float(x.mean())), "recent"),
    "a set": (lambda m, x: m.names.add(str(len(m.names))), "names"),
    "an array": (lambda m, x: m.array.__iadd__(1), "array"),
    "torch's generator": (lambda m, x: torch.rand(1, generator=m.generator), "generator"),
    "Python's generator": (lambda m, x: m.random.random(), "random"),
    "numpy's generator": (lambda m, x: m.numbers.random(), "numbers"),
    "an object": (lambda m, x: setattr(m.counter, "seen", m.counter.seen + 1), "counter"),
    "a dataclass": (lambda m, x: setattr(m.values, "mean", m.values.mean + 1), "values"),
    "a hidden module": (moves_hidden_weights, "hidden"),
    "an optimiser": (steps_an_optimiser, "hidden"),
    "a buffer that is not saved": (lambda m, x: m.passing.add_(1), "passing"),
    "an attribute of a module": (lambda m, x: setattr(m.net[1], "calls", getattr(m.net[1], "calls", 0) + 1), "net.1.calls"),
}  # fmt: skip


@pytest.mark.parametrize("kind", LOST)
def test_what_would_be_lost_is_refused(kind: str) -> None:
    change, where = LOST[kind]
    method = Keeping(change)
    with pytest.raises(
        TrainingError,
        match=rf"^Stage 'training' changes 'self\.{where}', .*register_buffer\('.*`scratch` of Keeping\.$",
    ):
        train(method, method.stages()[0], STEPS, training())


def test_it_is_refused_after_two_steps() -> None:
    """Not at the end of a long training."""
    steps: list[int] = []

    def batches(step: int) -> Batch:
        steps.append(step)
        return make_batch(make_task(), seed=step)

    method = Keeping(LOST["a number"][0])
    with pytest.raises(TrainingError):
        train(method, method.stages()[0], STEPS, training(batches=batches))
    assert steps == [0, 1]


def test_what_changes_late_is_refused_before_it_is_stored(tmp_path: Path) -> None:
    calls: list[int] = []

    def late(method: Any, logits: Tensor) -> None:
        calls.append(0)
        if len(calls) == 4:
            method.count = 1

    method = Keeping(late)
    path = tmp_path / "checkpoint"
    with pytest.raises(TrainingError, match=r"'self\.count'"):
        train(method, method.stages()[0], STEPS, training(checkpoint=path, checkpoint_every=4))
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("count", "a number"),
        ("net.1.calls", "an attribute of a module"),
        ("calls", "an attribute of a module"),
    ],
)
def test_a_cache_may_change(name: str, kind: str) -> None:
    method = Keeping(LOST[kind][0])
    method.scratch = (name,)
    assert train(method, method.stages()[0], STEPS, training()).losses


class Caching(Backbone):
    """A backbone with a cache, which its author lists or does not."""

    channels, reductions = (6,), (32,)

    def __init__(self, scratch: tuple[str, ...]) -> None:
        super().__init__()
        self.scratch = scratch
        self.inner = nn.Sequential(nn.Identity())

    def forward(self, images: Tensor) -> list[Tensor]:
        self.inner.grid = images[:, :1]
        return [images]


@pytest.mark.parametrize("scratch", ["grid", "inner.grid", "", "rid", "inner"])
def test_a_backbone_may_have_caches_of_its_own(scratch: str) -> None:
    method = Keeping(lambda m, x: m.backbone(x[:, :, None, None]))
    method.backbone = Caching((scratch,))
    if scratch.endswith("grid"):
        assert train(method, method.stages()[0], STEPS, training()).losses
    else:
        with pytest.raises(
            TrainingError, match=r"'self\.backbone\.inner\.grid'.* list 'inner\.grid' in the `scratch` of Caching"
        ):
            train(method, method.stages()[0], STEPS, training())


HARMLESS: dict[str, Callable[[Any, Tensor], object]] = {
    "nothing": lambda m, x: None,
    "a cached property": lambda m, x: m.prior,
    "a function": lambda m, x: setattr(m, "change", lambda m, x: None),
    "what a library keeps for itself": lambda m, x: setattr(m.net[1], "_cache", x),
    "a tensor of nothing": lambda m, x: setattr(m.net[1], "_empty", torch.zeros(0)),
    "the same value": lambda m, x: setattr(m, "array", np.zeros(3)),
}


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_may_change(kind: str) -> None:
    method = Keeping(HARMLESS[kind])
    assert train(method, method.stages()[0], STEPS, training()).losses


def old_spectral_norm(layer: nn.Module) -> nn.Module:
    result: nn.Module = torch.nn.utils.spectral_norm(layer)
    return result


def old_weight_norm(layer: nn.Module) -> nn.Module:
    with pytest.warns(FutureWarning):
        result: nn.Module = torch.nn.utils.weight_norm(layer)
    return result


def pruned(layer: nn.Module) -> nn.Module:
    from torch.nn.utils import prune

    result: nn.Module = prune.random_unstructured(layer, "weight", 0.5)
    return result


def compiled(layer: nn.Module) -> nn.Module:
    layer.compile(backend="eager")
    return layer


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")
@pytest.mark.parametrize(
    "wrap", [old_spectral_norm, old_weight_norm, parametrizations.spectral_norm, parametrizations.weight_norm, pruned, compiled]
)  # fmt: skip
def test_layers_that_compute_their_weights_are_kept(wrap: Callable[[nn.Module], nn.Module], tmp_path: Path) -> None:
    """They train, and are resumed bit for bit."""

    def make() -> Keeping:
        method = Keeping(lambda m, x: None)
        with method.task.init("other"):
            method.net[1] = nn.Linear(3 * 32 * 32, 6)
            method.net[1] = wrap(method.net[1])
        return method

    whole, resumed, killed, path = make(), make(), make(), tmp_path / "checkpoint"
    train(whole, whole.stages()[0], STEPS, training())
    broken = training(checkpoint=path, checkpoint_every=3, batches=Killed(killed.task, stop=3))
    with pytest.raises(KeyboardInterrupt):
        train(killed, killed.stages()[0], STEPS, broken)
    train(resumed, resumed.stages()[0], STEPS, training(checkpoint=path))
    assert same(whole, resumed)


def creates_a_module(method: Any, logits: Tensor) -> None:
    method.late = nn.Linear(2, 2)


def grows_a_buffer(method: Any, logits: Tensor) -> None:
    method.frozen[1].running_mean = torch.zeros(len(method.frozen[1].running_mean) + 1)


def narrows_a_buffer(method: Any, logits: Tensor) -> None:
    method.frozen[1].running_mean = method.frozen[1].running_mean.half()


def removes_a_parametrization(method: Any, logits: Tensor) -> None:
    if parametrize.is_parametrized(method.frozen[0]):
        parametrize.remove_parametrizations(method.frozen[0], "weight")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (creates_a_module, r"creates 'late\.bias'"),
        (grows_a_buffer, r"changes the shape or type of 'frozen\.1\.running_mean'"),
        (narrows_a_buffer, r"changes the shape or type of 'frozen\.1\.running_mean'"),
        (removes_a_parametrization, r"removes 'frozen\.0\.parametrizations"),
    ],
)
def test_a_method_keeps_its_parts(change: Callable[[Any, Tensor], object], sentence: str) -> None:
    method = Keeping(change)
    if change is removes_a_parametrization:
        parametrizations.orthogonal(method.frozen[0])
    with pytest.raises(TrainingError, match=f"Stage 'training' {sentence}.*__init__"):
        train(method, method.stages()[0], STEPS, training())


@pytest.mark.parametrize(
    "value",
    [
        torch.zeros(0),
        torch.tensor(True),
        torch.ones(2, 2, dtype=torch.bfloat16),
        torch.ones(2, dtype=torch.complex64),
        torch.ones(2, 2).to_sparse(),
        torch.ones(2, 3, 4, 4).contiguous(memory_format=torch.channels_last),
        np.array(["a", "b"]),
        np.array([{"a": 1}], dtype=object),
        {1, 2},
        {(1, 2): None, 3.5: b"a"},
        range(3),
        [[[]]],
    ],
)
def test_values_of_all_kinds_are_compared(value: object) -> None:
    """One that is equal is no change, and one more of it is."""

    def replaces(method: Any, logits: Tensor) -> None:
        method.items = copy.deepcopy(method.items)

    def grows(method: Any, logits: Tensor) -> None:
        method.items = [*method.items, copy.deepcopy(value)]

    method = Keeping(replaces)
    method.items = [value, method.items]
    method.items[1].append(method.items)  # it contains itself
    assert train(method, method.stages()[0], 3, training()).losses
    method = Keeping(grows)
    method.items = [value]
    with pytest.raises(TrainingError, match=r"'self\.items'"):
        train(method, method.stages()[0], 3, training())


def test_a_module_that_is_no_part_of_the_method() -> None:
    method = Keeping(lambda m, x: None)
    stage = Stage("training", method.step, {"net": Group([method.net, method.hidden[0]])})
    with pytest.raises(TrainingError, match=r"trains a Linear that is no part of the method.*nn\.ModuleList"):
        train(method, stage, 3, training())


def test_a_stage_that_yields_nothing_is_not_trained(store: Store) -> None:
    method = Keeping(lambda m, x: None)

    def never(batch: Batch, clock: Clock) -> Iterator[Update]:
        if clock.steps < 0:
            yield Update("net", method.net(batch.images).sum())

    stage = Stage("training", never, {"net": Group([method.net])})
    with pytest.raises(TrainingError, match="'training' yielded no update in 7 steps"):
        run_stage(store, StageNode("training", "key", STEPS), method, stage, training(), Progress())
    assert not store.trained("key")


def test_an_update_in_one_step_is_enough(tmp_path: Path) -> None:
    """Also where it was yielded before the checkpoint."""
    method, path = Keeping(lambda m, x: None), tmp_path / "checkpoint"

    def once(batch: Batch, clock: Clock) -> Iterator[Update]:
        if clock.step == 0:
            yield Update("net", method.net(batch.images).sum())

    stage = Stage("training", once, {"net": Group([method.net])})
    with pytest.raises(KeyboardInterrupt):
        train(method, stage, STEPS, training(checkpoint=path, checkpoint_every=3, batches=Killed(method.task, stop=3)))
    assert [step for step, _, _ in train(method, stage, STEPS, training(checkpoint=path)).losses] == [0]


# -- once a step, and once an epoch


@pytest.mark.parametrize("accumulate", [1, 2, 3, 4])
def test_what_happens_once_a_step_does_so_with_micro_batches(accumulate: int) -> None:
    """Counts are equal, and so are queue and teacher but for the order of sums."""
    one, several = Remembering(norm=False).double(), Remembering(norm=False).double()
    doubled = Doubled(one.task)
    train(one, one.stages()[0], STEPS, training(batches=doubled))
    train(several, several.stages()[0], STEPS, training(batches=doubled, accumulate=accumulate))
    assert (int(several.steps), int(several.at), int(several.epochs)) == (STEPS, 12 * STEPS, 4)
    for name, value in one.state_dict().items():
        assert torch.allclose(value, several.state_dict()[name], rtol=1e-7, atol=1e-7), name


class Doubled(Drawn):
    """In double precision, in which the order of sums makes no difference that matters."""

    def __call__(self, step: int) -> Batch:
        batch = make_batch(self.task, seed=step)
        return Batch(batch.images.double(), batch.expression, batch.subject)

    def unaugmented(self) -> Iterator[Batch]:
        return (self(step) for step in range(2))


def test_the_queue_holds_the_last_keys_in_order() -> None:
    """By hand: with learning rate 0 the teacher stays the student it was."""
    method = Remembering(norm=False)
    (stage, _) = method.stages()
    stage = Stage(stage.name, stage.step, {"network": Group([method.student, method.head], 0.0)}, after=method.remember)
    keys = torch.cat([method.teacher(make_batch(method.task, seed=step).images) for step in range(3)]).detach()
    train(method, stage, 3, training(accumulate=2))
    expected = torch.cat([keys[QUEUE:], keys[36 - QUEUE : QUEUE]])
    assert torch.allclose(method.queue, expected, atol=1e-6)


def momentum_in_the_step(method: Remembering, batch: Batch, clock: Clock) -> Iterator[Update]:
    """As in released code of momentum contrast: before the forward pass, through `.data`."""
    for ours, theirs in zip(method.teacher.parameters(), method.student.parameters(), strict=True):
        ours.data = ours.data * 0.9 + theirs.data * 0.1
    yield from method.step(batch, clock)


def counts_after_the_update(method: Remembering, batch: Batch, clock: Clock) -> Iterator[Update]:
    yield from method.step(batch, clock)
    method.steps += 1


def shrinks_what_it_trains(method: Remembering, batch: Batch, clock: Clock) -> Iterator[Update]:
    yield from method.step(batch, clock)
    with torch.no_grad():
        method.head.weight.mul_(0.9)


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (momentum_in_the_step, r"teacher\.1\.weight"),
        (momentum, r"teacher\.1\.weight"),
        (counts_after_the_update, "steps"),
        (shrinks_what_it_trains, r"head\.weight"),
    ],
)
@pytest.mark.parametrize("graph", [False, True])
def test_a_step_that_does_it_for_each_micro_batch_is_refused(step: Any, name: str, graph: bool) -> None:
    from ferbench.training.graph import Rehearsal

    def made() -> tuple[Remembering, Stage]:
        method = Remembering()
        groups = {"network": Group([method.student, method.head], 1e-2)}
        return method, Stage("first", functools.partial(step, method), groups)

    recorder = Rehearsal() if graph else None
    assert train(*made(), STEPS, training(graph=recorder)).losses, "it is right without micro-batches"
    with pytest.raises(
        TrainingError, match=rf"'first' changes '{name}' once for each micro-batch .*`after`.*`averages`"
    ):
        train(*made(), STEPS, training(accumulate=2, graph=recorder))


def test_a_buffer_of_the_method_itself_is_no_statistic_of_a_group() -> None:
    """Although the whole method is in the group, and with it the buffer."""
    method = Remembering()

    def counts(batch: Batch, clock: Clock) -> Iterator[Update]:
        method.steps.add_(1)
        yield from method.step(batch, clock)

    with pytest.raises(TrainingError, match=r"changes 'steps' once for each micro-batch"):
        train(method, Stage("first", counts, {"network": Group([method], 1e-2)}), STEPS, training(accumulate=2))


def test_what_comes_to_the_same_twice_is_allowed() -> None:
    """Clipping of weights and a copy every few steps, and statistics of batch norm in a module that no group trains."""
    method = Remembering()

    def clips(batch: Batch, clock: Clock) -> Iterator[Update]:
        yield from method.step(batch, clock)
        with torch.no_grad():
            method.head.weight.clamp_(-0.1, 0.1)
        if clock.every(2):
            method.teacher.load_state_dict(method.student.state_dict())
        method.teacher.train()(batch.images)

    stage = Stage("first", clips, {"network": Group([method.student, method.head], 1e-2)})
    assert train(method, stage, STEPS, training(accumulate=2)).losses


def told(outputs: dict[str, Any], second: bool = False) -> tuple[Remembering, Stage]:
    method = Remembering()

    def step(batch: Batch, clock: Clock) -> Iterator[Update]:
        loss = F.cross_entropy(method.head(method.student(batch.images)), batch.expression)
        yield Update("network", loss, outputs={n: v(batch) if callable(v) else v for n, v in outputs.items()})
        if second:
            yield Update("network", method.student(batch.images).square().mean(), outputs={"a": batch.images})

    groups = {"network": Group([method.student, method.head])}
    return method, Stage("first", step, groups, after=lambda batch, outputs, clock: None)


@pytest.mark.parametrize(
    ("outputs", "second", "sentence"),
    [
        (
            {"a": torch.zeros(5)},
            False,
            r"reports the output 'a', of shape \(5,\); it needs a row for each of 12 images",
        ),
        ({"a": torch.zeros(())}, False, r"reports the output 'a', of shape \(\)"),
        ({"a": 3.0}, False, "reports the output 'a', a float; it needs a row"),
        ({"a": lambda batch: batch.images}, True, "reports the output 'a' with two updates"),
    ],
)
def test_outputs_that_are_none(outputs: dict[str, Any], second: bool, sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        train(*told(outputs, second), 2, training())


def test_outputs_that_differ_between_micro_batches() -> None:
    names = iter("abcdef")
    method, stage = told({})

    def step(batch: Batch, clock: Clock) -> Iterator[Update]:
        yield Update("network", method.student(batch.images).mean(), outputs={next(names): batch.images})

    with pytest.raises(TrainingError, match="reports different outputs for different micro-batches"):
        train(method, Stage("first", step, stage.trains, after=stage.after), 2, training(accumulate=2))


def test_after_gets_the_whole_batch_without_gradients() -> None:
    found: list[tuple[Batch, dict[str, Tensor], bool, bool]] = []
    method, stage = told({"subject": lambda batch: batch.subject, "image": lambda batch: batch.images})

    def after(batch: Batch, outputs: Any, clock: Clock) -> None:
        found.append((batch, dict(outputs), torch.is_grad_enabled(), clock.every(2)))

    train(method, Stage(stage.name, stage.step, stage.trains, after=after), 3, training(accumulate=3))
    assert [every for *_, every in found] == [True, False, True]
    for step, (batch, outputs, gradients, _) in enumerate(found):
        expected = make_batch(method.task, seed=step)
        assert torch.equal(batch.images, expected.images)
        assert torch.equal(outputs["image"], expected.images)
        assert torch.equal(outputs["subject"], expected.subject)
        assert not gradients


def test_a_pass_before_each_epoch() -> None:
    """By the steps of the training set, or as often as the stage says. Networks are in eval mode, and trained ones in train mode
    after it."""
    found: list[tuple[int, int, int, bool]] = []
    modes: list[bool] = []
    method = Remembering()

    def look(epoch: Epoch) -> None:
        images = sum(len(batch) for batch in epoch.batches())
        found.append((epoch.number, epoch.frames, images, method.student.training))

    def step(batch: Batch, clock: Clock) -> Iterator[Update]:
        modes.append(method.student.training)
        yield Update("network", method.student(batch.images).mean())

    groups = {"network": Group([method.student])}
    train(method, Stage("first", step, groups, before_epoch=look), 5, training())
    assert found == [(number, 24, 24, False) for number in range(3)]
    assert modes == [True] * 5
    found.clear()
    train(method, Stage("first", step, groups, before_epoch=look, epoch_steps=4), 5, training())
    assert [number for number, *_ in found] == [0, 1]


def test_a_pass_draws_the_same_numbers_in_a_resumed_training(tmp_path: Path) -> None:
    """And none of those of the steps."""
    found: list[float] = []

    def stage_of(method: Remembering, look: Callable[[Epoch], None] | None) -> Stage:
        return Stage("first", method.step, {"network": Group([method.student, method.head])}, before_epoch=look)

    def draws(epoch: Epoch) -> None:
        found.append(float(torch.rand(())))

    plain, drawing, killed, resumed = (Remembering() for _ in range(4))
    train(plain, stage_of(plain, None), 4, training())
    train(drawing, stage_of(drawing, draws), 4, training())
    assert same(plain, drawing)
    whole, path = found.copy(), tmp_path / "checkpoint"
    found.clear()
    broken = training(checkpoint=path, checkpoint_every=2, batches=Killed(killed.task, stop=2))
    with pytest.raises(KeyboardInterrupt):
        train(killed, stage_of(killed, draws), 4, broken)
    found[1:] = []
    train(resumed, stage_of(resumed, draws), 4, training(checkpoint=path))
    assert found == whole
    assert len(set(whole)) == 2


def test_a_copy_is_independent() -> None:
    """A deep copy of a method trains like the method."""
    method = Remembering()
    other = copy.deepcopy(method)
    train(method, method.stages()[0], STEPS, training())
    train(other, other.stages()[0], STEPS, training())
    assert same(method, other)
