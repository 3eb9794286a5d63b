"""A discriminator with several heads on one trunk."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from ferbench.blocks import Init, any_init

LEVELS = 4


class MultiTaskDiscriminator(nn.Module):
    """A convolutional trunk without normalisation (a discriminator sees real and made images in separate batches, whose
    statistics would give them away) and one linear head a task.

    >>> import torch
    >>> found = MultiTaskDiscriminator({"real": 1, "expression": 6}, image_size=32, width=4)(torch.zeros(2, 3, 32, 32))
    >>> {name: tuple(logits.shape) for name, logits in found.items()}
    {'real': (2, 1), 'expression': (2, 6)}

    Args:
        heads: outputs of each head, by name.
        image_size: of the square images.
        width: channels of the first level; each further one has twice as many, up to 8 times.
        dropout: of the trunk's output.
        channels: of what it sees: 3 for an image, 6 for a pair.
        init: parts "trunk.0" and so on, and the names of the heads.
    """

    def __init__(
        self,
        heads: Mapping[str, int],
        image_size: int,
        width: int = 32,
        dropout: float = 0.0,
        channels: int = 3,
        init: Init = any_init,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs, size = channels, image_size
        for level in range(LEVELS):
            outputs = width * min(2**level, 8)
            kernel = 5 if level == 0 else 3
            with init(f"trunk.{level}"):
                layers += [nn.Conv2d(inputs, outputs, kernel, 2, kernel // 2), nn.LeakyReLU(0.2)]
            inputs, size = outputs, -(-size // 2)
        self.trunk = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(dropout))
        self.heads = nn.ModuleDict()
        for name, count in heads.items():
            with init(name):
                self.heads[name] = nn.Linear(inputs * size**2, count)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """images: (B, channels, S, S) -> for each head (B, outputs)."""
        return self.judge(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """(B, channels, S, S) -> what the heads see, (B, D)."""
        result: Tensor = self.trunk(images)
        return result

    def judge(self, features: Tensor) -> dict[str, Tensor]:
        """(B, D) -> for each head (B, outputs)."""
        return {name: head(features) for name, head in self.heads.items()}
