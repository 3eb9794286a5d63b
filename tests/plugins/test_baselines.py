"""The baselines: each loss against a value computed another way, and who is trained by what."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ferbench import Batch, Clock
from ferbench.blocks.adversarial import pass_for_real, reverse_gradient, tell_apart
from ferbench.testing import make_batch
from ferbench_baselines.fdrl import Fdrl, balance, compactness
from ferbench_baselines.grl import Grl
from ferbench_baselines.iacnn import Iacnn, contrastive
from ferbench_baselines.ifgan import IfGan, MeanFaces
from ferbench_baselines.tdgan import TdGan
from ferbench_baselines.tergan import TerGan
from tests.plugins.steps import learn_one_batch, make, modules, reached, updates

NAMES = ("cross_entropy", "grl", "iacnn", "ifgan", "tergan", "tdgan", "fdrl")


def entropy(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Mean of -log p of the label, in float64."""
    p = logits.detach().double().softmax(1)
    return -p[range(len(labels)), labels].log().mean().item()


# -- shared


def test_tell_apart_and_pass_for_real_by_hand() -> None:
    real, made = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.5], [-1.0]])

    def soft(x: float) -> float:
        return math.log1p(math.exp(x))

    assert tell_apart(real, made).item() == pytest.approx((soft(-1) + soft(-2)) / 2 + (soft(0.5) + soft(-1)) / 2)
    assert pass_for_real(made).item() == pytest.approx((soft(-0.5) + soft(1)) / 2)


def test_a_reversed_gradient() -> None:
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    y = reverse_gradient(x, 0.25)
    assert torch.equal(y, x)
    (y * torch.tensor([3.0, 5.0])).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [-0.75, -1.25]


@pytest.mark.parametrize("name", NAMES)
def test_a_single_batch_can_be_learned(name: str) -> None:
    overrides = {"classifier_trains_encoder": True} if name == "tdgan" else {}
    # IF-GAN sees the images through faces that are pulled to the mean: slower, and at a rate that does not throw it back
    steps, lr = (300, 1e-3) if name == "ifgan" else (120, 3e-3)
    assert learn_one_batch(make(name, **overrides), 0, steps, lr) == 1


@pytest.mark.parametrize(("name", "discriminators"), [("ifgan", {"discriminator"}), ("tergan", {"discriminator"})])
def test_the_discriminators_loss_leaves_the_network_untouched(name: str, discriminators: set[str]) -> None:
    assert modules(reached(make(name), "discriminator")) == discriminators


# -- cross_entropy


def test_cross_entropy_by_hand() -> None:
    method = make("cross_entropy")
    batch = make_batch(method.task)
    loss = updates(method, batch=batch)["network"][""]
    assert loss.item() == pytest.approx(entropy(method.train().logits(batch.images), batch.expression), rel=1e-5)


def test_label_smoothing_by_hand() -> None:
    method = make("cross_entropy", label_smoothing=0.3)
    batch = make_batch(method.task)
    target = 0.7 * F.one_hot(batch.expression, 6) + 0.3 / 6
    by_hand = -(target * method.logits(batch.images).log_softmax(1)).sum(1).mean()
    assert updates(method, batch=batch)["network"][""].item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_features_are_what_the_classifier_sees() -> None:
    method = make("cross_entropy").eval()
    images = make_batch(method.task).images
    assert torch.equal(method.classifier(method.features(images)), method.logits(images))  # type: ignore[operator]


# -- grl


@pytest.mark.parametrize(("step", "expected"), [(0, 0.0), (5, 0.98661), (10, 0.99991)])
def test_the_schedule_of_the_reversal(step: int, expected: float) -> None:
    """2 / (1 + exp(-10 p)) - 1 at p = 0, 1/2, 1: values of tanh(5 p)."""
    method = make("grl", reversal=2.0)
    assert isinstance(method, Grl)
    assert method.reversal(Clock(step, 10)) == pytest.approx(2 * expected, abs=1e-4)
    assert method.reversal(Clock(step, 10)) == pytest.approx(2 * math.tanh(5 * step / 10))


