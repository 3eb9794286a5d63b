"""Loss, schedule and erasing are those of the released code."""

from __future__ import annotations

import math

import pytest
import torch

from ferbench import Clock
from ferbench.testing import make_batch, method_named


def test_the_loss_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 6 classes, the smoothed label is 0.8 + 0.2 / 6 of the true one and 0.2 / 6 of each other one."""
    method = method_named("sharp_cross_entropy")
    batch = make_batch(method.task)
    one, others = 3.0, 1.0
    logits = torch.full((len(batch.images), 6), others)
    logits[torch.arange(len(logits)), batch.expression] = one
    monkeypatch.setattr(method, "logits", lambda images: logits)
    (stage,) = method.stages()
    update = next(iter(stage.step(batch, Clock(0, 1))))
    total = math.log(math.exp(one) + 5 * math.exp(others))
    plain = total - one
    smoothed = (0.8 + 0.2 / 6) * plain + 5 * 0.2 / 6 * (total - others)
    assert {name: part.item() for name, part in update.parts.items()} == pytest.approx(
        {"expression": plain, "smoothed": 2 * smoothed}
    )
    assert update.loss.item() == pytest.approx(plain + 2 * smoothed)


def test_300_epochs_of_the_rate() -> None:
    (stage,) = method_named("sharp_cross_entropy").stages()
    schedule = stage.trains["network"].schedule
    for epoch in (0, 1, 100, 299):
        assert schedule(epoch / 300) == pytest.approx(0.98**epoch)


def test_a_rectangle_of_2_to_10_percent_is_erased_from_half_of_the_images() -> None:
    (stage,) = method_named("sharp_cross_entropy").stages()
    (erase,) = stage.transforms
    torch.manual_seed(0)
    images = torch.ones(2000, 3, 64, 64)
    area = (erase(images)[:, 0] != 1).flatten(1).float().mean(1)
    assert (area > 0).float().mean().item() == pytest.approx(0.5, abs=0.05)
    erased = area[area > 0]
    assert erased.min().item() > 0.015
    assert erased.max().item() < 0.115, "sides are whole pixels"


@pytest.mark.parametrize(("setting", "field"), [("radius", "sam"), ("clip_norm", "clip_norm"), ("lr", "lr")])
def test_settings_are_those_of_the_group(setting: str, field: str) -> None:
    (stage,) = method_named("sharp_cross_entropy", **{setting: 0.125}).stages()
    assert getattr(stage.trains["network"], field) == 0.125
    assert stage.trains["network"].optimiser == "adam"
