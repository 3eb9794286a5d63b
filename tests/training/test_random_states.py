"""Random states that a method shares with all other code: what it does with them changes no other result, and is found out."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ferbench import FerbenchError, Method, Task
from ferbench.cards import MethodCard
from ferbench.errors import TrainingError
from ferbench.execution.sound import need_finite, need_sound
from ferbench.randomness import own_random_state, set_seed, states
from ferbench.records.store import Store
from ferbench.registry.loader import load_registry
from ferbench.testing import make_batch, make_method, training
from ferbench.testing.outputs import outputs
from ferbench.testing.randomness import construction_randomness, outputs_repeat, step_randomness
from ferbench.training.loop import train
from tests.conftest import SMOKE
from tests.onehead import plugin

UPDATE = "yield Update('all', F.cross_entropy(self.logits(batch.images), batch.expression))"
SEEDING = ("torch.manual_seed(0)", "__import__('numpy').random.seed(0)", "__import__('random').seed(0)")
DRAWING = ("torch.rand(3)", "__import__('numpy').random.rand()", "__import__('random').random()")
GENERATORS = ("torch", "numpy", "Python")

Make = Callable[[], Method]


def written(
    folder: Path, construct: str = "pass", step: str = "pass", features: str = "pass", in_init: str = "pass"
) -> Path:
    """A plugin file with lines of the test's own in constructor, step, features (`found` is what they give) and task.init."""
    text = plugin("mine", f"{step}\n{UPDATE}")
    text = text.replace(
        "        self.backbone = backbone\n", f"        self.backbone = backbone\n        {construct}\n"
    )
    text = text.replace('task.init("heads"):\n', f'task.init("heads"):\n            {in_init}\n')
    text = text.replace(
        "        return self.backbone(images)[-1].mean((2, 3))",
        f"        found = self.backbone(images)[-1].mean((2, 3))\n        {features}\n        return found",
    )
    path = folder / "mine.py"
    path.write_text(text)
    return path


@pytest.fixture
def method(tmp_path: Path) -> Callable[..., tuple[MethodCard, Make]]:
    def load(**lines: str) -> tuple[MethodCard, Make]:
        registry = load_registry([str(written(tmp_path, **lines))])
        card = registry.get(MethodCard, "mine")
        return card, lambda: make_method(registry, card)

    return load


def test_a_method_that_keeps_the_rules(method: Callable[..., Any]) -> None:
    for rule in (outputs_repeat, construction_randomness, step_randomness):
        rule(*method())


@pytest.mark.parametrize("line", [*SEEDING, *DRAWING])
@pytest.mark.parametrize("before", [0, 1])
def test_random_states_in_the_constructor_are_found_whatever_was_seeded_before(
    method: Callable[..., Any], line: str, before: int
) -> None:
    name = GENERATORS[[*SEEDING, *DRAWING].index(line) % 3]
    card, make = method(construct=line)
    with (
        own_random_state(before),
        pytest.raises(AssertionError, match=f"draws from the global random state of {name}, or"),
    ):
        construction_randomness(card, make)


@pytest.mark.parametrize(("line", "name"), list(zip(SEEDING, GENERATORS, strict=True)))
@pytest.mark.parametrize("before", [0, 1])
def test_a_seed_in_the_step_is_found_whatever_was_seeded_before(
    method: Callable[..., Any], line: str, name: str, before: int
) -> None:
    card, make = method(step=line)
    with (
        own_random_state(before),
        pytest.raises(AssertionError, match=f"stage 'training' sets the seed of {name}, so that"),
    ):
        step_randomness(card, make)


@pytest.mark.parametrize("line", DRAWING)
def test_a_step_may_draw(method: Callable[..., Any], line: str) -> None:
    step_randomness(*method(step=line))


NOISE = (
    "found = F.dropout(found)",
    "found = found + torch.randn_like(found)",
    "found = found * __import__('random').random()",
)


@pytest.mark.parametrize("line", NOISE)
def test_noise_in_features_breaks_a_rule(method: Callable[..., Any], line: str) -> None:
    with pytest.raises(AssertionError, match="features differs from one call to the next on the same images"):
        outputs_repeat(*method(features=line))


def test_features_of_a_whole_batch_break_a_rule(method: Callable[..., Any]) -> None:
    with pytest.raises(AssertionError, match="features of an image depends on the other images of its batch"):
        outputs_repeat(*method(features="found = found - found.mean(0)"))


