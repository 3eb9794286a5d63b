"""The loop against loops written by hand, and what it promises: frozen parts, accumulation, seeds, NaN."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Batch, Clock, Group, Method, MethodCard, Stage, Task, Update
from ferbench.errors import TrainingError
from ferbench.interfaces.method import derive_seed
from ferbench.registry.loader import load_registry
from ferbench.testing import CPU, make_batch, make_method, make_task, training
from ferbench.training.loop import Device, train

BF16 = Device(torch.device("cpu"), "bf16")


class Toy(Method):
    """Two small networks; its stages are what a test gives."""

    scratch = ("seen",)

    def __init__(self) -> None:
        task = make_task()
        super().__init__(task, None, None)  # type: ignore[arg-type]
        with task.init("toy"):
            self.a = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 8), nn.BatchNorm1d(8), nn.Linear(8, 6))
            self.b = nn.Linear(6, 6)
        self.step: Any = self.good
        self.groups: dict[str, Group] = {"a": Group([self.a]), "b": Group([self.b])}

    def good(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        yield Update("a", F.cross_entropy(self.a(batch.images), batch.expression))
        logits = self.b(self.a(batch.images))
        loss = F.cross_entropy(logits, batch.expression)
        yield Update("b", loss, {"half": loss / 2})

    def stages(self) -> Sequence[Stage]:
        return [Stage("toy", self.step, self.groups)]

    def features(self, images: Tensor) -> Tensor:
        return self.a(images)

    def logits(self, images: Tensor) -> Tensor:
        return self.b(self.a(images))


def weights(method: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in method.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def run(method: Method, steps: int = 5, **more: Any) -> list[tuple[int, str, float]]:
    return train(method, method.stages()[0], steps, training(**more)).losses


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_degan_equals_a_loop_written_by_hand(precision: str) -> None:
    """Five steps of the two-optimiser stage, bit for bit."""
    registry = load_registry()
    ours = make_method(registry, registry.get(MethodCard, "degan"))
    theirs = copy.deepcopy(ours)
    device = Device(torch.device("cpu"), precision)
    train(ours, ours.stages()[0], 5, training(device=device))

    stage = theirs.stages()[0]
    theirs.eval().requires_grad_(False)
    optimisers = {}
    for name, group in stage.trains.items():
        for module in group.modules:
            module.train().requires_grad_(True)
        parameters = [p for module in group.modules for p in module.parameters()]
        optimisers[name] = torch.optim.AdamW(parameters, lr=group.lr, betas=group.betas, weight_decay=0, fused=True)
    for step in range(5):
        torch.manual_seed(derive_seed("step", 0, "synthesis", step))
        generator = stage.step(make_batch(make_task(), seed=step), Clock(step, 5))
        for _ in range(2):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                update = next(generator)
            optimiser = optimisers[update.group]
            gradients = torch.autograd.grad(update.loss, optimiser.param_groups[0]["params"], retain_graph=True)
            for parameter, gradient in zip(optimiser.param_groups[0]["params"], gradients, strict=True):
                parameter.grad = gradient
            optimiser.step()
    theirs.eval()
    assert same(weights(ours), weights(theirs))


def test_an_update_sees_the_weights_just_changed_under_autocast() -> None:
    """Inside one autocast context the second forward would use the cast copy of the old weight."""

    class Moves(Toy):
        seen: list[float]

        def moving(self, batch: Batch, clock: Clock) -> Iterator[Update]:
            ones = torch.ones(4, 6)
            self.seen = [self.b(ones).float().mean().item()]
            yield Update("b", self.b(ones).float().mean())
            self.seen.append(self.b(ones).float().mean().item())

    method = Moves()
    method.step = method.moving
    method.groups = {"b": Group([method.b], lr=10.0)}
    run(method, 1, device=BF16)
    assert method.seen[1] < method.seen[0] - 5


def test_losses_are_logged_by_name_for_every_step() -> None:
    losses = run(Toy(), 3)
    assert [(step, name) for step, name, _ in losses] == [(s, n) for s in range(3) for n in ("a", "b", "b/half")]
    assert all(math.isclose(losses[i + 1][2], 2 * losses[i + 2][2], rel_tol=1e-6) for i in (0, 3, 6))


def test_micro_batches_give_the_whole_batchs_step() -> None:
    """Without batch normalisation, 1 x 12 and 3 x 4 move the weights alike."""
    whole, parts = Toy(), Toy()
    for method in (whole, parts):
        method.a[2] = nn.Identity()
    run(whole)
    run(parts, accumulate=3)
    for name, value in parts.state_dict().items():
        assert torch.allclose(value, whole.state_dict()[name], atol=2e-5), name


def test_two_runs_are_bit_identical_and_another_seed_is_not() -> None:
    registry = load_registry()
    card = registry.get(MethodCard, "degan")
    ended = []
    for seed in (0, 0, 1):
        method = make_method(registry, card, seed=seed)
        run(method, 3, seed=seed)
        ended.append(weights(method))
    assert same(ended[0], ended[1])
    assert not same(ended[0], ended[2])


def test_clipping_bounds_the_gradient() -> None:
    method = Toy()
    run(method, 1, clip_norm=1e-3)
    norm = torch.stack([p.grad.norm() for p in method.a.parameters() if p.grad is not None]).norm()
    assert norm <= 1.001e-3


def test_the_cosine_schedule() -> None:
    """With steps of Adam (betas 0), each step moves a weight by the learning rate of the step."""
    method = Toy()
    method.groups = {"a": Group([method.a], 0.1, betas=(0.0, 0.0), schedule="cosine"), "b": Group([method.b])}
    last = method.a[3]
    assert isinstance(last, nn.Linear)
    seen: list[float] = []

    def spy(batch: Batch, clock: Clock) -> Iterator[Update]:
        seen.append(last.bias.detach().clone()[0].item())
        yield Update("a", method.a(batch.images).sum())

    method.step = spy
    run(method, 4)
    seen.append(last.bias.detach()[0].item())
    steps = [abs(b - a) for a, b in pairwise(seen)]
    assert steps == pytest.approx([0.1 * 0.5 * (1 + math.cos(math.pi * s / 4)) for s in range(4)], rel=1e-3)


def test_a_conditional_update_is_an_if() -> None:
    method = Toy()

    def every_other(batch: Batch, clock: Clock) -> Iterator[Update]:
        if clock.step % 2 == 0:
            yield Update("a", method.a(batch.images).mean())
        yield Update("b", method.b(method.a(batch.images)).mean())

    method.step = every_other
    assert [name for _, name, _ in run(method, 3)] == ["a", "b", "b", "a", "b"]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_stage_and_is_named(value: float, tmp_path: Path) -> None:
    method = Toy()

    def broken(batch: Batch, clock: Clock) -> Iterator[Update]:
        loss = method.a(batch.images).mean()
        bad = loss * value if clock.step == 3 else loss
        yield Update("a", loss, {"odd": bad})

    method.step = broken
    with pytest.raises(TrainingError, match=r"The loss 'a/odd' is (nan|inf|-inf) in step 3 of stage 'toy'") as caught:
        run(method, 5, checkpoint=tmp_path / "c", checkpoint_every=2)
    assert (caught.value.stage, caught.value.step) == ("toy", 3)


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    """The loss is looked at before every checkpoint."""
    method = Toy()

    def broken(batch: Batch, clock: Clock) -> Iterator[Update]:
        yield Update("a", method.a(batch.images).mean() * math.nan)

    method.step = broken
    with pytest.raises(TrainingError):
        run(method, 5, checkpoint=tmp_path / "c", checkpoint_every=1)
    assert not (tmp_path / "c").exists()


def test_a_step_that_returns_is_shown_where_it_stands() -> None:
    method = Toy()

    def returns(batch: Batch, clock: Clock) -> Any:
        return [Update("a", method.a(batch.images).mean())]

    method.step = returns
    line = returns.__code__.co_firstlineno
    with pytest.raises(TrainingError, match=rf"test_loop.py, line {line}\) returns instead of yielding"):
        run(method, 1)


def test_an_unknown_group() -> None:
    method = Toy()

    def wrong(batch: Batch, clock: Clock) -> Iterator[Update]:
        yield Update("c", method.a(batch.images).mean())

    method.step = wrong
    with pytest.raises(
        TrainingError, match="updates the group 'c', which the stage does not have: its groups are a, b"
    ):
        run(method, 1)
    method.groups = {}
    with pytest.raises(
        TrainingError, match="updates the group 'c', which the stage does not have: its `trains` is empty"
    ):
        run(method, 1)


def test_what_is_no_update() -> None:
    method = Toy()

    def wrong(batch: Batch, clock: Clock) -> Iterator[Any]:
        yield method.a(batch.images).mean()

    method.step = wrong
    with pytest.raises(TrainingError, match=r"yields a Tensor; write 'yield Update\(group, loss\)'"):
        run(method, 1)


def test_groups_may_not_share_weights_and_have_some() -> None:
    method = Toy()
    method.groups = {"a": Group([method.a]), "b": Group([method.a[3]])}
    with pytest.raises(TrainingError, match="'a' and 'b' of stage 'toy' train the same weights"):
        run(method, 1)
    method.groups = {"a": Group([nn.ReLU()])}
    with pytest.raises(TrainingError, match="has no parameters"):
        run(method, 1)


def test_what_is_not_trained_is_frozen_and_in_eval_mode() -> None:
    method = Toy()
    seen: list[tuple[bool, bool, bool]] = []

    def only_b(batch: Batch, clock: Clock) -> Iterator[Update]:
        seen.append((method.a.training, method.b.training, any(p.requires_grad for p in method.a.parameters())))
        yield Update("b", method.b(method.a(batch.images)).mean())

    method.step, method.groups = only_b, {"b": Group([method.b])}
    before = weights(method.a)
    run(method, 3)
    assert seen == [(False, True, False)] * 3
    assert same(before, weights(method.a))


def test_an_unknown_device() -> None:
    with pytest.raises(TrainingError, match="trainer.device=toaster cannot be used here"):
        Device.choose("toaster", "fp32")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", ["degan", "cross_entropy"])
def test_on_a_gpu_losses_agree_with_the_cpu(name: str) -> None:
    registry = load_registry()
    card = registry.get(MethodCard, name)
    first = []
    for device in ("cpu", "cuda"):
        method = make_method(registry, card).to(device)
        made = training(device=Device(torch.device(device), "fp32"))
        made.batches = lambda step, device=device: make_batch(make_task(), seed=step, device=device)  # type: ignore[misc]
        first.append(train(method, method.stages()[0], 1, made).losses[0][2])
    assert first[0] == pytest.approx(first[1], rel=0.02)


def test_init_depends_on_seed_and_part_alone() -> None:
    def draw(seed: int, part: str) -> Tensor:
        torch.rand(3)
        with Task((), (), 32, seed).init(part):
            return torch.rand(4)

    assert torch.equal(draw(0, "a"), draw(0, "a"))
    assert not torch.equal(draw(0, "a"), draw(0, "b"))
    assert not torch.equal(draw(0, "a"), draw(1, "a"))
    assert CPU.precision == "fp32"
