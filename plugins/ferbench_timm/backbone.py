"""Backbones from timm, with the interface of ferbench."""

from __future__ import annotations

from typing import Any

import timm
import torch
from torch import Tensor

from ferbench import Backbone, FerbenchError, UnknownName
from ferbench_timm.plugin import TimmSettings


class Timm(Backbone):
    """`timm.create_model(model, features_only=True)`. Images are normalised with the mean and standard deviation of the weights.

    Raises:
        UnknownName: timm has no such model.
        FerbenchError: the model does not return feature maps, or its weights cannot be downloaded.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, settings: TimmSettings, image_size: int) -> None:
        super().__init__()
        name = settings.model
        if not timm.is_model(name):
            raise UnknownName("timm model", name, timm.list_models())
        # transformers need img_size for their position embedding; convolutional networks do not accept it
        known = timm.get_pretrained_cfg(name)
        size: dict[str, Any] = {"img_size": image_size} if known is not None and known.fixed_input_size else {}
        try:
            network: Any = timm.create_model(
                name,
                pretrained=settings.pretrained,
                features_only=True,
                **size,
            )
        except (RuntimeError, NotImplementedError, AttributeError) as error:
            raise FerbenchError(
                f"backbone.model={name} does not give feature maps (timm's features_only): {error}"
            ) from error
        except OSError as error:
            raise FerbenchError(
                f"The weights of backbone.model={name} cannot be downloaded: {error}. Use backbone.pretrained=false, or "
                "run once with a network connection: timm keeps the weights in its cache."
            ) from error
        self.network = network
        self.channels = tuple(network.feature_info.channels())
        self.reductions = tuple(network.feature_info.reduction())
        expects: dict[str, Any] = getattr(network, "pretrained_cfg", None) or {}
        mean, std = expects.get("mean", (0.5,) * 3), expects.get("std", (0.5,) * 3)
        self.pretraining = pretraining(str(expects.get("tag") or ""), name) if settings.pretrained else ""
        # from [-1, 1] to timm's (x01 - mean) / std, where x01 = (x + 1) / 2
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1) * 2 - 1, persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1) * 2, persistent=False)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [
            _channels_first(m, c)
            for m, c in zip(self.network((images - self.mean) / self.std), self.channels, strict=True)
        ]


SOURCES = {
    "vggface": "VGGFace2: faces with identities",
    "ms1m": "MS-Celeb-1M: faces with identities",
    "webface": "WebFace: faces with identities",
    "affectnet": "AffectNet: faces with emotions",
    "openai": "web images with captions, people and emotions among them",
    "clip": "web images with captions, people and emotions among them",
    "laion": "web images with captions, people and emotions among them",
    "datacomp": "web images with captions, people and emotions among them",
    "in22k": "ImageNet-22k, no labels of identity or emotion",
    "in21k": "ImageNet-21k, no labels of identity or emotion",
    "in12k": "ImageNet-12k, no labels of identity or emotion",
    "in1k": "ImageNet-1k, no labels of identity or emotion",
}
"""Training data by a part of timm's tag of the weights (a1_in1k, laion2b_ft_in12k_in1k ...); data with faces come first."""


def pretraining(tag: str, model: str) -> str:
    """The training data of weights in words, from their tag and the model's name, which may name several datasets."""
    known = dict.fromkeys(text for key, text in SOURCES.items() if key in tag or key in model)
    return "; ".join(known) if known else f"weights '{tag or model}', whose training data are not known here"


def _channels_first(features: Tensor, channels: int) -> Tensor:
    """Features as (B, C, H, W). Some timm models, such as Swin, return (B, H, W, C)."""
    return features if features.shape[1] == channels else features.permute(0, 3, 1, 2)