def test_the_backbone_is_turned_against_identity() -> None:
    """Its gradient from the identity loss is -lambda times the plain one; the classifier of identity has the plain one."""
    method = make("grl", reversal=0.5, schedule=False)
    assert isinstance(method, Grl)
    batch = make_batch(method.task)
    weight = next(method.backbone.parameters())
    head = next(method.identity.parameters())
    identity = updates(method, batch=batch)["network"]["identity"]
    ours = torch.autograd.grad(identity, [weight, head])
    plain = F.cross_entropy(method.identity(method.features(batch.images)), batch.subject)
    theirs = torch.autograd.grad(plain, [weight, head])
    torch.testing.assert_close(ours[0], -0.5 * theirs[0])
    torch.testing.assert_close(ours[1], theirs[1])


def test_the_classifier_of_identity_moves_first_and_alone() -> None:
    method = make("grl")
    assert list(updates(method)) == ["identity", "network"]
    assert modules(reached(method, "identity")) == {"identity"}
    assert modules(reached(method, "network")) == {"backbone", "classifier", "identity"}
    trained = method.stages()[0].trains
    assert list(trained["network"].modules) == [method.backbone, method.classifier]
    assert trained["identity"].lr == pytest.approx(3 * trained["network"].lr)


def test_without_a_reversal_the_backbone_does_not_heed_identity() -> None:
    method = make("grl", reversal=0.0)
    assert isinstance(method, Grl)
    identity = updates(method, clock=Clock(9, 10))["network"]["identity"]
    found = torch.autograd.grad(identity, list(method.backbone.parameters()))
    assert all((gradient == 0).all() for gradient in found)


# -- iacnn


def test_the_contrastive_loss_by_a_double_loop() -> None:
    random = np.random.default_rng(0)
    features, labels = random.normal(size=(7, 5)), [0, 1, 0, 2, 1, 0, 2]
    near: list[float] = []
    far: list[float] = []
    for i in range(7):
        for j in range(i + 1, 7):
            u, v = (features[k] / np.linalg.norm(features[k]) for k in (i, j))
            squared = ((u - v) ** 2).sum()
            (near if labels[i] == labels[j] else far).append(
                0.5 * squared if labels[i] == labels[j] else 0.5 * max(0.0, 1.5 - squared)
            )
    found = contrastive(torch.tensor(features), torch.tensor(labels), 1.5)
    assert found.item() == pytest.approx(np.mean(near) + np.mean(far), rel=1e-5)


def test_pairs_of_one_kind_only() -> None:
    """CK+ may give a batch no two frames of one subject; the loss is then of the other pairs, and finite."""
    features = torch.eye(4, requires_grad=True)
    loss = contrastive(features, torch.arange(4), 3.0)
    assert loss.item() == pytest.approx(0.5 * (3.0 - 2.0))
    loss.backward()
    assert features.grad is not None
    assert features.grad.isfinite().all()
    assert contrastive(torch.eye(4), torch.zeros(4, dtype=torch.int64), 3.0).item() == pytest.approx(1.0)


def test_identical_features_of_unlike_subjects_are_pushed() -> None:
    assert contrastive(torch.ones(3, 2), torch.arange(3), 1.0).item() == pytest.approx(0.5)


def test_iacnn_judges_the_expression_feature_and_classifies_with_both() -> None:
    method = make("iacnn").eval()
    assert isinstance(method, Iacnn)
    images = make_batch(method.task).images
    assert method.features(images).shape == (12, 128)
    assert method.classifier.in_features == 256
    names = reached(make("iacnn"), "network")
    assert {"backbone", "to_expression", "to_identity", "expression", "classifier"} == modules(names)


# -- ifgan


def test_mean_faces_are_means() -> None:
    means = MeanFaces(3, 2)
    images, labels = torch.rand(6, 3, 2, 2), torch.tensor([0, 1, 0, 1, 1, 0])
    means.add(images[:4], labels[:4])
    means.add(images[4:], labels[4:])
    torch.testing.assert_close(means(torch.tensor([0]))[0], images[[0, 2, 5]].mean(0))
    torch.testing.assert_close(means(torch.tensor([1]))[0], images[[1, 3, 4]].mean(0))
    assert means(torch.tensor([2])).abs().sum() == 0


