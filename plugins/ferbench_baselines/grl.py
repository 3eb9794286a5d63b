"""Gradient reversal: an adversarial identity classifier. Ganin and Lempitsky, Unsupervised Domain Adaptation by
Backpropagation, ICML 2015, with subjects instead of domains (for faces: Wang, Wang and Liang, ACM MM 2019).

    L_D = CE(D(F(x)), s),    L = CE(C(F(x)), y) + CE(D(R_lambda(F(x))), s)
    R_lambda(f) = f, dR_lambda/df = -lambda                                                        (eqs. 5, 6)
    lambda(p) = lambda_max (2 / (1 + exp(-10 p)) - 1),   p in [0, 1] the progress of training          (section 3.1)

Our reading: D has batch normalisation and one hidden layer as wide as the feature. In each step D is updated before the
network, with three times its learning rate, and lambda_max is 0.1. In the paper all are updated together and lambda_max is 1.
Here that only misled D: its loss rose above chance, but a probe trained afterwards predicted the subjects from the features
better than without gradient reversal (figures: docs/reference/methods.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Backbone, Batch, Clock, Group, Method, Stage, Task, Update
from ferbench.blocks.adversarial import reverse_gradient
from ferbench_baselines.plugin import GrlSettings


class Grl(Method):
    """Features: the backbone's coarsest feature map, averaged over its positions."""

    settings: GrlSettings

    def __init__(self, task: Task, backbone: Backbone, settings: GrlSettings) -> None:
        super().__init__(task, backbone, settings)
        self.backbone = backbone
        width = backbone.channels[-1]
        with task.init("grl.classifier"):
            self.classifier = nn.Linear(width, len(task.expressions))
        with task.init("grl.identity"):
            self.identity = nn.Sequential(
                nn.BatchNorm1d(width),
                nn.Linear(width, width),
                nn.ReLU(inplace=True),
                nn.Linear(width, len(task.subjects)),
            )

    def stages(self) -> Sequence[Stage]:
        s = self.settings
        network = Group([self.backbone, self.classifier], s.lr, weight_decay=s.weight_decay, schedule="cosine")
        identity = Group([self.identity], s.lr * s.identity_lr_scale, weight_decay=s.weight_decay)
        return [Stage("training", self.training_step, {"identity": identity, "network": network})]

    def reversal(self, clock: Clock) -> Tensor | float:
        """lambda(p), the weight of the reversed gradient at this point of training."""
        s = self.settings
        weight: Tensor | float = s.reversal * (2 / (1 + torch.exp(-10 * clock.progress)) - 1 if s.schedule else 1.0)
        return weight

    def training_step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        f = self.features(batch.images)
        yield Update("identity", F.cross_entropy(self.identity(f.detach()), batch.subject))
        identity = self.identity(reverse_gradient(f, self.reversal(clock)))
        yield Update.total(
            "network",
            {
                "expression": F.cross_entropy(self.classifier(f), batch.expression),
                "identity": F.cross_entropy(identity, batch.subject),
            },
        )

    def features(self, images: Tensor) -> Tensor:
        result: Tensor = self.backbone(images)[-1].mean(dim=(2, 3))
        return result

    def logits(self, images: Tensor) -> Tensor:
        result: Tensor = self.classifier(self.features(images))
        return result
