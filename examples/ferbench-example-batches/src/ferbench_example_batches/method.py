"""Cross-entropy with identity-aware triplets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import PK, Backbone, Batch, Clock, Group, Method, Stage, Task, Update
from ferbench_example_batches.plugin import IdentityTripletsSettings

FAR = 5.0
"""More than the largest squared distance of two features of length 1, which is 4."""


def triplet_loss(features: Tensor, expression: Tensor, subject: Tensor, margin: float) -> Tensor:
    """The mean of max(0, margin + d(anchor, positive) - d(anchor, negative)) over the anchors that have both, with the farthest
    positive (another subject with the same expression) and the nearest negative (the same subject with another expression) in the
    batch, and squared distances of features of length 1; 0 if there is no such anchor.

    Args:
        features: (B, D). expression, subject: (B,), int64.
    """
    unit = F.normalize(features.float(), dim=1)
    distance = (2 - 2 * unit @ unit.T).clamp(min=0)
    same_expression, same_subject = expression[:, None] == expression, subject[:, None] == subject
    positive, negative = same_expression & ~same_subject, same_subject & ~same_expression
    far = torch.where(positive, distance, 0.0).amax(1)
    near = torch.where(negative, distance, FAR).amin(1)
    both = positive.any(1) & negative.any(1)
    losses = torch.where(both, F.relu(margin + far - near), 0.0)
    return losses.sum() / both.sum().clamp(min=1)


class IdentityTriplets(Method):
    """Features are the mean over the coarsest map of the backbone."""

    settings: IdentityTripletsSettings

    def __init__(self, task: Task, backbone: Backbone, settings: IdentityTripletsSettings) -> None:
        super().__init__(task, backbone, settings)
        self.backbone = backbone
        with task.init("identity_triplets.classifier"):
            self.classifier = nn.Linear(backbone.channels[-1], len(task.expressions))

    def stages(self) -> Sequence[Stage]:
        s = self.settings
        group = Group([self.backbone, self.classifier], s.lr, schedule="cosine")
        batches = PK(s.frames) if s.frames else None
        return [Stage("training", self.training_step, {"network": group}, batches=batches)]

    def training_step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        features = self.features(batch.images)
        terms = {"expression": F.cross_entropy(self.classifier(features), batch.expression)}
        if weight := self.settings.triplet_weight:
            loss = triplet_loss(features, batch.expression, batch.subject, self.settings.margin)
            terms["triplets"] = weight * loss
        yield Update.total("network", terms)

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, D)."""
        result: Tensor = self.backbone(images)[-1].mean(dim=(2, 3))
        return result

    def logits(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, expressions)."""
        result: Tensor = self.classifier(self.features(images))
        return result
