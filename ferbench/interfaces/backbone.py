"""The backbone interface: timm's `features_only` convention."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Backbone(nn.Module, ABC):
    """Images to feature maps, fine to coarse. Constructed with (settings, image_size).

    Attributes:
        channels: channels of each map.
        reductions: by which factor each map is smaller than the image; increasing.
        seen: what its weights were trained on before, in words, with the faces or emotions among it; empty for none. It stands
            on the leaderboard.
    """

    channels: tuple[int, ...]
    reductions: tuple[int, ...]
    seen: str = ""

    @abstractmethod
    def forward(self, images: Tensor) -> list[Tensor]:
        """images: (B, 3, H, W), float, in [-1, 1]. Gives L maps; map l is (B, channels[l], H_l, W_l)."""
