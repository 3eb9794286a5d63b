"""The optimisers of groups against plain loops of torch, and what a group and its losses may not be."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Batch, Clock, FerbenchError, Group, Method, Part, Stage, Update
from ferbench.blocks.schedules import Cosine, Warmup
from ferbench.errors import TrainingError
from ferbench.interfaces.method import derive_seed
from ferbench.testing import make_batch, make_task, training
from ferbench.training.graph import Rehearsal
from ferbench.training.loop import train
from tests.training.killed import Killed

STEPS = 6


class Two(Method):
    """A trunk and a head with dropout and batch normalisation, and one update a step."""

    def __init__(self, **group: Any) -> None:
        task = make_task()
        super().__init__(task, None, None)  # type: ignore[arg-type]
        with task.init("two"):
            self.trunk = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 8), nn.BatchNorm1d(8), nn.Dropout(0.3))
            self.head = nn.Linear(8, 6)
        self.step: Callable[[Batch, Clock], Any] = self.one
        modules = group.pop("modules", None)
        part = group.pop("part", None)
        if part is not None:
            group["parts"] = [Part([self.trunk], **part)]
        self.groups = {"net": Group([self.trunk, self.head] if modules is None else modules(self), **group)}

    def one(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        yield Update("net", F.cross_entropy(self.logits(batch.images), batch.expression))

    def stages(self) -> Sequence[Stage]:
        return [Stage("toy", self.step, self.groups)]

    def features(self, images: Tensor) -> Tensor:
        return self.trunk(images)

    def logits(self, images: Tensor) -> Tensor:
        return self.head(self.trunk(images))


def run(method: Method, steps: int = STEPS, **more: Any) -> list[Any]:
    return train(method, method.stages()[0], steps, training(**more)).losses


def same(a: nn.Module, b: nn.Module) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def by_hand(method: Two, optimiser: torch.optim.Optimizer, rho: float = 0.0, clip: float = 0.0, parts: int = 1) -> None:
    """A plain loop over the same batches with the same random numbers."""
    method.train()
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for step in range(STEPS):
        batch = make_batch(make_task(), seed=step)

        def gradients(batch: Batch = batch, step: int = step) -> None:
            torch.manual_seed(derive_seed("step", 0, "toy", step))
            optimiser.zero_grad()
            losses = [F.cross_entropy(method.logits(b.images), b.expression) for b in batch.split(parts)]
            for loss in losses:
                (loss / parts).backward()

        gradients()
        if rho:
            before = copy.deepcopy(method.state_dict())
            norm = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None]).norm()
            for p in parameters:
                assert p.grad is not None
                p.data += p.grad * (rho / norm)
            gradients()
            method.load_state_dict(before)
        if clip:
            nn.utils.clip_grad_norm_(parameters, clip)
        optimiser.step()
    method.eval()


@pytest.mark.parametrize(
    ("group", "make"),
    [
        ({"optimiser": "sgd", "lr": 0.1}, lambda p: torch.optim.SGD(p, lr=0.1, fused=True)),
        (
            {"optimiser": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
            lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01, fused=True),
        ),
        (
            {"optimiser": "adam", "lr": 0.01, "betas": (0.5, 0.9), "weight_decay": 0.1},
            lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.5, 0.9), weight_decay=0.1, fused=True),
        ),
        ({"lr": 0.01, "weight_decay": 0.1}, lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1, fused=True)),
    ],
    ids=["sgd", "nesterov", "adam", "adamw"],
)
def test_it_is_torchs_optimiser(group: dict[str, Any], make: Any) -> None:
    ours, theirs = Two(**group), Two()
    run(ours)
    by_hand(theirs, make(list(theirs.parameters())))
    assert same(ours, theirs)


@pytest.mark.parametrize("modules", [None, lambda two: [two], lambda two: [two.head]], ids=["both", "whole", "head"])
def test_a_part_has_a_rate_and_a_weight_decay_of_its_own(modules: Any) -> None:
    """Whether or not the group's modules contain the part."""
    ours = Two(lr=0.01, weight_decay=0.1, part={"lr": 0.001, "weight_decay": 0.0}, modules=modules)
    theirs = Two()
    run(ours)
    head = {"params": list(theirs.head.parameters()), "lr": 0.01, "weight_decay": 0.1}
    trunk = {"params": list(theirs.trunk.parameters()), "lr": 0.001, "weight_decay": 0.0}
    by_hand(theirs, torch.optim.AdamW([head, trunk], fused=True))
    assert same(ours, theirs)


def test_a_part_is_trained_where_the_rest_stands_still() -> None:
    ours, before = Two(optimiser="sgd", lr=0.0, part={"lr": 0.1}), Two()
    run(ours)
    after, started = ours.state_dict(), before.state_dict()
    assert torch.equal(after["head.weight"], started["head.weight"])
    assert not torch.equal(after["trunk.1.weight"], started["trunk.1.weight"])


