"""Attention is what the formulas say."""

from __future__ import annotations

import torch
from ferbench_example_clips.method import FrameAttention, weighted

from ferbench.testing import make_batch, method_named


def test_a_weighted_mean_by_hand() -> None:
    frames = torch.tensor([[[1.0, 0.0], [4.0, 3.0]]])
    assert weighted(frames, torch.tensor([[[0.5], [1.0]]])).tolist() == [[3.0, 2.0]]


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """The distance of two, in units of the second's length."""
    return float((one - other).norm() / other.norm())


def test_without_attention_the_order_of_frames_is_no_matter() -> None:
    """And neither is it with it: a frame is weighted by what it shows. But a clip is not its last frame."""
    for settings in ({"attention": False}, {}):
        method = method_named("frame_attention", **settings).eval()
        assert isinstance(method, FrameAttention)
        images = make_batch(method.task).images
        with torch.inference_mode():
            found = method.features(images)
            assert apart(method.features(images.flip(1)), found) < 1e-3
            assert apart(method.features(images[:, -1:].expand_as(images)), found) > 0.05