@pytest.mark.parametrize("name", ["identity_features", "synthesize"])
def test_noise_in_what_a_method_may_have_besides(method: Callable[..., Any], name: str) -> None:
    card, make = method()

    def noisy() -> Method:
        made = make()
        kind = type("Noisy", (type(made),), {
            "identity_features": lambda self, images: self.features(images) + (name == "identity_features") * torch.randn(()),
            "synthesize": lambda self, images, identity: images * (torch.rand(()) if name == "synthesize" else 1),
        })  # fmt: skip
        made.__class__ = kind
        return made

    with pytest.raises(AssertionError, match=f"{name} differs from one call"):
        outputs_repeat(card, noisy)
    with pytest.raises(TrainingError, match=f"{name} of .*:Noisy gives something else each time for the same images"):
        repeat(noisy())


# -- in a run


def repeat(method: Method) -> None:
    batch = make_batch(method.task)
    fold = SimpleNamespace(test=SimpleNamespace(seen=torch.arange(len(batch))), faces=lambda images: batch.split(2)[0])
    need_sound(method.eval(), lambda rows: batch.images[rows], fold)  # type: ignore[arg-type]


@pytest.mark.parametrize("line", NOISE)
def test_noise_in_features_is_refused(method: Callable[..., Any], line: str) -> None:
    _, make = method(features=line)
    with pytest.raises(
        TrainingError, match=r"features of ferbench_file_mine_\w+:OneHead gives something else each time"
    ):
        repeat(make())


BATCH = ("found = found - found.mean(0)", "found = F.batch_norm(found, None, None, training=True)")


@pytest.mark.parametrize("line", BATCH)
def test_features_of_a_whole_batch_are_refused(method: Callable[..., Any], line: str) -> None:
    _, make = method(features=line)
    with pytest.raises(
        TrainingError,
        match=r"features of ferbench_file_mine_\w+:OneHead gives something else for an image that is in another",
    ):
        repeat(make())


def test_a_method_that_goes_back_to_train_mode_is_refused(method: Callable[..., Any]) -> None:
    card, make = method(features="self.head.train()")
    with pytest.raises(
        TrainingError, match=r"features\(\) of .*:OneHead puts self\.head into train mode, in which dropout"
    ):
        repeat(make())
    with pytest.raises(AssertionError, match="features puts the method into train mode; leave train"):
        outputs_repeat(card, make)


SHAPES: tuple[tuple[str, Callable[[torch.Tensor], object], str], ...] = (
    ("features", lambda f: f[1:], r"gives the shape \(11, \d+\) for 12 images; it has to be \(12, D\), a row for each image"),
    ("features", lambda f: f[:, :0], r"gives the shape \(12, 0\) for 12 images"),
    ("features", lambda f: f.round().long(), "gives numbers of the type int64; it has to be a float type"),
    ("features", lambda f: f.numpy(), "gives a ndarray; it has to be a tensor"),
    ("logits", lambda f: f.repeat(1, 2), r"gives the shape \(12, \d+\) for 12 images; it has to be \(12, 6\), a column for each"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "change", "sentence"), SHAPES)
def test_outputs_of_a_wrong_shape_or_type(
    method: Callable[..., Any], name: str, change: Callable[[torch.Tensor], object], sentence: str
) -> None:
    card, make = method()

    def wrong() -> Method:
        made = make()
        right = getattr(type(made), name)
        made.__class__ = type("Wrong", (type(made),), {name: lambda self, images: change(right(self, images))})
        return made

    with pytest.raises(TrainingError, match=rf"{name}\(\) of .*:Wrong {sentence}.*The trained stages are kept\."):
        repeat(wrong())
    with pytest.raises(AssertionError, match=rf"{name}\(\) {sentence}"):
        outputs(card, wrong)


def test_what_gives_the_same_each_time_passes(method: Callable[..., Any]) -> None:
    repeat(method()[1]())