def test_a_part_keeps_the_groups_weight_decay_and_follows_its_schedule() -> None:
    """Without gradients, AdamW's decay is lr * weight_decay a step."""
    ours = Two(lr=0.5, weight_decay=0.1, schedule=lambda progress: 1 - progress, part={"lr": 0.1})

    def still(batch: Batch, clock: Clock) -> Iterator[Update]:
        yield Update("net", 0 * sum(p.sum() for p in (*ours.head.parameters(), *ours.trunk.parameters())))  # type: ignore[arg-type]

    ours.step = still
    before = copy.deepcopy(ours.state_dict())
    run(ours, 4)
    for name, scale in (("head.weight", 1.0), ("trunk.1.weight", 0.2)):
        kept = math.prod(1 - 0.5 * scale * 0.1 * (1 - step / 4) for step in range(4))
        assert torch.allclose(ours.state_dict()[name], before[name] * kept, rtol=1e-5)


@pytest.mark.parametrize("parts", [1, 3])
def test_sam_is_the_gradient_at_the_weights_uphill(parts: int) -> None:
    """With the same dropout, and with the running statistics of the first pass; micro-batches share one perturbation."""
    ours, theirs = Two(optimiser="sgd", lr=0.1, momentum=0.9, sam=0.3), Two()
    other = Two(optimiser="sgd", lr=0.1, momentum=0.9)
    for method in (ours, other):
        run(method, accumulate=parts)
    by_hand(theirs, torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9, fused=True), rho=0.3, parts=parts)
    for name, value in ours.state_dict().items():
        assert torch.allclose(value.float(), theirs.state_dict()[name].float(), atol=1e-5), name
    assert not torch.allclose(ours.head.weight, other.head.weight, atol=1e-3)


def test_what_follows_a_sam_update_runs_once_and_sees_the_first_pass() -> None:
    method = Two(sam=0.1)
    done: list[int] = []
    seen: list[bool] = []

    def counts(batch: Batch, clock: Clock) -> Iterator[Update]:
        loss = F.cross_entropy(method.logits(batch.images), batch.expression)
        yield Update("net", loss)
        done.append(clock.step)
        seen.append(bool(torch.isfinite(loss)))

    method.step = counts
    losses = run(method, 3)
    assert done == [0, 1, 2]
    plain = Two()
    assert losses[0] == run(plain, 1)[0]


def test_sam_updates_first() -> None:
    method = Two()
    method.groups = {"trunk": Group([method.trunk]), "head": Group([method.head], sam=0.1)}

    def second(batch: Batch, clock: Clock) -> Iterator[Update]:
        yield Update("trunk", method.logits(batch.images).mean())
        yield Update("head", method.logits(batch.images).mean())

    method.step = second
    with pytest.raises(TrainingError, match="updates group 'head', which has sam, after another; update it first"):
        run(method, 1)


def test_sam_needs_the_same_update_again() -> None:
    method = Two(sam=0.1)
    calls: list[int] = []

    def once(batch: Batch, clock: Clock) -> Iterator[Update]:
        calls.append(0)
        if len(calls) == 1:
            yield Update("net", method.logits(batch.images).mean())

    method.step = once
    with pytest.raises(TrainingError, match="yields other updates where group 'net', which has sam, runs it again"):
        run(method, 1)


def test_a_group_clips_by_its_own_norm() -> None:
    """clip_norm of the group comes before the trainer's; 0 turns it off."""
    for own, trainers, expected in ((0.01, 0.0, 0.01), (0.01, 5.0, 0.01), (0.0, 0.02, 0.0), (None, 0.02, 0.02)):
        ours, theirs = Two(optimiser="sgd", lr=0.1, clip_norm=own), Two()
        run(ours, clip_norm=trainers)
        by_hand(theirs, torch.optim.SGD(theirs.parameters(), lr=0.1, fused=True), clip=expected)
        assert same(ours, theirs), (own, trainers)


EVERYTHING: list[dict[str, Any]] = [
    {"optimiser": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True, "part": {"lr": 0.01}},
    {"optimiser": "adam", "lr": 0.01, "weight_decay": 0.1, "schedule": Warmup(0.3, then=Cosine()), "part": {}},
    {"lr": 0.01, "sam": 0.2, "clip_norm": 0.5, "part": {"weight_decay": 0.1}},
]


@pytest.mark.parametrize("group", EVERYTHING, ids=["sgd", "adam", "sam"])
def test_a_training_resumes_bit_for_bit(group: dict[str, Any], tmp_path: Path) -> None:
    whole, cut, resumed = Two(**group), Two(**group), Two(**group)
    losses = run(whole, 6)

    path = tmp_path / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        run(cut, 6, batches=Killed(make_task(), stop=5), checkpoint=path, checkpoint_every=2)
    assert run(resumed, 6, checkpoint=path) == losses
    assert same(whole, resumed)


