"""Transforms of batches: torchvision's on each image with the same parameters, other ones for each image, and views of a stage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as V

from ferbench.blocks.transforms import Blur, ColourJitter, CropResize, Cutmix, Erase, Flip, Grey, Mixup
from ferbench.config.schema import Augment
from ferbench.data.batches import Batches, Images, Labels, WithExtra
from ferbench.errors import TrainingError
from ferbench.interfaces.sampling import PK, Partner, Transform
from tests.data.test_samplers import CPU, OFF, stage

ALL = [Flip(), CropResize(), ColourJitter(), Grey(), Blur(), Erase()]
SIZE = 24


def images(count: int = 6, size: int = SIZE) -> Tensor:
    """Smooth, so that pixels at edges of boxes count little."""
    noise = torch.rand((count, 3, size // 4, size // 4), generator=torch.Generator().manual_seed(0))
    return F.interpolate(noise, (size, size), mode="bilinear") * 2 - 1


def uniform(transform: Transform, count: int = 6, seed: int = 1) -> Tensor:
    return torch.rand((transform.draws, count), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("transform", ALL, ids=repr)
def test_each_image_is_transformed_by_its_own_numbers(transform: Any) -> None:
    """Alone or in a batch, whatever the others get; the numbers are all that it depends on."""
    assert isinstance(transform, Transform)
    whole, drawn = images(), uniform(transform)
    made = transform(whole, drawn)
    assert made.shape == whole.shape
    assert made.abs().max() <= 1 + 1e-5
    for i in range(len(whole)):
        assert torch.allclose(transform(whole[i : i + 1], drawn[:, i : i + 1]), made[i : i + 1], atol=1e-5)
    assert torch.equal(made, transform(whole, drawn))
    many = images(1).expand(64, -1, -1, -1)
    kinds = transform(many, uniform(transform, 64)).flatten(1).unique(dim=0)
    assert len(kinds) > (1 if isinstance(transform, Flip | Grey) else 10)


@pytest.mark.parametrize("transform", ALL, ids=repr)
def test_numbers_are_drawn_where_none_are_given(transform: Any) -> None:
    torch.manual_seed(3)
    first = transform(images())
    torch.manual_seed(3)
    assert torch.equal(first, transform(images()))
    assert transform(images().to("meta")).is_meta, "no value of a tensor is read"


@pytest.mark.parametrize("kind", [Flip, Grey, ColourJitter, Blur, Erase])
def test_the_probability_is_kept(kind: Any) -> None:
    many = images(1).expand(2000, -1, -1, -1)
    never, always, some = (kind(p=p)(many, uniform(kind(), 2000)) for p in (0.0, 1.0, 0.3))
    assert torch.equal(never, many)
    changed = (always != many).flatten(1).any(1)
    assert changed.float().mean() > 0.95
    share = (some != many).flatten(1).any(1).float().mean() / changed.float().mean()
    assert abs(float(share) - 0.3) < 5 * (0.3 * 0.7 / 2000) ** 0.5


def test_a_flip_and_grey_are_torchvisions() -> None:
    x = images()
    assert torch.equal(Flip(p=1.0)(x), V.horizontal_flip(x))
    assert torch.allclose(Grey(p=1.0)(x), V.rgb_to_grayscale(x, num_output_channels=3), atol=1e-6)


def test_a_crop_is_torchvisions() -> None:
    """Boxes at whole pixels: the left half of the width and all of the height, then the lower right quarter."""
    x = images(1)
    half = CropResize(scale=(0.5, 0.5), ratio=(0.5, 0.5))(x, torch.zeros(4, 1))
    expected = V.resized_crop(x, 0, 0, SIZE, SIZE // 2, [SIZE, SIZE], antialias=False)
    assert torch.allclose(half[..., :-2], expected[..., :-2], atol=1e-5)  # torchvision does not look beyond the box
    quarter = CropResize(scale=(0.25, 0.25), ratio=(1, 1))(x, torch.tensor([[0.0], [0.0], [1.0], [1.0]]))
    expected = V.resized_crop(x, SIZE // 2, SIZE // 2, SIZE // 2, SIZE // 2, [SIZE, SIZE], antialias=False)
    inner = (..., slice(2, None), slice(2, None))
    assert torch.allclose(quarter[inner], expected[inner], atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_colours_are_torchvisions(seed: int) -> None:
    x, jitter = images(1), ColourJitter(0.6, 0.5, 0.7)
    drawn = uniform(jitter, 1, seed)
    strengths = (0.6, 0.5, 0.7)
    brightness, contrast, saturation = (1 - s + 2 * s * float(u) for s, u in zip(strengths, drawn[1:, 0], strict=True))
    expected = V.adjust_brightness((x + 1) / 2, brightness)
    expected = V.adjust_saturation(V.adjust_contrast(expected, contrast), saturation)
    assert torch.allclose((jitter(x, drawn) + 1) / 2, expected, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.0])
def test_a_blur_is_torchvisions(sigma: float) -> None:
    x, blur = images(2), Blur((sigma, sigma), p=1.0)
    kernel = 2 * int(np.ceil(3 * sigma)) + 1
    assert torch.allclose(blur(x), V.gaussian_blur(x, [kernel, kernel], [sigma, sigma]), atol=1e-5)


def test_an_erased_box_has_its_area_and_the_rest_is_kept() -> None:
    many = images(1).expand(500, -1, -1, -1)
    made = Erase(p=1.0, scale=(0.1, 0.2), ratio=(1, 1))(many, uniform(Erase(), 500))
    gone = (made == 0).all(1)
    area = gone.float().mean((1, 2))
    assert 0.1 - 0.05 < area.min() < 0.12
    assert 0.18 < area.max() < 0.2 + 0.05
    for i in range(0, 500, 50):
        rows, columns = gone[i].any(1), gone[i].any(0)
        assert torch.equal(gone[i], rows[:, None] & columns[None]), "it is a rectangle"
    kept = ~gone[:, None].expand_as(made)
    assert torch.equal(made[kept], many[kept])
    assert gone.any(0).any(0).all()
    assert gone.any(0).any(1).all()


@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0, 4.0])
def test_shares_are_of_a_beta_distribution(alpha: float) -> None:
    torch.manual_seed(0)
    shares = Mixup(alpha)(torch.zeros(20_000, 1, 1, 1)).share.double().numpy()
    inner = shares[(shares > 1e-4) & (shares < 1 - 1e-4)]  # single precision has few numbers just below 1
    beta = stats.beta(alpha, alpha)
    low, high = beta.cdf(1e-4), beta.cdf(1 - 1e-4)
    assert stats.kstest(inner, lambda x: (beta.cdf(x) - low) / (high - low)).pvalue > 1e-3
    assert len(inner) / len(shares) == pytest.approx(high - low, abs=0.02)


@pytest.mark.parametrize("kind", [Mixup(1.0), Cutmix(1.0)], ids=repr)
def test_mixed_images_are_what_they_say(kind: Any) -> None:
    torch.manual_seed(1)
    levels = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 3, SIZE, SIZE) / 8
    mixed = kind(levels)
    assert sorted(mixed.other.tolist()) == list(range(8))
    expected = mixed.share * torch.arange(8) / 8 + (1 - mixed.share) * mixed.other / 8
    assert torch.allclose(mixed.images.mean((1, 2, 3)), expected, atol=1e-5)
    labels, logits = torch.arange(8) % 3, torch.randn(8, 3)
    soft = mixed.share[:, None] * F.one_hot(labels, 3) + (1 - mixed.share)[:, None] * F.one_hot(labels[mixed.other], 3)
    assert torch.allclose(mixed.cross_entropy(logits, labels), F.cross_entropy(logits, soft), atol=1e-6)
    assert kind(levels.to("meta")).images.is_meta


# -- of a stage


def batches(augment: Augment = OFF, key: int = 0, **asked: Any) -> Batches:
    rows = torch.arange(12)
    array = np.random.default_rng(0).integers(0, 256, (12, SIZE, SIZE, 3), np.uint8)
    made = Batches(Images(array, CPU), Labels(rows, rows % 3, rows // 6, rows.flip(0)), augment, 8, (key,))
    return made.of(stage(**asked)) if asked else made


def test_views_are_augmented_by_themselves_and_the_first_is_as_ever() -> None:
    plain, viewed = batches(Augment()), batches(Augment(), views=3)
    for step in (0, 5):
        batch = viewed(step)
        assert len(batch.views) == 3
        assert batch.views[0] is batch.images
        assert torch.equal(batch.images, plain(step).images)
        assert len({view.sum().item() for view in batch.views}) == 3
        assert plain(step).views == ()
    same = batches(OFF, views=2)(3)
    assert torch.equal(same.views[0], same.views[1])


def test_transforms_follow_the_runs_augmentation() -> None:
    plain, made = batches(Augment()), batches(Augment(), transforms=[Flip(1.0), Grey(1.0)])
    before, after = plain(4), made(4)
    assert torch.equal(after.images, Grey(1.0)(Flip(1.0)(before.images)))
    assert before.neutral is not None
    assert after.neutral is not None
    assert torch.equal(after.neutral, Grey(1.0)(Flip(1.0)(before.neutral)))


def test_neutral_faces_share_the_numbers_of_their_image_and_partners_do_not() -> None:
    batch = batches(transforms=[Erase(1.0)], second=Partner.SUBJECT)(2)
    assert batch.neutral is not None
    assert batch.second is not None
    gone, neutral, second = ((x == 0).all(1) for x in (batch.images, batch.neutral, batch.second.images))
    assert torch.equal(gone, neutral)
    assert not torch.equal(gone, second)


def test_views_and_transforms_depend_on_the_step_alone_and_split() -> None:
    asked: dict[str, Any] = {"views": 2, "transforms": [CropResize(), Erase()]}
    going_on = batches(Augment(), **asked)
    for step in (4, 1, 9):
        ours, anew = going_on(step).tensors(), batches(Augment(), **asked)(step).tensors()
        assert "views.1" in ours
        assert all(torch.equal(value, anew[name]) for name, value in ours.items())
    whole = going_on(1)
    halves = whole.split(2)
    assert torch.equal(torch.cat([half.views[1] for half in halves]), whole.views[1])
    assert torch.equal(torch.cat([half.views[0] for half in halves]), whole.images)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"transforms": [torch.nn.Identity()]}, "which is no transform: it has no number of `draws`"),
    ],
)
def test_what_is_refused(asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        batches(**asked)


def test_a_batch_of_an_extra_dataset_has_views_and_transforms_but_no_partners() -> None:
    asked: dict[str, Any] = {"views": 2, "transforms": [Grey(1.0)], "second": Partner.SUBJECT, "batches": PK(4)}
    extra = batches(Augment(), key=1)
    both = WithExtra(batches(), extra).of(stage(**asked))
    batch, plain = both(3), extra(3)
    assert batch.second is not None
    assert batch.extra is not None
    assert batch.extra.second is None
    assert torch.equal(batch.extra.expression, plain.expression), "drawn one by one"
    assert torch.equal(batch.extra.images, Grey(1.0)(plain.images))
    first, second = batch.extra.views
    assert first is batch.extra.images
    assert not torch.equal(first, second)
    assert torch.equal(second[:, 0], second[:, 2]), "each view goes through the transforms"
    halves = [half.extra for half in batch.split(2)]
    assert torch.equal(torch.cat([half.views[1] for half in halves if half is not None]), second)
