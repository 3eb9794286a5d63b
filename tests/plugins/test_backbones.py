"""Backbones: what the settings may be."""

from __future__ import annotations

import pytest
import torch

from ferbench import FerbenchError
from ferbench_convnet.backbone import ConvNet
from ferbench_convnet.plugin import ConvNetSettings
from ferbench_timm.backbone import Timm
from ferbench_timm.plugin import TimmSettings


def test_channels_of_the_convnet() -> None:
    assert ConvNet(ConvNetSettings(width=4, levels=5), 64).channels == (4, 8, 16, 32, 32)


def test_an_image_that_cannot_be_halved_so_often() -> None:
    with pytest.raises(FerbenchError, match="image_size=40 is not a multiple of 16"):
        ConvNet(ConvNetSettings(), 40)


@pytest.mark.parametrize("model", ["resnet18", "mobilenetv3_small_050", "vit_tiny_patch16_224"])
def test_any_timm_model_with_feature_maps(model: str) -> None:
    backbone = Timm(TimmSettings(model=model), 64).eval()
    with torch.no_grad():
        maps = backbone(torch.zeros(1, 3, 64, 64))
    assert [m.shape[1] for m in maps] == list(backbone.channels)
    assert [64 // m.shape[2] for m in maps] == list(backbone.reductions)


def test_images_are_normalised_as_the_weights_expect() -> None:
    """resnet18's ImageNet mean and deviation: white (1 in [-1, 1]) becomes (1 - mean) / std."""
    backbone = Timm(TimmSettings(), 64)
    seen: list[torch.Tensor] = []
    backbone.network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    backbone(torch.ones(1, 3, 64, 64))
    expected = [(1 - mean) / std for mean, std in [(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)]]
    assert seen[0][0, :, 0, 0].tolist() == pytest.approx(expected, rel=1e-5)


def test_an_unknown_timm_model() -> None:
    with pytest.raises(FerbenchError, match=r"no timm model 'resnet19'. Did you mean .*'resnet18'"):
        Timm(TimmSettings(model="resnet19"), 64)