@pytest.mark.parametrize("group", EVERYTHING[:2], ids=["sgd", "adam"])
def test_recorded_steps_compute_the_same(group: dict[str, Any]) -> None:
    plain, graphed = Two(**group), Two(**group)
    found = train(graphed, graphed.stages()[0], 10, training(graph=Rehearsal()))
    assert (found.losses, found.obstacle) == (run(plain, 10), "")
    assert same(plain, graphed)


def test_steps_with_sam_are_not_recorded() -> None:
    plain, graphed = Two(sam=0.1), Two(sam=0.1)
    found = train(graphed, graphed.stages()[0], 6, training(graph=Rehearsal()))
    assert found.losses == run(plain)
    assert "group 'net' has sam, for which random numbers are drawn again" in found.obstacle


def test_micro_batches_give_the_whole_batchs_step() -> None:
    whole, parts = (Two(optimiser="sgd", lr=0.1, momentum=0.9, part={}) for _ in range(2))
    for method in (whole, parts):
        method.trunk[2], method.trunk[3] = nn.Identity(), nn.Identity()
    run(whole)
    run(parts, accumulate=3)
    assert torch.allclose(whole.head.weight, parts.head.weight, atol=1e-6)


LAYER = nn.Linear(2, 2)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Group([LAYER], lr=-1), "Group.lr is -1; it has to be at least 0."),
        (lambda: Group([LAYER], lr=float("nan")), "Group.lr is nan"),
        (lambda: Group([LAYER], lr=math.inf), "Group.lr is inf"),
        (lambda: Group([LAYER], lr="0.1"), "Group.lr is '0.1'; it has to be a number."),  # type: ignore[arg-type]
        (lambda: Group([LAYER], lr=None), "Group.lr is None; it has to be a number."),  # type: ignore[arg-type]
        (lambda: Group([LAYER], clip_norm=""), "Group.clip_norm is ''; it has to be a number."),  # type: ignore[arg-type]
        (lambda: Group([LAYER], betas=0.9), "Group.betas is 0.9; it has to be two numbers."),  # type: ignore[arg-type]
        (lambda: Part([LAYER], "1e-4"), "Part.lr is '1e-4'; it has to be a number."),  # type: ignore[arg-type]
        (lambda: Group([LAYER], weight_decay=-0.1), "Group.weight_decay is -0.1"),
        (lambda: Group([LAYER], sam=-0.1), "Group.sam is -0.1"),
        (lambda: Group([LAYER], clip_norm=-1), "Group.clip_norm is -1"),
        (
            lambda: Group([LAYER], betas=(0.9, 1.0)),
            "a value of Group.betas is 1.0; it has to be at least 0 and below 1.",
        ),
        (lambda: Group([LAYER], betas=(0.9,)), "Group.betas is (0.9,); it has to be two numbers."),  # type: ignore[arg-type]
        (
            lambda: Group([LAYER], optimiser="sgd", momentum=1),
            "Group.momentum is 1; it has to be at least 0 and below 1.",
        ),
        (
            lambda: Group([LAYER], momentum=0.9),
            "Group.momentum and Group.nesterov are SGD's, and the optimiser is adamw",
        ),
        (lambda: Group([LAYER], optimiser="sgd", nesterov=True), "Group.nesterov needs a momentum"),
        (lambda: Group([LAYER], optimiser="sgd", betas=(0.5, 0.9)), "SGD has none: write momentum=0.5."),
        (
            lambda: Group([LAYER], optimiser="adamwe"),
            "Group.optimiser is 'adamwe'; it can be adamw, adam, sgd. Did you mean 'adamw'?",
        ),
        (
            lambda: Group([LAYER], schedule="warmup_cosine"),
            "Group.schedule is 'warmup_cosine'; it can be constant, cosine, a function of the stage's progress",
        ),
        (lambda: Group(LAYER), "Group.modules is a Linear; write a list: Group([module])."),  # type: ignore[arg-type]
        (lambda: Group(["head"]), "Group.modules has a str; it is a list of modules"),  # type: ignore[list-item]
        (
            lambda: Group([nn.Parameter(torch.zeros(6, 64))]),  # type: ignore[list-item]
            "Put the parameter into one: self.centres = nn.ParameterList([nn.Parameter(...)]), then Group([self.centres]).",
        ),
        (lambda: Part([LAYER], -0.1), "Part.lr is -0.1; it has to be at least 0."),
        (lambda: Part([LAYER], weight_decay=-1), "Part.weight_decay is -1; it has to be at least 0."),
        (lambda: Part(LAYER), "Part.modules is a Linear; write a list: Part([module])."),  # type: ignore[arg-type]
    ],
)
def test_a_group_that_cannot_be_is_refused_when_it_is_made(make: Any, text: str) -> None:
    with pytest.raises(FerbenchError, match=re.escape(text)):
        make()


