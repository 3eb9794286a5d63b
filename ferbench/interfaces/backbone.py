"""The backbone interface. It follows timm's `features_only` convention."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Backbone(nn.Module, ABC):
    """A network that maps images to feature maps, ordered from fine to coarse. Constructed with (settings, image_size).

    Attributes:
        channels: number of channels of each map.
        reductions: width of the image divided by the width of each map; increasing.
        pretraining: the data on which the initial weights were trained, in words, with a mention of identity and emotion
            labels among them. Empty for random weights. The leaderboard shows it.
        scratch: names of attributes, of the backbone or its modules, that training may change although they are not kept: caches
            of what can be computed again. See `Method.scratch`.
    """

    channels: tuple[int, ...]
    reductions: tuple[int, ...]
    pretraining: str = ""
    scratch: tuple[str, ...] = ()

    @abstractmethod
    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the feature maps.

        Args:
            images: (B, 3, H, W), float, in [-1, 1].

        Returns:
            L maps, of which map l is (B, channels[l], H / reductions[l], W / reductions[l]), float.
        """
