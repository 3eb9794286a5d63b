"""Clusters of an expression, and the same person with other expressions kept out of them.

After Liu, Vijaya Kumar, You and Jia, Adaptive Deep Metric Learning for Identity-Aware FER, CVPR Workshops 2017. A
tuplet has a query, N other people with its expression, and M frames of its person with other expressions. A batch of P
subjects x K frames holds many of them, and each frame is the query of one. d is the squared distance of features of
length 1 to the mean c of the query and its positives:

    L = mean over N + 1 of max(0, d(x+, c) - T + tau / 2) + mean over M of max(0, T + tau / 2 - d(x-, c))

T is learned with the networks, at a rate of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import PK, Backbone, Batch, Clock, Group, Method, Part, Stage, Task, Update, whole_batch
from ferbench_example_tuplets.plugin import TupletSettings


def tuplet_loss(features: Tensor, expression: Tensor, subject: Tensor, threshold: Tensor, gap: float) -> Tensor:
    """The mean of L over the queries that have positives and negatives in the batch; 0 if there is none.

    Args:
        features: (B, D).
        expression: (B,), int64.
        subject: (B,), int64.
        threshold: (), T.
        gap: tau.
    """
    unit = F.normalize(features.float(), dim=1)
    same_expression, same_subject = expression[:, None] == expression, subject[:, None] == subject
    positive, negative = same_expression & ~same_subject, same_subject & ~same_expression
    both = positive.any(1) & negative.any(1)
    cluster = (positive | torch.eye(len(unit), dtype=torch.bool, device=unit.device)).float()
    center = cluster @ unit / cluster.sum(1, keepdim=True)
    distance = 1 + center.square().sum(1, keepdim=True) - 2 * center @ unit.T
    near = (F.relu(distance - threshold + gap / 2) * cluster).sum(1) / cluster.sum(1)
    far = (F.relu(threshold + gap / 2 - distance) * negative).sum(1) / negative.sum(1).clamp(min=1)
    return ((near + far) * both).sum() / both.sum().clamp(min=1)


class Threshold(nn.Module):
    """One learned number."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))


class IdentityTuplets(Method):
    """Features are the mean over the coarsest map of the backbone."""

    settings: TupletSettings

    def __init__(self, task: Task, backbone: Backbone, settings: TupletSettings) -> None:
        super().__init__(task, backbone, settings)
        self.backbone = backbone
        with task.init("identity_tuplets.classifier"):
            self.classifier = nn.Linear(backbone.channels[-1], len(task.expressions))
        self.threshold = Threshold(settings.threshold)

    def stages(self) -> Sequence[Stage]:
        s = self.settings
        learned = s.tuplet_weight > 0 and s.threshold_rate > 0
        parts = [Part([self.threshold], lr=s.threshold_rate)] if learned else []
        group = Group([self.backbone, self.classifier], s.lr, schedule="cosine", parts=parts)
        batches = PK(s.frames) if s.frames else None
        return [Stage("training", self.training_step, {"network": group}, batches=batches)]

    def training_step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        s = self.settings
        features = self.features(batch.images)
        terms = {"expression": F.cross_entropy(self.classifier(features), batch.expression)}
        if s.tuplet_weight:
            found, expression, subject = (whole_batch(part) for part in (features, batch.expression, batch.subject))
            terms["tuplets"] = s.tuplet_weight * tuplet_loss(found, expression, subject, self.threshold.value, s.gap)
        yield Update.total("network", terms)

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, D)."""
        result: Tensor = self.backbone(images)[-1].mean(dim=(2, 3))
        return result

    def logits(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, expressions)."""
        result: Tensor = self.classifier(self.features(images))
        return result