def test_a_parameter_trains_in_a_parameter_list() -> None:
    """What the sentence on parameters tells an author to write."""
    method = Two()
    centres = nn.ParameterList([nn.Parameter(torch.zeros(6, 8))])
    method.centres = centres
    method.groups = {"net": Group([centres])}

    def attract(batch: Batch, clock: Clock) -> Iterator[Update]:
        yield Update("net", F.mse_loss(centres[0][batch.expression], method.trunk(batch.images)))

    method.step = attract
    run(method, 2)
    assert method.state_dict()["centres.0"].abs().sum() > 0


def test_modules_may_come_from_a_generator() -> None:
    ours, theirs = Two(modules=lambda two: two.children()), Two()
    run(ours)
    run(theirs)
    assert same(ours, theirs)


def test_parts_may_not_share_weights() -> None:
    method = Two()
    method.groups = {"net": Group([method.head], parts=[Part([method.trunk]), Part([method.trunk[1]])])}
    with pytest.raises(
        TrainingError, match="Group 'net' of stage 'toy' cannot be trained: two parts of it have weights in common."
    ):
        run(method, 1)


@pytest.mark.parametrize(("given", "shown"), [(None, "None"), ("much", "'much'")])
def test_a_schedule_that_gives_no_number(given: Any, shown: str) -> None:
    method = Two(schedule=lambda progress: given)
    with pytest.raises(
        TrainingError,
        match=f"Group 'net' of stage 'toy' cannot be trained: its schedule gives {shown} at progress 0; a factor of lr is a number",
    ):
        run(method, 1)


def test_a_schedule_that_gives_no_learning_rate() -> None:
    method = Two(schedule=lambda progress: 1 - 3 * progress)
    with pytest.raises(
        TrainingError, match="Group 'net' of stage 'toy' cannot be trained: its schedule gives -0.5 at progress 0.5"
    ) as caught:
        run(method, 4)
    assert (caught.value.stage, caught.value.step) == ("toy", 2)


def _one_loss(method: Two, batch: Batch) -> Iterator[Update]:
    loss = method.logits(batch.images).square().mean()
    yield Update("trunk", loss)
    yield Update("head", loss)


def _old_forward(method: Two, batch: Batch) -> Iterator[Update]:
    hidden = method.trunk(batch.images)
    logits = method.head(hidden)
    yield Update("head", method.head(hidden.detach()).square().mean())
    yield Update("trunk", logits.square().mean())


def _detached(method: Two, batch: Batch) -> Iterator[Update]:
    yield Update("head", method.logits(batch.images).detach().square().mean())


def _of_another_group(method: Two, batch: Batch) -> Iterator[Update]:
    yield Update("head", method.trunk(batch.images).square().mean())


def _not_scalar(method: Two, batch: Batch) -> Iterator[Update]:
    yield Update("head", method.logits(batch.images).square().mean(1))


def _number(method: Two, batch: Batch) -> Iterator[Update]:
    yield Update("head", 0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (_one_loss, "gives group 'head' a loss that shares computations with an update before it"),
        (_old_forward, "gives group 'trunk' a loss that was computed with weights, or values, that have changed since"),
        (_detached, "gives group 'head' a loss that depends on none of the group's weights"),
        (_of_another_group, "gives group 'head' a loss that depends on none of the group's weights"),
        (_not_scalar, "gives group 'head' a loss that is a tensor of shape (12,); a loss is a scalar tensor"),
        (_number, "gives group 'head' a loss that is a float; a loss is a scalar tensor"),
    ],
)
def test_a_loss_that_cannot_train_its_group(step: Any, text: str) -> None:
    method = Two()
    method.groups = {"trunk": Group([method.trunk]), "head": Group([method.head])}
    method.step = lambda batch, clock: step(method, batch)
    with pytest.raises(TrainingError, match=re.escape(text)) as caught:
        run(method, 2)
    assert "The step of stage 'toy' (" in str(caught.value)
    assert (caught.value.stage, caught.value.step) == ("toy", 0)


def test_a_parameter_that_a_loss_does_not_use_stays() -> None:
    """It has no gradient, so that weight decay does not move it either."""
    method = Two(weight_decay=0.5)

    def only_the_trunk(batch: Batch, clock: Clock) -> Iterator[Update]:
        yield Update("net", method.trunk(batch.images).square().mean())

    method.step = only_the_trunk
    before = method.head.weight.clone()
    run(method, 2)
    assert torch.equal(method.head.weight, before)