def test_ifgan_by_hand() -> None:
    method = make("ifgan", weight_average=2.0, weight_adversarial=3.0, discriminator_dropout=0.0)
    assert isinstance(method, IfGan)
    batch = make_batch(method.task)
    terms = updates(method, batch=batch)["network"]
    with torch.no_grad():
        made = method.generator(batch.images)
        average = torch.stack([batch.images[batch.expression == y].mean(0) for y in batch.expression])
        adversarial = -method.discriminator(made)["real"].sigmoid().log().mean()
    assert terms["average"].item() == pytest.approx(2 * (made - average).abs().mean().item(), rel=1e-4)
    assert terms["adversarial"].item() == pytest.approx(3 * adversarial.item(), rel=1e-4)
    assert terms["expression"].item() == pytest.approx(entropy(method.logits(batch.images), batch.expression), rel=1e-4)


def test_ifgan_is_trained_end_to_end() -> None:
    """The loss of recognition reaches the generator through the made face."""
    method = make("ifgan")
    assert isinstance(method, IfGan)
    term = updates(method)["network"]["expression"]
    assert torch.autograd.grad(term, next(method.generator.encoder.parameters()))[0].abs().sum() > 0


# -- tergan


def test_tergan_by_hand() -> None:
    method = make(
        "tergan", weight_expression_consistency=2.0, weight_identity_consistency=3.0, weight_reconstruction=5.0
    )
    assert isinstance(method, TerGan)
    batch = make_batch(method.task)
    terms = updates(method, batch=batch)["network"]
    with torch.no_grad():
        e, i = method.features(batch.images), method.identity_features(batch.images)
        other = torch.cat([i[-1:], i[:-1]])  # the image before, round the batch
        made = method.decoder(torch.cat([e, other], 1))
        again = method.decoder(torch.cat([e, i], 1))
        expected = {
            "expression_consistency": 2 * (method.features(made) - e).abs().mean(),
            "identity_consistency": 3 * (method.identity_features(made) - other).abs().mean(),
            "reconstruction": 5 * (again - batch.images).abs().mean(),
        }
    for name, value in expected.items():
        assert terms[name].item() == pytest.approx(value.item(), rel=1e-3), name
    assert terms["expression"].item() == pytest.approx(entropy(method.expression(e), batch.expression), rel=1e-4)
    assert terms["identity"].item() == pytest.approx(entropy(method.identity(i), batch.subject), rel=1e-4)


def test_tergans_codes_cannot_shrink() -> None:
    method = make("tergan").eval()
    codes = method.features(make_batch(method.task).images)
    torch.testing.assert_close(codes.mean(1), torch.zeros(12), atol=1e-5, rtol=0)
    torch.testing.assert_close(codes.var(1, correction=0), torch.ones(12), atol=0.05, rtol=0)  # of LayerNorm's epsilon


# -- tdgan


def test_tdgans_intervals() -> None:
    """The face discriminator moves every 5 steps, the expression discriminator every 10, classifier and generator always."""
    method = make("tdgan")
    assert set(updates(method, clock=Clock(0, 20))) == {"face", "expression", "classifier", "generator"}
    assert set(updates(method, clock=Clock(5, 20))) == {"face", "classifier", "generator"}
    assert set(updates(method, clock=Clock(7, 20))) == {"classifier", "generator"}


def test_each_of_tdgans_losses_reaches_its_own() -> None:
    assert modules(reached(make("tdgan"), "face")) == {"face_discriminator"}
    assert modules(reached(make("tdgan"), "expression")) == {"expression_discriminator"}
    assert modules(reached(make("tdgan"), "classifier")) == {"classifier"}
    assert "classifier" not in modules(reached(make("tdgan"), "generator"))


def test_the_classifier_can_be_let_to_train_the_encoder() -> None:
    assert "expression" not in updates(make("tdgan"))["generator"]
    method = make("tdgan", classifier_trains_encoder=True)
    assert isinstance(method, TdGan)
    term = updates(method)["generator"]["expression"]
    assert torch.autograd.grad(term, next(method.expression_encoder.parameters()))[0].abs().sum() > 0


