"""Residue learning: what expression leaves behind in the layers of a frozen generator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from ferbench.blocks import Init, any_init

SMALLEST = 4
"""A branch halves its map until it is at most so wide."""


class ResidueBranch(nn.Module):
    """A small CNN on one feature map, with a classifier of its own (Yang et al., DeRL, CVPR 2018, "local CNN").

    Strided 3x3 convolutions bring the map down to at most 4 x 4, whatever its size, so that the branch of a fine map sees
    as much of the face as that of a coarse one; then one more, and the mean over the map.

    >>> import torch
    >>> feature, logits = ResidueBranch(channels=8, size=16, outputs=4, classes=6)(torch.zeros(2, 8, 16, 16))
    >>> tuple(feature.shape), tuple(logits.shape)
    ((2, 4), (2, 6))

    Args:
        channels: of the feature map.
        size: its width.
        outputs: width of the branch's feature and of its convolutions.
        classes: C.
        init: parts "0", "1" and so on, and "classifier".
    """

    def __init__(self, channels: int, size: int, outputs: int, classes: int, init: Init = any_init) -> None:
        super().__init__()
        strides = [1]
        while size > SMALLEST:
            strides.insert(0, 2)
            size = -(-size // 2)
        layers: list[nn.Module] = []
        for level, stride in enumerate(strides):
            with init(str(level)):
                layers.append(nn.Conv2d(channels if level == 0 else outputs, outputs, 3, stride, 1, bias=False))
            layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        with init("classifier"):
            self.classifier = nn.Linear(outputs, classes)

    def forward(self, feature_map: Tensor) -> tuple[Tensor, Tensor]:
        """(B, channels, size, size) -> the feature (B, outputs) and its logits (B, C)."""
        feature = self.features(feature_map)
        return feature, self.classifier(feature)


def trained(branches: Iterable[nn.Module], own_losses: bool) -> list[nn.Module]:
    """What a stage trains of its branches: all of each, or without losses of their own the features alone."""
    return [b if own_losses or not isinstance(b, ResidueBranch) else b.features for b in branches]


def residue_terms(
    logits: Tensor, by_branch: Sequence[Tensor], labels: Tensor, weight_all: float, weight_branch: float
) -> dict[str, Tensor]:
    """b_all CE_all and b CE_l of each branch, by name; without a weight the branches have no terms.

    >>> import torch
    >>> undecided, labels = torch.zeros(4, 2), torch.tensor([0, 1, 0, 1])
    >>> terms = residue_terms(undecided, [undecided], labels, weight_all=1.0, weight_branch=0.5)
    >>> {name: round(term.item(), 4) for name, term in terms.items()}  # log 2 and half of it
    {'all': 0.6931, 'branch_0': 0.3466}

    Args:
        logits: (B, C), of the classifier that sees all branches.
        by_branch: (B, C) of each.
        labels: (B,).
    """
    terms = {"all": weight_all * F.cross_entropy(logits, labels)}
    for level, branch in enumerate(by_branch if weight_branch else []):
        terms[f"branch_{level}"] = weight_branch * F.cross_entropy(branch, labels)
    return terms
