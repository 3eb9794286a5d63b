"""From an image to a vector, through the benchmark's backbone."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ferbench.interfaces.backbone import Backbone


class Encoder(nn.Module):
    """The backbone, and a linear map from its coarsest feature map, averaged in `cells` x `cells` cells, to a vector.

    >>> import torch
    >>> class Halves(Backbone):
    ...     channels, reductions = (3,), (2,)
    ...     def forward(self, images):
    ...         return [F.avg_pool2d(images, 2)]
    >>> maps, vector = Encoder(Halves(), outputs=5)(torch.zeros(2, 3, 8, 8))
    >>> tuple(maps[0].shape), tuple(vector.shape)
    ((2, 3, 4, 4), (2, 5))

    Args:
        backbone: any.
        outputs: width of the vector.
        cells: 1 averages over the whole map; more keep where things are, which a decoder needs.
    """

    def __init__(self, backbone: Backbone, outputs: int, cells: int = 1) -> None:
        super().__init__()
        self.backbone = backbone
        self.cells = cells
        self.project = nn.Linear(backbone.channels[-1] * cells**2, outputs)

    def forward(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        """(B, 3, S, S) -> the backbone's maps and the vector, (B, outputs)."""
        maps = self.backbone(images)
        return maps, self.project(F.adaptive_avg_pool2d(maps[-1], self.cells).flatten(1))
