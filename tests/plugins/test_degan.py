"""DE-GAN: each loss against a value computed by hand, and who is trained by what."""

from __future__ import annotations

import math

import pytest
import torch

from ferbench import FerbenchError, MethodCard
from ferbench.config.compose import compose
from ferbench.interfaces.method import Clock
from ferbench.plan.study import plan
from ferbench.registry.loader import load_registry
from ferbench.testing import make_batch, make_method
from ferbench.training.loop import freeze_all_but
from ferbench_degan.losses import discriminator_terms, generator_terms, r1_penalty, reconstruction
from ferbench_degan.method import DeGan
from ferbench_degan.plugin import DeGanSettings
from tests.plugins.steps import learn_one_batch, reached

WEIGHTS = {"expression": 2.0, "identity": 3.0, "adversarial": 5.0, "reconstruction": 7.0}


def card() -> MethodCard:
    return load_registry().get(MethodCard, "degan")


def degan(**overrides: object) -> DeGan:
    method = make_method(load_registry(), card(), overrides)
    assert isinstance(method, DeGan)
    return method


def softmax_entropy(logits: list[float], target: int) -> float:
    return math.log(sum(math.exp(x) for x in logits)) - logits[target]


REAL = {"expression": [[1.0, 0.0], [0.0, 2.0]], "identity": [[0.0, 1.0, 0.5], [1.0, 1.0, 1.0]]}
FAKE = {"expression": [[0.5, 0.0], [0.0, 0.0]], "identity": [[0.0, 0.0, 2.0], [3.0, 0.0, 0.0]]}
Y, S, T = [0, 1], [1, 0], [1, 1]


def heads(values: dict[str, list[list[float]]]) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(rows) for name, rows in values.items()}


def mean_entropy(rows: list[list[float]], targets: list[int]) -> float:
    return sum(softmax_entropy(row, t) for row, t in zip(rows, targets, strict=True)) / len(rows)


def test_the_discriminators_loss_by_hand() -> None:
    terms = discriminator_terms(heads(REAL), heads(FAKE), torch.tensor(Y), torch.tensor(S), "identity")
    assert terms["expression"].item() == pytest.approx(mean_entropy(REAL["expression"], Y))
    assert terms["identity"].item() == pytest.approx(mean_entropy(REAL["identity"], S))
    assert terms["fake"].item() == pytest.approx(mean_entropy(FAKE["identity"], [2, 2]))
    assert set(terms) == {"expression", "identity", "fake"}


def test_fake_in_the_expression_head() -> None:
    terms = discriminator_terms(heads(REAL), heads(FAKE), torch.tensor(Y), torch.tensor(S), "expression")
    assert terms["fake"].item() == pytest.approx(mean_entropy(FAKE["expression"], [1, 1]))


def test_a_separate_real_or_fake_logit() -> None:
    real, fake = {"real": torch.tensor([[1.0], [2.0]])}, {"real": torch.tensor([[0.5], [-1.0]])}
    terms = discriminator_terms(real, fake, torch.tensor(Y), torch.tensor(S), "separate")

    def soft(x: float) -> float:
        return math.log1p(math.exp(x))

    by_hand = (soft(-1.0) + soft(-2.0)) / 2 + (soft(0.5) + soft(-1.0)) / 2
    assert terms["fake"].item() == pytest.approx(by_hand)
    none = torch.zeros(2, 3, 1, 1)
    made = generator_terms(
        fake, none, none, torch.tensor(Y), torch.tensor(T), torch.tensor([True, True]), "separate", WEIGHTS
    )
    assert made["adversarial"].item() == pytest.approx(5 * (soft(-0.5) + soft(1.0)) / 2)


def test_without_an_adversary_there_is_no_fake_term() -> None:
    assert set(discriminator_terms(heads(REAL), None, torch.tensor(Y), torch.tensor(S), "identity")) == {
        "expression",
        "identity",
    }


def test_the_generators_loss_by_hand() -> None:
    images, made = torch.zeros(2, 3, 2, 2), torch.stack([torch.full((3, 2, 2), 0.25), torch.full((3, 2, 2), 0.5)])
    own = torch.tensor([True, False])
    terms = generator_terms(heads(FAKE), made, images, torch.tensor(Y), torch.tensor(T), own, "identity", WEIGHTS)
    assert terms["expression"].item() == pytest.approx(2 * mean_entropy(FAKE["expression"], Y))
    assert terms["identity"].item() == pytest.approx(3 * mean_entropy(FAKE["identity"], T))
    assert terms["reconstruction"].item() == pytest.approx(7 * 0.25)
    assert set(terms) == {"expression", "identity", "reconstruction"}


def test_reconstruction_of_no_image_is_zero() -> None:
    made = torch.ones(2, 3, 2, 2, requires_grad=True)
    loss = reconstruction(made, torch.zeros(2, 3, 2, 2), torch.tensor([False, False]))
    assert loss.item() == 0
    loss.backward()
    assert made.grad is not None
    assert made.grad.abs().sum() == 0


