"""Batches by step: every frame once an epoch, the same for all variants, augmented as drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as V

from ferbench.config.schema import Augment
from ferbench.data.batches import DRAWS, Batches, Images, Labels, affine_grid, apply, transforms

OFF = Augment(0, 0, 0, 0, 0, 0)
CPU = torch.device("cpu")


def array(count: int, size: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)


def batches(
    count: int = 10, size: int = 4, augment: Augment = OFF, key: tuple[object, ...] = (0,), neutral: bool = False
) -> Batches:
    rows = torch.arange(count)
    labels = Labels(rows, rows % 3, rows % 2, rows.flip(0) if neutral else None)
    return Batches(Images(array(count), CPU), labels, augment, size, key)


def chosen(made: Batches, steps: int) -> list[int]:
    return [int(i) for step in range(steps) for i in made._choose(step)]


def test_every_frame_once_an_epoch_and_batches_reach_over() -> None:
    seen = chosen(batches(), 5)
    assert sorted(seen[:10]) == sorted(seen[10:20]) == list(range(10))
    assert seen[:10] != seen[10:20]


def test_a_batch_larger_than_the_data() -> None:
    assert np.bincount(chosen(batches(count=3, size=8), 3)).tolist() == [8, 8, 8]


def test_a_step_depends_on_the_key_and_the_step_alone() -> None:
    augment = Augment()
    forward = [batches(augment=augment)(step).images for step in (0, 1, 2)]
    made = batches(augment=augment)
    for step in (2, 0, 1):
        assert torch.equal(made(step).images, forward[step])
    assert not torch.equal(batches(augment=augment, key=(1,))(0).images, forward[0])


@pytest.mark.parametrize("resident", [True, False])
def test_a_pass_sees_each_frame_once_as_it_is(resident: bool) -> None:
    """In order, although batches are augmented and balanced otherwise."""
    made = batches(neutral=True, augment=Augment())
    if not resident:
        made.images.resident = None
    passed = list(made.unaugmented())
    assert [len(batch) for batch in passed] == [4, 4, 2]
    assert made.frames == 10
    expected = torch.from_numpy(array(10)).permute(0, 3, 1, 2).float() / 127.5 - 1
    assert torch.allclose(torch.cat([batch.images for batch in passed]), expected, atol=1e-6)
    neutral = [batch.neutral for batch in passed if batch.neutral is not None]
    assert torch.allclose(torch.cat(neutral), expected.flip(0), atol=1e-6)
    assert torch.cat([batch.expression for batch in passed]).tolist() == [i % 3 for i in range(10)]
    assert torch.cat([batch.subject for batch in passed]).tolist() == [i % 2 for i in range(10)]


def test_a_pass_changes_no_batch() -> None:
    made = batches(augment=Augment())
    images = [batches(augment=Augment())(step).images for step in range(3)]
    for step in range(3):
        list(made.unaugmented())
        assert torch.equal(made(step).images, images[step])


@pytest.mark.parametrize(("count", "size"), [(10, 4), (3, 8), (12, 4)])
def test_the_epoch_of_a_step(count: int, size: int) -> None:
    """A batch is of the epoch of its first image, the number of times that all images have been drawn before it."""
    made = batches(count, size)
    drawn = chosen(made, 9)
    for step in range(9):
        assert made.epoch(step) == min(drawn[: step * size].count(frame) for frame in range(count))


def test_labels_belong_to_their_images() -> None:
    made = batches(neutral=True)
    batch = made(1)
    rows = made._choose(1)
    assert torch.equal(batch.expression, rows % 3)
    assert torch.equal(batch.subject, rows % 2)
    expected = torch.from_numpy(array(10)).permute(0, 3, 1, 2).float() / 127.5 - 1
    assert torch.allclose(batch.images, expected[rows], atol=1e-4)
    assert batch.neutral is not None
    assert torch.allclose(batch.neutral, expected.flip(0)[rows], atol=1e-4)


def test_streaming_gives_what_the_resident_array_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = torch.tensor([3, 1, 2])
    resident = Images(array(10), CPU)
    monkeypatch.setattr("ferbench.data.batches.RESIDENT_FRACTION", 0.0)
    streamed = Images(array(10), CPU)
    assert resident.resident is not None
    assert streamed.resident is None
    assert torch.equal(resident(rows), streamed(rows))


def test_images_are_channels_last() -> None:
    assert batches(augment=Augment())(0).images.is_contiguous(memory_format=torch.channels_last)


def test_a_flip_is_a_mirror_image() -> None:
    images = Images(array(4), CPU)(torch.arange(4))
    theta, light = transforms(Augment(1.0, 0, 0, 0, 0, 0), torch.rand((DRAWS, 4), generator=torch.Generator()))
    assert torch.allclose(apply(images.clone(), theta, light), images.flip(3), atol=1e-4)


def test_rotation_agrees_with_torchvision() -> None:
    images = torch.zeros(1, 3, 33, 33)
    images[..., 4:29, 12:20] = 0.9
    generator = torch.Generator().manual_seed(5)
    theta, light = transforms(Augment(0, 20, 0, 0, 0, 0), torch.rand((DRAWS, 1), generator=generator))
    angle = float(torch.rad2deg(torch.atan2(theta[0, 1, 0], theta[0, 0, 0])))
    assert abs(angle) > 1
    expected = V.rotate(images, angle, interpolation=V.InterpolationMode.BILINEAR)
    ours = apply(images.clone(), theta, light)
    inner = (slice(None), slice(None), slice(6, 27), slice(6, 27))
    assert torch.allclose(ours[inner], expected[inner], atol=0.02)


def test_the_grid_is_torchs() -> None:
    theta, _ = transforms(Augment(), torch.rand((DRAWS, 5), generator=torch.Generator().manual_seed(1)))
    theirs = torch.nn.functional.affine_grid(theta, [5, 3, 20, 20], align_corners=False)
    assert torch.allclose(affine_grid(theta, 20), theirs, atol=1e-6)


def test_ranges_of_the_draws() -> None:
    augment = Augment(0.5, 10, 0.2, 0.1, 0.3, 0.4)
    theta, light = transforms(augment, torch.rand((DRAWS, 4000), generator=torch.Generator().manual_seed(0)))
    mirrored = theta[:, 0, 0] < 0
    assert 0.45 < mirrored.float().mean() < 0.55
    scale = 1 / theta[:, :, :2].det().abs().sqrt()
    assert 0.8 <= scale.min() < 0.81
    assert 1.19 < scale.max() <= 1.2001
    assert theta[:, :, 2].abs().max() <= 0.2
    assert 0.6 <= light[:, 0].min() < light[:, 0].max() <= 1.4
    assert light[:, 1].abs().max() <= 0.3
