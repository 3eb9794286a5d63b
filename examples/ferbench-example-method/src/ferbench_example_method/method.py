"""Cross-entropy with center loss: Wen, Zhang, Li and Qiao, ECCV 2016."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Backbone, Batch, Clock, Group, Method, Stage, Task, Update
from ferbench_example_method.plugin import CenterLossSettings


def center_loss(features: Tensor, centers: Tensor) -> Tensor:
    """Half the squared distance to the center, averaged over the batch (equation 2 of the paper, divided by the batch's size).

    Args:
        features: (B, D).
        centers: (B, D), of the class of each image.
    """
    return (features - centers).square().sum(1).mean() / 2


class CenterLoss(Method):
    """Features are the mean over the coarsest map of the backbone; centers are learned with the networks."""

    settings: CenterLossSettings

    def __init__(self, task: Task, backbone: Backbone, settings: CenterLossSettings) -> None:
        super().__init__(task, backbone, settings)
        self.backbone = backbone
        with task.init("center_loss.classifier"):
            self.classifier = nn.Linear(backbone.channels[-1], len(task.expressions))
        with task.init("center_loss.centers"):
            self.centers = nn.Embedding(len(task.expressions), backbone.channels[-1])

    def stages(self) -> Sequence[Stage]:
        networks = [self.backbone, self.classifier, *([self.centers] if self.settings.center_weight else [])]
        group = Group(networks, self.settings.lr, schedule="cosine")
        return [Stage("training", self.training_step, {"network": group})]

    def training_step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        features = self.features(batch.images)
        terms = {"expression": F.cross_entropy(self.classifier(features), batch.expression)}
        if self.settings.center_weight:
            terms["center"] = self.settings.center_weight * center_loss(features, self.centers(batch.expression))
        yield Update.total("network", terms)

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, D)."""
        result: Tensor = self.backbone(images)[-1].mean(dim=(2, 3))
        return result

    def logits(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, expressions)."""
        result: Tensor = self.classifier(self.features(images))
        return result
