"""timm models behind the backbone interface."""

from __future__ import annotations

from typing import Any

import timm
import torch
from torch import Tensor

from ferbench import Backbone, FerbenchError, UnknownName
from ferbench_timm.plugin import TimmSettings


class Timm(Backbone):
    """`timm.create_model(model, features_only=True)`; images are renormalised to what the weights expect."""

    mean: Tensor
    std: Tensor

    def __init__(self, settings: TimmSettings, image_size: int) -> None:
        super().__init__()
        name = settings.model
        if not timm.is_model(name):
            raise UnknownName("timm model", name, timm.list_models())
        # transformers fix the size of their position embedding; convolutional networks know no such argument
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
                "download them where there is a network: timm keeps them in its cache."
            ) from error
        self.network = network
        self.channels = tuple(network.feature_info.channels())
        self.reductions = tuple(network.feature_info.reduction())
        expects: dict[str, Any] = getattr(network, "pretrained_cfg", None) or {}
        mean, std = expects.get("mean", (0.5,) * 3), expects.get("std", (0.5,) * 3)
        self.seen = seen(str(expects.get("tag") or ""), name) if settings.pretrained else ""
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
"""By what timm writes into the tag of its weights (a1_in1k, laion2b_ft_in12k_in1k ...); those with faces first."""


def seen(tag: str, model: str) -> str:
    """What weights were trained on, as far as their tag says; a tag may name several."""
    known = dict.fromkeys(text for key, text in SOURCES.items() if key in tag or key in model)
    return "; ".join(known) if known else f"weights '{tag or model}', whose training data are not known here"


def _channels_first(features: Tensor, channels: int) -> Tensor:
    """Some timm models (Swin) give (B, H, W, C)."""
    return features if features.shape[1] == channels else features.permute(0, 3, 1, 2)
