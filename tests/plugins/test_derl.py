"""DeRL and pixel_residue: losses by hand, who is trained by what, any backbone."""

from __future__ import annotations

import math

import pytest
import torch

from ferbench import BackboneCard, FerbenchError, MethodCard
from ferbench.registry.loader import load_registry
from ferbench.testing import EXPRESSIONS, SIZE, make_batch, make_task
from ferbench_derl.derl import DeRL
from ferbench_derl.pixel_residue import PixelResidue
from tests.plugins.steps import learn_one_batch, make, modules, reached, updates


def test_stage_one_by_hand() -> None:
    """L_G = 100 |n - G(x)| - log D(x, G(x)), L_D = -log D(x, n) - log(1 - D(x, G(x)))."""
    method = make("derl", discriminator_dropout=0.0)
    assert isinstance(method, DeRL)
    batch = make_batch(method.task)
    found = updates(method, batch=batch)
    assert batch.neutral is not None
    with torch.no_grad():
        made = method.generator(batch.images)
        judge = method.generator.discriminator

        def probability(second: torch.Tensor) -> torch.Tensor:
            return judge(torch.cat([batch.images, second], 1))["real"].sigmoid()

        adversarial = -probability(made).log().mean().item()
        discriminator = (-probability(batch.neutral).log() - (1 - probability(made)).log()).mean().item()
        pixels = 100 * (made - batch.neutral).abs().mean().item()
    assert found["discriminator"][""].item() == pytest.approx(discriminator, rel=1e-4)
    assert found["generator"]["adversarial"].item() == pytest.approx(adversarial, rel=1e-4)
    assert found["generator"]["reconstruction"].item() == pytest.approx(pixels, rel=1e-4)


def test_stage_two_is_the_sum_of_five_losses() -> None:
    method = make("derl", weight_branch=2.0, weight_all=3.0)
    batch = make_batch(method.task)
    terms = updates(method, 1, batch=batch)["classifier"]
    assert set(terms) == {"", "all", "branch_0", "branch_1", "branch_2", "branch_3"}
    assert terms[""].item() == pytest.approx(sum(v.item() for k, v in terms.items() if k), rel=1e-5)
    logits = method.logits(batch.images)
    by_hand = -logits.softmax(1)[range(12), batch.expression].log().mean().item()
    assert terms["all"].item() == pytest.approx(3 * by_hand, rel=1e-4)


def test_the_discriminator_leaves_the_generator_untouched() -> None:
    assert all(name.startswith("generator.discriminator.") for name in reached(make("derl"), "discriminator"))
    generator = reached(make("derl"), "generator")
    assert any(name.startswith("generator.encoder.backbone.blocks.0") for name in generator)
    assert any(name.startswith("generator.decoder.first") for name in generator)


def test_stage_two_reaches_the_local_networks_and_the_classifier_only() -> None:
    names = reached(make("derl"), "classifier", stage=1)
    assert modules(names) == {"branches", "classifier"}
    assert {name.split(".")[1] for name in names if name.startswith("branches")} == {"0", "1", "2", "3"}
    assert modules(reached(make("pixel_residue"), "classifier", stage=1)) == {"recogniser", "classifier"}


def test_the_generator_starts_alike_in_both_methods() -> None:
    derl, pixels = make("derl"), make("pixel_residue")
    assert isinstance(derl, DeRL)
    assert isinstance(pixels, PixelResidue)
    ours, theirs = derl.generator.state_dict(), pixels.generator.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_each_size_sees_the_backbones_map_of_that_size() -> None:
    method = make("derl")
    assert isinstance(method, DeRL)
    assert method.nearest == [0, 1, 2, 3]
    assert method.generator.decoder.reductions == (2, 4, 8, 16)


def test_the_decoders_maps_have_the_stated_sizes() -> None:
    method = make("derl")
    assert isinstance(method, DeRL)
    decoder = method.generator.decoder
    image, maps = decoder.maps(torch.zeros(2, 256))
    assert image.shape == (2, 3, SIZE, SIZE)
    stated = zip(decoder.channels, decoder.reductions, strict=True)
    assert [tuple(m.shape) for m in maps] == [(2, c, SIZE // r, SIZE // r) for c, r in stated]


@pytest.mark.parametrize("name", load_registry().catalogue(MethodCard))
def test_every_method_on_a_timm_backbone_with_other_reductions(name: str) -> None:
    registry = load_registry()
    backbone_card = registry.get(BackboneCard, "timm")
    settings = backbone_card.settings(model="resnet10t", pretrained=False)
    backbone = backbone_card.load()(settings, SIZE)
    assert backbone.reductions == (2, 4, 8, 16, 32)
    card = registry.get(MethodCard, name)
    method = card.load()(make_task(), backbone, card.settings()).eval()
    images = make_batch(method.task).images
    assert method.logits(images).shape == (12, len(EXPRESSIONS))
    for stage in range(len(method.stages())):
        assert all(math.isfinite(terms[""].item()) for terms in updates(method, stage).values())


def test_nothing_to_see_is_an_error() -> None:
    with pytest.raises(FerbenchError, match="leave the classifier without input"):
        make("derl", encoder_maps=False, decoder_maps=False, bottleneck=False)


@pytest.mark.parametrize("name", ["derl", "pixel_residue"])
def test_a_single_batch_can_be_learned(name: str) -> None:
    assert learn_one_batch(make(name), 1, steps=80) == 1