def test_tdgan_by_hand() -> None:
    method = make("tdgan", discriminator_dropout=0.0, noise_dim=0)
    assert isinstance(method, TdGan)
    batch = make_batch(method.task)
    found = updates(method, batch=batch)
    with torch.no_grad():
        x_e, x_f = batch.images, torch.cat([batch.images[-1:], batch.images[:-1]])
        subject = torch.cat([batch.subject[-1:], batch.subject[:-1]])

        def decode(face: torch.Tensor, expression: torch.Tensor) -> torch.Tensor:
            return method.decoder(torch.cat([method.face_encoder(face)[1], method.features(expression)], 1))

        made = decode(x_f, x_e)
        on_made, on_real = (method.face_discriminator.features(images) for images in (made, x_f))
        identity = method.face_discriminator.judge(on_made)["identity"]
        expression = method.expression_discriminator(made)["expression"]
        expected = {
            "face": 0.2 * entropy(identity, subject),
            "expressiveness": 0.8 * entropy(expression, batch.expression),
            "similarity": ((on_made - on_real) ** 2).mean().item(),
            "cycle_face": 5 * (decode(made, x_f) - x_f).abs().mean().item(),
            "cycle_expression": 5 * (decode(x_e, made) - x_e).abs().mean().item(),
        }
        fake = torch.full((12,), 4)  # the class after the four subjects
        assert found["face"]["fake"].item() == pytest.approx(entropy(identity, fake), rel=1e-3)
    for name, value in expected.items():
        assert found["generator"][name].item() == pytest.approx(value, rel=2e-3), name


# -- fdrl


def test_compactness_and_balance_by_hand() -> None:
    latent = torch.tensor([[[1.0, 2.0], [0.0, 1.0]], [[3.0, 0.0], [1.0, 1.0]]])
    centres = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    assert compactness(latent, centres).item() == pytest.approx(((0 + 1 + 0 + 1) + (4 + 1 + 1 + 1)) / 2)
    assert balance(torch.tensor([[0.7, 0.3], [0.9, 0.1]])).item() == pytest.approx(0.3 + 0.3)
    assert balance(torch.tensor([[1.0, 0.0], [0.0, 1.0]])).item() == pytest.approx(0)


def test_fdrl_by_loops_over_the_latent_features() -> None:
    method = make("fdrl", latent=3, feature_dim=8).eval()
    assert isinstance(method, Fdrl)
    images = make_batch(method.task).images
    with torch.no_grad():
        parts = method.parts(images)
        x = method.backbone(images)[-1].mean(dim=(2, 3))
        latent = [
            F.relu(x @ method.decompose.weight[8 * i : 8 * i + 8].T + method.decompose.bias[8 * i : 8 * i + 8])
            for i in range(3)
        ]
        weights = [torch.sigmoid(method.importance[i](latent[i])).abs().sum(1, keepdim=True) for i in range(3)]
        g = [F.relu(method.message(weights[i] / 8 * latent[i])) for i in range(3)]
        total = torch.zeros(12, 8)
        for i in range(3):
            others = [torch.tanh(F.cosine_similarity(g[i], g[j]))[:, None] * g[j] for j in range(3) if j != i]
            total += 0.5 * g[i] + 0.5 * sum(others)
    torch.testing.assert_close(parts.feature, total, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(parts.weights, torch.cat(weights, 1) / sum(weights), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(parts.weights.sum(1), torch.ones(12))


def test_fdrl_begins_at_chance() -> None:
    """Logits of the scale of the others', whose first loss is near ln C."""
    method = make("fdrl")
    batch = make_batch(method.task)
    assert updates(method, batch=batch)["network"]["expression"].item() < 2 * math.log(6)


def test_fdrls_weights_of_a_class_have_a_centre() -> None:
    method = make("fdrl", weight_distribution=2.0)
    assert isinstance(method, Fdrl)
    batch: Batch = make_batch(method.task)
    term = updates(method, batch=batch)["network"]["distribution"]
    with torch.no_grad():
        gap = method.parts(batch.images).weights - 1 / 9  # every centre starts uniform
    assert term.item() == pytest.approx(2 * (gap**2).sum(1).mean().item(), rel=1e-4)
