"""A golden test that cannot fail is no test: small changes of the arithmetic, each of which has to be noticed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional as F

import ferbench.data.batches
import ferbench.data.cache
import ferbench.interfaces.evaluator
import ferbench.interfaces.method
import ferbench.training.loop
import ferbench.training.optimisers
import ferbench.training.steps
from ferbench import MethodCard, Task
from ferbench.registry.loader import load_registry
from ferbench_degan import losses, method
from tests.golden import core, evaluators, files, methods
from tests.golden.cases import cases
from tests.golden.check import explain
from tests.golden.compare import differences

Patch = pytest.MonkeyPatch


def full(name: str, **overrides: object) -> list[str]:
    """Differences of the full variant of a method."""
    held = {path: value for path, value in files.read(f"method/{name}")["values"].items() if path.startswith("full/")}
    return differences(held, methods.run(load_registry().get(MethodCard, name), overrides, "full"))


def part(name: str) -> list[str]:
    return differences(files.read(f"core/{name}")["values"], core.PARTS[name]())


# -- methods


QUICK = ("cross_entropy", "fdrl", "grl", "iacnn")
SETTINGS = [
    (name, setting, value * 1.1)
    for name in QUICK
    for setting, value in load_registry().get(MethodCard, name).defaults().items()
    if isinstance(value, float) and value
]


@pytest.mark.parametrize(("name", "setting", "value"), SETTINGS)
def test_a_number_that_is_a_tenth_larger(name: str, setting: str, value: float) -> None:
    """Learning rates, weights of losses, margins: as if the method's code multiplied them by 1.1."""
    assert full(name, **{setting: value})


def _without_a_term(patch: Patch) -> None:
    def terms(*args: Any, **more: Any) -> dict[str, torch.Tensor]:
        return {
            name: value for name, value in losses.generator_terms(*args, **more).items() if name != "reconstruction"
        }

    patch.setattr(method, "generator_terms", terms)


def _other_noise(patch: Patch) -> None:
    rand_like, rand = torch.rand_like, torch.rand
    patch.setattr(torch, "rand_like", lambda *a, **k: 1 - rand_like(*a, **k))
    patch.setattr(torch, "rand", lambda *a, **k: 1 - rand(*a, **k))


def _leaky(patch: Patch) -> None:
    leaky_relu = F.leaky_relu
    patch.setattr(torch.nn.LeakyReLU, "forward", lambda self, x: leaky_relu(x, self.negative_slope * 1.1))


def _targets(patch: Patch) -> None:
    """Everybody is made from the next subject instead of another at random."""
    patch.setattr(method.DeGan, "targets", lambda self, subject: (subject.roll(1), subject == subject.roll(1)))


@pytest.mark.parametrize(
    "change", [_without_a_term, _other_noise, _leaky, _targets], ids=lambda change: change.__name__
)
def test_degan_with_another_step(change: Callable[[Patch], None], monkeypatch: Patch) -> None:
    change(monkeypatch)
    assert full("degan")


def test_an_unchanged_method_has_no_differences() -> None:
    assert full("grl") == []


# -- the core


def _optimiser(**changed: Any) -> Callable[[Patch], None]:
    made = ferbench.training.optimisers.optimiser_of

    def other(group: Any, parameters: Any) -> torch.optim.Optimizer:
        optimiser = made(group, parameters)
        for name, change in changed.items():
            optimiser.param_groups[0][name] = change(optimiser.param_groups[0][name])
        return optimiser

    return lambda patch: patch.setattr(ferbench.training.loop, "optimiser_of", other)


LOOP: dict[str, Callable[[Patch], None]] = {
    "beta1": _optimiser(betas=lambda betas: (betas[0] * 0.9, betas[1])),
    "beta2": _optimiser(betas=lambda betas: (betas[0], betas[1] * 0.99)),
    "weight decay": _optimiser(weight_decay=lambda value: value * 1.1),
    "constant rate a tenth larger": lambda patch: patch.setattr(
        ferbench.training.steps,
        "factor_of",
        lambda group, progress: 1.1 if group.schedule == "constant" else 1.0,
    ),
    "no schedule": lambda patch: patch.setattr(ferbench.training.steps, "factor_of", lambda group, progress: 1.0),
    "seed of a step": lambda patch: patch.setattr(
        ferbench.training.steps.Steps, "seed", lambda self, step: torch.default_generator.manual_seed(step)
    ),
    "progress": lambda patch: patch.setattr(
        ferbench.interfaces.method, "fraction", lambda step, steps: (step + 1) / steps
    ),
    "no clipping": lambda patch: patch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *_: None),
    "order of micro-batches' share": lambda patch: patch.setattr(
        ferbench.training.steps, "_mean", lambda values: values[0].detach()
    ),
}


@pytest.mark.parametrize("change", LOOP.values(), ids=LOOP)
def test_another_loop(change: Callable[[Patch], None], monkeypatch: Patch) -> None:
    change(monkeypatch)
    assert part("loop")


def test_another_rotation(monkeypatch: Patch) -> None:
    transforms = ferbench.data.batches.transforms

    def wider(augment: Any, *more: Any) -> Any:
        return transforms(dataclasses.replace(augment, rotation=augment.rotation * 1.1), *more)

    monkeypatch.setattr(ferbench.data.batches, "transforms", wider)
    assert part("augmentation")


def test_another_interpolation(monkeypatch: Patch) -> None:
    grid_sample = F.grid_sample
    monkeypatch.setattr(F, "grid_sample", lambda *a, **k: grid_sample(*a, **{**k, "mode": "bicubic"}))
    assert part("augmentation")


def test_another_resampling(monkeypatch: Patch) -> None:
    from PIL import Image

    resize = Image.Image.resize
    monkeypatch.setattr(Image.Image, "resize", lambda self, size, _: resize(self, size, Image.Resampling.BILINEAR))
    assert part("preparation")


def test_another_order_of_frames(monkeypatch: Patch) -> None:
    randperm = torch.randperm
    monkeypatch.setattr(torch, "randperm", lambda *a, **k: randperm(*a, **k).flip(0))
    assert part("order")
    assert part("balanced_order")


def test_another_seed_of_initial_weights(monkeypatch: Patch) -> None:
    init = Task.init
    monkeypatch.setattr(Task, "init", lambda self, name: init(self, name + "x"))
    assert part("seeds")
    assert full("cross_entropy")


# -- evaluators


def test_other_probabilities(monkeypatch: Patch) -> None:
    made = evaluators.outputs

    def sharper(least: bool = False) -> Any:
        outputs = made(least)
        return dataclasses.replace(outputs, logits=outputs.logits * 1.1)

    monkeypatch.setattr(evaluators, "outputs", sharper)
    assert differences(files.read("evaluator/recognition")["values"], cases()["evaluator/recognition"].values())


# -- what is said


def test_the_message_names_the_version_to_raise() -> None:
    told = explain(cases()["method/grl"], ("full/training/loss/network[3]: 1 is held, now it is 2",))
    assert "raise `version` of the card of method 'grl' (plugins/ferbench_baselines/plugin.py)" in told
    assert "python -m tests.golden.write method/grl" in told
    told = explain(cases()["core/loop"], ("plain/loss/first: is gone",))
    assert "raise CORE_VERSION in ferbench/plan/identity.py" in told