def test_r1_of_a_linear_function_by_hand() -> None:
    """D(x) = 3 sum(x): the gradient is 3 everywhere, R1 = 9 * 12 / 2."""
    images = torch.rand(4, 3, 2, 2, requires_grad=True)
    assert r1_penalty(3 * images.sum(dim=(1, 2, 3)), images).item() == pytest.approx(54)


def test_half_of_the_batch_keeps_its_identity() -> None:
    method = degan()
    subject = torch.tensor([0, 1, 2, 3] * 50)
    target, own = method.targets(subject)
    assert own.sum() == 100
    assert torch.equal(target[own], subject[own])
    assert (target[~own] != subject[~own]).all()
    assert set(target[~own].tolist()) == {0, 1, 2, 3}


def test_without_an_identity_code_every_image_reconstructs() -> None:
    method = degan(identity_code=False)
    subject = torch.tensor([0, 1, 2, 3])
    target, own = method.targets(subject)
    assert torch.equal(target, subject)
    assert own.all()
    assert method.code(torch.zeros(4, 256), target).shape == (4, 256 + 50)


@pytest.mark.parametrize(
    ("overrides", "outputs"),
    [
        ({}, {"expression": 6, "identity": 5}),
        ({"fake_class": "expression"}, {"expression": 7, "identity": 4}),
        ({"fake_class": "separate"}, {"expression": 6, "identity": 4, "real": 1}),
        ({"identity_head": False}, {"expression": 6, "real": 1}),
        ({"expression_head": False}, {"identity": 5}),
        ({"fake_class": "expression", "expression_head": False}, {"identity": 4, "real": 1}),
    ],
)
def test_where_fake_is_said(overrides: dict[str, object], outputs: dict[str, int]) -> None:
    images = make_batch(degan().task).images
    found = degan(**overrides).discriminator(images)
    assert {name: logits.shape[1] for name, logits in found.items()} == outputs


def test_the_discriminators_loss_leaves_the_generator_untouched() -> None:
    names = reached(degan(), "discriminator")
    assert names
    assert all(name.startswith("discriminator.") for name in names)


def test_the_generators_loss_reaches_encoder_and_decoder() -> None:
    names = reached(degan(), "generator")
    assert any(name.startswith("encoder.backbone.blocks.0") for name in names)
    assert any(name.startswith("decoder.first") for name in names)


def test_stage_two_reaches_branches_and_classifier_only() -> None:
    names = reached(degan(), "classifier", stage=1)
    assert {name.partition(".")[0] for name in names} == {"branches", "classifier"}
    assert {name.split(".")[1] for name in names if name.startswith("branches")} == {"0", "1", "2", "3"}


def test_r1_adds_a_term_and_reaches_the_discriminator() -> None:
    method = degan(r1=10.0)
    stage = method.stages()[0]
    freeze_all_but(method, stage)
    update = next(stage.step(make_batch(method.task), Clock(0, 1)))
    assert update.parts["r1"] > 0
    assert torch.equal(update.loss, torch.stack(list(update.parts.values())).sum())


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"residue": False, "disentangled": False}, "leave the classifier without input"),
        ({"fake_class": "both"}, "method.fake_class is 'both'; it can be identity, expression, separate"),
        (
            {"adversarial": False, "expression_head": False, "identity_head": False, "weight_reconstruction": 0.0},
            "leave its generator without a loss",
        ),
    ],
)
def test_settings_that_make_no_sense(overrides: dict[str, object], sentence: str) -> None:
    with pytest.raises(FerbenchError, match=sentence):
        degan(**overrides)


def test_synthesis_depends_on_the_identity_and_not_on_chance() -> None:
    method = degan().eval()
    batch = make_batch(method.task)
    with torch.no_grad():
        made = method.synthesize(batch.images, batch)
        assert torch.equal(made, method.synthesize(batch.images, batch))
        other = make_batch(method.task)
        other.subject = (batch.subject + 1) % 4
        assert not torch.equal(made, method.synthesize(batch.images, other))


def test_every_setting_belongs_to_exactly_one_stage() -> None:
    synthesis, recognition = (stage.settings for stage in card().stages)
    assert not synthesis & recognition
    assert synthesis | recognition == set(DeGanSettings.__dataclass_fields__)


def test_a_single_batch_can_be_learned() -> None:
    assert learn_one_batch(degan(), 1, steps=60, lr=1e-2) == 1


def test_residue_only_shares_the_first_stage_of_degan() -> None:
    """Same class, same settings of stage 1: the study trains it once."""
    registry = load_registry()
    words = ["method=degan,residue_only", "dataset.subjects=10", "protocol.folds=[0]"]
    both = plan(registry, compose(registry, words, sweep=True)).trials
    ours, theirs = ([stage.key for stage in trial.stages] for trial in both)
    assert ours[0] == theirs[0]
    assert ours[1] != theirs[1]
    assert both[0].id != both[1].id
