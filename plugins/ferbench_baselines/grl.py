"""An identity classifier behind a reversed gradient: Ganin and Lempitsky, Unsupervised Domain Adaptation by
Backpropagation, ICML 2015, with the subject in the place of the domain (for faces: Wang, Wang and Liang, ACM MM 2019).

    L_D = CE(D(F(x)), s),    L = CE(C(F(x)), y) + CE(D(R_lambda(F(x))), s)
    R_lambda(f) = f, dR_lambda/df = -lambda                                                        (eqs. 5, 6)
    lambda(p) = lambda_max (2 / (1 + exp(-10 p)) - 1),   p in [0, 1] the progress of training          (section 3.1)

Our reading: D has a batch norm and one hidden layer, as wide as the feature; it moves before the network in each step, at three
times its rate, and lambda_max is 0.1. In the paper all move at once, with lambda_max 1. So done here, D was misled instead of
starved: its loss rose above chance, and a probe fitted afterwards read the subjects off the same features better than without
any reversal (docs/reference/methods.md has the figures).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Backbone, Batch, Clock, Group, Method, Stage, Task, Update
from ferbench.blocks.adversarial import reverse_gradient
from ferbench_baselines.plugin import GrlSettings


class Grl(Method):
    """Features: the mean over the backbone's coarsest map."""

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

    def reversal(self, clock: Clock) -> float:
        """lambda."""
        s = self.settings
        return s.reversal * (2 / (1 + math.exp(-10 * clock.progress)) - 1 if s.schedule else 1.0)

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
        return self.backbone(images)[-1].mean(dim=(2, 3))

    def logits(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images))
