"""Island loss: Cai, Meng, Khan, Li, O'Reilly and Tong, FG 2018, arXiv 1710.03144.

    L = CE(classifier(f(x)), y) + lambda (center(f(x), c_y) + lambda_1 sum of 1 + cos(c_j, c_k) over j != k)

Networks are trained by SGD with momentum, whose rate falls in steps. Centers move once a step, by the rule of the
paper: they are buffers. In the variant `trained_centers` they are parameters, a part of the group with a rate of its
own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Backbone, Batch, Clock, Group, Method, Part, Stage, Task, Update
from ferbench.blocks.schedules import StepDecay
from ferbench_example_islands.plugin import IslandLossSettings


def center_loss(features: Tensor, centers: Tensor) -> Tensor:
    """Half the squared distance of features (B, D) to the centers (B, D) of their classes, as a mean over the batch."""
    return (features.float() - centers).square().sum(1).mean() / 2


def island_loss(centers: Tensor) -> Tensor:
    """The sum of 1 + cos(c_j, c_k) over all ordered pairs of different centers (C, D)."""
    unit = F.normalize(centers, dim=1)
    others = 1 - torch.eye(len(centers), device=centers.device)
    result: Tensor = ((1 + unit @ unit.T) * others).sum()
    return result


def center_step(centers: Tensor, features: Tensor, labels: Tensor, island_weight: float) -> Tensor:
    """What the rule of the paper subtracts from the centers (C, D), times their rate.

    It is the mean distance to the features of a class, with one more in the denominator, and `island_weight` / (C - 1)
    times the derivative of the cosines with the other centers.

    Args:
        features: (B, D).
        labels: (B,), int64, the class of each.
    """
    member = F.one_hot(labels, len(centers)).to(centers.dtype)
    count = member.sum(0)[:, None]
    drawn = (count * centers - member.T @ features.to(centers.dtype)) / (1 + count)
    length = centers.norm(dim=1, keepdim=True).clamp(min=1e-12)
    unit = centers / length
    cosine = unit @ unit.T
    others = unit.sum(0) - unit - (cosine.sum(1, keepdim=True) - cosine.diagonal()[:, None]) * unit
    result: Tensor = drawn + island_weight * others / length / (len(centers) - 1)
    return result


class Centers(nn.Module):
    """A center of each class: a parameter if it is trained, else a buffer."""

    points: Tensor

    def __init__(self, classes: int, width: int, trained: bool) -> None:
        super().__init__()
        points = torch.randn(classes, width)
        if trained:
            self.points = nn.Parameter(points)
        else:
            self.register_buffer("points", points)


class IslandLoss(Method):
    """Features are the mean over the coarsest map of the backbone."""

    settings: IslandLossSettings

    def __init__(self, task: Task, backbone: Backbone, settings: IslandLossSettings) -> None:
        super().__init__(task, backbone, settings)
        self.backbone = backbone
        classes, width = len(task.expressions), backbone.channels[-1]
        with task.init("island_loss.classifier"):
            self.classifier = nn.Linear(width, classes)
        with task.init("island_loss.centers"):
            self.centers = Centers(classes, width, settings.train_centers)

    def stages(self) -> Sequence[Stage]:
        s = self.settings
        trained = s.train_centers and s.center_weight > 0
        group = Group(
            [self.backbone, self.classifier],
            s.lr,
            parts=[Part([self.centers], lr=s.center_rate, weight_decay=0.0)] if trained else [],
            optimiser="sgd",
            momentum=s.momentum,
            weight_decay=s.weight_decay,
            schedule=StepDecay((1 / 2, 3 / 4)),
        )
        after = self.move if s.center_weight and not s.train_centers else None
        return [Stage("training", self.training_step, {"network": group}, after=after)]

    def training_step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        s = self.settings
        features = self.features(batch.images)
        terms = {"expression": F.cross_entropy(self.classifier(features), batch.expression)}
        if s.center_weight:
            terms["center"] = s.center_weight * center_loss(features, self.centers.points[batch.expression])
            terms["island"] = s.center_weight * s.island_weight * island_loss(self.centers.points)
        yield Update.total("network", terms, {"features": features.detach()})

    def move(self, batch: Batch, outputs: Mapping[str, Tensor], clock: Clock) -> None:
        """Move the centers, once a step, by the features of the whole batch."""
        s, points = self.settings, self.centers.points
        points -= s.center_rate * center_step(points, outputs["features"], batch.expression, s.island_weight)

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, D)."""
        result: Tensor = self.backbone(images)[-1].mean(dim=(2, 3))
        return result

    def logits(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, expressions)."""
        result: Tensor = self.classifier(self.features(images))
        return result
