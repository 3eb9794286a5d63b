"""IACNN: Meng, Liu, Cai, Han, Tong, Identity-Aware Convolutional Neural Network for Facial Expression Recognition,
FG 2017. *Stated* in the abstract: two identical streams, an expression-sensitive and an identity-sensitive contrastive loss, and
recognition from the features of both. *Our reading* (the full text was not available):

    L   = CE(exp f_e) + a_e Lc(f_e; same expression) + a_i Lc(f_i; same identity) + CE(all [f_e, f_i])
    Lc(u, v) = |u - v|^2 / 2 for a pair that is the same, max(0, delta - |u - v|^2) / 2 for one that is not

As the two streams share their weights, one network processes the batch, and the pairs are all pairs of images in the batch. f_e
and f_i are normalised to unit length in Lc, so that delta has the same meaning for every backbone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Backbone, Batch, Clock, Group, Method, Stage, Task, Update
from ferbench_baselines.plugin import IacnnSettings


class Iacnn(Method):
    """Features: f_e. The input of the classifier is f_e and f_i, as in the paper."""

    settings: IacnnSettings

    def __init__(self, task: Task, backbone: Backbone, settings: IacnnSettings) -> None:
        super().__init__(task, backbone, settings)
        self.backbone = backbone
        width, classes = settings.feature_dim, len(task.expressions)
        with task.init("iacnn.expression"):
            self.to_expression = nn.Sequential(nn.Linear(backbone.channels[-1], width), nn.ReLU(inplace=True))
            self.expression = nn.Linear(width, classes)
        with task.init("iacnn.identity"):
            self.to_identity = nn.Sequential(nn.Linear(backbone.channels[-1], width), nn.ReLU(inplace=True))
        with task.init("iacnn.classifier"):
            self.classifier = nn.Linear(2 * width, classes)

    def stages(self) -> Sequence[Stage]:
        s = self.settings
        modules = [
            self.backbone, self.to_expression, self.expression, self.to_identity, self.classifier
        ]  # fmt: skip
        return [
            Stage(
                "training",
                self.training_step,
                {"network": Group(modules, s.lr, weight_decay=s.weight_decay, schedule="cosine")},
            )
        ]

    def training_step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        s = self.settings
        f_e, f_i = self._both(batch.images)
        terms = {
            "expression": F.cross_entropy(self.expression(f_e), batch.expression),
            "all": F.cross_entropy(self.classifier(torch.cat([f_e, f_i], 1)), batch.expression),
        }
        if s.weight_expression:
            terms["contrast_expression"] = s.weight_expression * contrastive(f_e, batch.expression, s.margin)
        if s.weight_identity:
            terms["contrast_identity"] = s.weight_identity * contrastive(f_i, batch.subject, s.margin)
        yield Update.total("network", terms)

    def _both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        pooled = self.backbone(images)[-1].mean(dim=(2, 3))
        return self.to_expression(pooled), self.to_identity(pooled)

    def features(self, images: Tensor) -> Tensor:
        return self._both(images)[0]

    def logits(self, images: Tensor) -> Tensor:
        result: Tensor = self.classifier(torch.cat(self._both(images), 1))
        return result


def contrastive(features: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Lc for all pairs in a batch: the mean over pairs with equal labels plus the mean over pairs with different labels. There are
    many more of the latter, which would dominate a common mean.

    Args:
        features: (B, D); they are normalised to unit length.
        labels: (B,), int64.
        margin: delta, for the squared distance, 0 to 4.

    Returns:
        A scalar.
    """
    unit = F.normalize(features.float())
    distance = 2 - 2 * unit @ unit.T
    same = labels[:, None] == labels[None, :]
    other = torch.ones_like(same).triu(1)  # each pair once
    pull, push = (same & other).float(), (~same & other).float()
    near = 0.5 * (distance * pull).sum() / pull.sum().clamp(min=1)
    far = 0.5 * ((margin - distance).relu() * push).sum() / push.sum().clamp(min=1)
    return near + far