@pytest.mark.parametrize("name", ["logits", "features", "identity_features"])
def test_the_frames_are_named_where_outputs_are_not_finite(method: Callable[..., Any], name: str) -> None:
    from tests.evaluation.test_probes import codes
    from tests.evaluation.test_probes import outputs as made_outputs

    made = made_outputs(codes("expression"))
    values = np.zeros((len(made.frames), 4), np.float32)
    values[1], values[3, 2] = np.nan, np.inf
    changed = SimpleNamespace(**{**vars(made), "identity_features": None, name: values})
    first, second = made.frames["frame_id"].iloc[[1, 3]]
    sentence = (
        f"The {name} of 2 of {len(values)} test frames are NaN or infinite, .* gives them for {first}, {second}. The"
    )
    with pytest.raises(TrainingError, match=sentence):
        need_finite(method()[1](), changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("features", "why"),
    [
        (NOISE[0], "gives something else each time for the same images"),
        ("found = found - found.mean(0)", "gives something else for an image that is in another batch"),
        (
            "found = found[1:]",
            "gives the shape (83, 7) for 84 images; it has to be (84, 7), a column for each expression",
        ),
        ("found = found / 0", "test frames are NaN or infinite, so that"),
    ],
)
def test_a_trial_whose_features_cannot_be_judged_fails_with_a_sentence(
    ferbench: Callable[..., Any], tmp_path: Path, features: str, why: str
) -> None:
    file = written(tmp_path, features=f"if not self.backbone.training:\n            {features}")
    data = ("dataset.subjects=4", "protocol=subject_kfold", "protocol.k=2", "protocol.folds=0", "evaluation.judges=0")
    assert ferbench("run", "--plugin", file, "method=mine", *SMOKE, *data, f"results_dir={tmp_path / 'r'}").status == 1
    (failure,) = Store(tmp_path / "r").failures()
    assert why in failure.error
    assert "ferbench_file_mine" in failure.error
    assert failure.trace == "", "it is a sentence"


@pytest.mark.parametrize(("line", "name"), list(zip(SEEDING, GENERATORS, strict=True)))
def test_a_seed_in_the_step_ends_the_training(method: Callable[..., Any], line: str, name: str) -> None:
    made = method(step=line)[1]()
    with pytest.raises(
        TrainingError, match=rf"Stage 'training' sets {name}'s random seed .* each step is seeded"
    ) as failed:
        train(made, made.stages()[0], 3, training())
    assert failed.value.step <= 2


def test_a_torch_seed_in_the_constructor_ends_a_trial(tmp_path: Path) -> None:
    """Else what it creates outside `task.init` would be the same in the trials of all seeds."""
    from ferbench.config.compose import compose
    from ferbench.execution.setup import build

    registry = load_registry([str(written(tmp_path, construct=SEEDING[0]))])
    (config,) = compose(registry, ["method=mine", "dataset=synthfaces"])
    with pytest.raises(FerbenchError, match="The constructor of method 'mine' sets torch's random seed"):
        build(registry, config, Task(("a", "b"), ("s",), 32, 0))


@pytest.mark.parametrize("line", DRAWING)
def test_what_a_step_draws_depends_on_the_step_alone(method: Callable[..., Any], line: str) -> None:
    _, make = method(step=f"batch.images.mul_(float({line.replace('rand(3)', 'rand(())')}))")
    weights = []
    for seed in (1, 2):
        made = make()
        with own_random_state(seed):
            train(made, made.stages()[0], 3, training())
        weights.append(made.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_seed_inside_init_is_refused(method: Callable[..., Any]) -> None:
    with pytest.raises(
        FerbenchError, match=r"torch was seeded inside task.init\('heads'\), so that the trials of all seeds"
    ):
        method(in_init=SEEDING[0])[1]()


def test_numpy_and_python_are_seeded_inside_init_too() -> None:
    found = []
    for seed in (1, 2):
        with own_random_state(seed), Task(("a", "b"), ("s",), 32, 3).init("part"):
            found.append((random.random(), np.random.rand(), float(torch.rand(()))))  # noqa: NPY002
    assert found[0] == found[1]


@pytest.mark.parametrize("line", [*SEEDING[1:], *DRAWING])
def test_a_constructor_changes_nobody_elses_numbers(tmp_path: Path, line: str) -> None:
    from ferbench.config.compose import compose
    from ferbench.execution.setup import build

    registry = load_registry([str(written(tmp_path, construct=f"{line}; self.drawn = torch.rand(3)"))])
    (config,) = compose(registry, ["method=mine", "dataset=synthfaces"])
    drawn = []
    for seed in (1, 2):
        with own_random_state(seed):
            before = states()
            made: Any = build(registry, config, Task(("a", "b"), ("s",), 32, 0))[1]
            assert states() == before
        drawn.append(made.drawn)
    assert torch.equal(drawn[0], drawn[1]), "its own numbers do not depend on what ran before"


def test_states_come_back() -> None:
    before = states()

    def fail() -> None:
        with own_random_state(5):
            inside = states()
            set_seed(6)
            assert all(inside[name] != states()[name] for name in GENERATORS)
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail()
    assert states() == before
