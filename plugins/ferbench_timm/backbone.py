"""Backbones from timm, with the interface of ferbench."""

from __future__ import annotations

from collections.abc import Mapping
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
        elsewhere = name.startswith(PLACES)
        if not elsewhere and not timm.is_model(name):
            raise UnknownName("timm model", name, timm.list_models())
        # transformers need img_size for their position embedding; convolutional networks do not accept it
        try:
            size: dict[str, Any] = {"img_size": image_size} if _fixed_size(name, elsewhere) else {}
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

    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """From the names of the model without `features_only`, as timm and its users store it: a part "stages.0" of it is called
        "stages_0" with `features_only`, and that of a transformer "model.stages.0"."""
        flat = {name.replace(".", "_"): value for name, value in tensors.items()}
        inside = {f"network.{own}": own.removeprefix("model.").replace(".", "_") for own in self.network.state_dict()}
        first = next(iter(inside.values()))
        starts = sorted({name.removesuffix(first) for name in flat if name.endswith(f"_{first}")}, key=len)
        start = max(("", *starts), key=lambda p: sum(p + name in flat for name in inside.values()))
        found = {own: flat[start + name] for own, name in inside.items() if start + name in flat}
        super().load_weights({**tensors, **found})


PLACES = ("hf-hub:", "hf_hub:", "local-dir:")
"""How names of models begin that are not timm's own: backbone.model=hf-hub:timm/resnet18.a1_in1k."""

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


def _fixed_size(name: str, elsewhere: bool) -> bool:
    """Whether a model is made for one size of images, so that it has to be told another."""
    if not elsewhere:
        known = timm.get_pretrained_cfg(name)
        return known is not None and bool(known.fixed_input_size)
    with torch.device("meta"):
        network: Any = timm.create_model(name, features_only=True)
    return bool((getattr(network, "pretrained_cfg", None) or {}).get("fixed_input_size"))


def pretraining(tag: str, model: str) -> str:
    """The training data of weights in words, from their tag and the model's name, which may name several datasets."""
    known = dict.fromkeys(text for key, text in SOURCES.items() if key in tag or key in model)
    return "; ".join(known) if known else f"weights '{tag or model}', whose training data are not known here"


def _channels_first(features: Tensor, channels: int) -> Tensor:
    """Features as (B, C, H, W). Some timm models, such as Swin, return (B, H, W, C)."""
    return features if features.shape[1] == channels else features.permute(0, 3, 1, 2)
