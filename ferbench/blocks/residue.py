"""Residue learning: what expression leaves behind in the layers of a frozen generator."""

from __future__ import annotations

from torch import Tensor, nn

from ferbench.blocks import Init, any_init


class ResidueBranch(nn.Module):
    """A small CNN on one feature map, with a classifier of its own (Yang et al., DeRL, CVPR 2018, "local CNN").

    Args:
        channels: of the feature map.
        outputs: width of the branch's feature.
        classes: C.
        init: parts "first", "second" and "classifier".
    """

    def __init__(self, channels: int, outputs: int, classes: int, init: Init = any_init) -> None:
        super().__init__()
        with init("first"):
            first = nn.Conv2d(channels, outputs, 3, 2, 1, bias=False)
        with init("second"):
            second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.features = nn.Sequential(
            first,
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            second,
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        with init("classifier"):
            self.classifier = nn.Linear(outputs, classes)

    def forward(self, feature_map: Tensor) -> tuple[Tensor, Tensor]:
        """(B, channels, H, W) -> the feature (B, outputs) and its logits (B, C)."""
        feature = self.features(feature_map)
        return feature, self.classifier(feature)
