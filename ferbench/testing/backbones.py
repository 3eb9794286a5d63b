"""Checks of backbones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ferbench.interfaces.backbone import Backbone


def maps_as_stated(backbone: Backbone) -> None:
    """The maps have the channels and reductions that the backbone states, are ordered from fine to coarse, and are finite.

    Let `channels` and `reductions` be those of the maps that `forward` returns, finest first.
    """
    _check_maps(backbone, torch.rand(2, 3, 64, 64) * 2 - 1)


def maps_on_meta(backbone: Backbone) -> None:
    """The forward pass runs on the meta device.

    Make new tensors on the device of the images, and do not ask for values (`.item()`, `if tensor:`).
    """
    _check_maps(backbone.to("meta"), torch.empty(2, 3, 64, 64, device="meta"))


def _check_maps(backbone: Backbone, images: Tensor) -> None:
    maps: Sequence[Tensor] = backbone.eval()(images)
    assert len(maps) == len(backbone.channels) == len(backbone.reductions), (
        f"{len(maps)} maps, {backbone.channels} stated"
    )
    assert list(backbone.reductions) == sorted(backbone.reductions), f"reductions {backbone.reductions} do not increase"
    for found, channels, reduction in zip(maps, backbone.channels, backbone.reductions, strict=True):
        expected = (2, channels, 64 // reduction, 64 // reduction)
        assert found.shape == expected, (
            f"a map has the shape {tuple(found.shape)}; channels and reductions state {expected}"
        )
        assert found.is_meta or found.isfinite().all(), "a map has NaN or infinite values"
