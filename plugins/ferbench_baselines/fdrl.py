"""FDRL: Ruan, Yan, Lai, Chai, Shen, Wang, Feature Decomposition and Reconstruction Learning for Effective Facial Expression
Recognition, CVPR 2021 (arXiv 2104.05160). *Stated* in the abstract: a feature is decomposed into latent features that all
expressions share, and reconstructed from the relations within and between them, without identity labels. The formulas are *our
interpretation*, from knowledge of the paper, not from its text:

    l_i = ReLU(W_i x),  i = 1..M                            x the pooled feature of the backbone
    L_C = mean over samples of sum_i |l_i - c_i|^2           (compact around a centre of each latent feature)
    a_i = sigmoid(W'_i l_i),  w_i = |a_i|_1,  f_i = w_i l_i / D  (intra-feature weights; D is the width of l_i)
    L_B = |mean of w - uniform|_1,  L_D = mean over samples of |w - w_(centre of class y)|^2,  w as a distribution over i
    g_i = ReLU(W_e f_i),  o_ij = tanh(cos(g_i, g_j)),  h_i = sum_(j != i) o_ij g_j,  y_i = d g_i + (1 - d) h_i
    L = CE(fc(sum_i y_i), y) + b_C L_C + b_B L_B + b_D L_D,   b_C = 1e-4, b_B = 1, b_D = 1e-4, M = 9, 128 wide, d = 1/2

The division by D is ours. Without it, features and logits are about 60 times too large at first (an initial loss of 91; chance
is 1.95), and the network needs hundreds of steps to correct that. The centres are parameters, trained with the losses that
contain them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Backbone, Batch, Clock, Group, Method, Stage, Task, Update
from ferbench_baselines.plugin import FdrlSettings


@dataclass
class Parts:
    """Attributes:
    latent: (B, M, D), the latent features l.
    weights: (B, M), the weights w; each row adds up to 1.
    feature: (B, D), the sum of the y_i.
    """

    latent: Tensor
    weights: Tensor
    feature: Tensor


class Fdrl(Method):
    """Features: the reconstructed feature, sum_i y_i."""

    settings: FdrlSettings

    def __init__(self, task: Task, backbone: Backbone, settings: FdrlSettings) -> None:
        super().__init__(task, backbone, settings)
        s, classes = settings, len(task.expressions)
        self.backbone = backbone
        with task.init("fdrl.decomposition"):
            self.decompose = nn.Linear(backbone.channels[-1], s.latent * s.feature_dim)
        with task.init("fdrl.intra"):
            self.importance = nn.ModuleList(nn.Linear(s.feature_dim, s.feature_dim) for _ in range(s.latent))
        with task.init("fdrl.inter"):
            self.message = nn.Linear(s.feature_dim, s.feature_dim)
        with task.init("fdrl.classifier"):
            self.classifier = nn.Linear(s.feature_dim, classes)
        if s.weight_compactness:
            self.centres = nn.Parameter(torch.zeros(s.latent, s.feature_dim))
        if s.weight_distribution:
            self.class_weights = nn.Parameter(torch.full((classes, s.latent), 1 / s.latent))

    def stages(self) -> Sequence[Stage]:
        s = self.settings
        return [
            Stage(
                "training",
                self.training_step,
                {"network": Group([self], s.lr, weight_decay=s.weight_decay, schedule="cosine")},
            )
        ]

    def training_step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        s = self.settings
        parts = self.parts(batch.images)
        terms = {"expression": F.cross_entropy(self.classifier(parts.feature), batch.expression)}
        if s.weight_compactness:
            terms["compactness"] = s.weight_compactness * compactness(parts.latent, self.centres)
        if s.weight_balance:
            terms["balance"] = s.weight_balance * balance(parts.weights)
        if s.weight_distribution:
            centre = self.class_weights[batch.expression]
            terms["distribution"] = s.weight_distribution * (parts.weights - centre).square().sum(1).mean()
        yield Update.total("network", terms)

    def parts(self, images: Tensor) -> Parts:
        """images: (B, 3, S, S), float, in [-1, 1]."""
        s = self.settings
        pooled = self.backbone(images)[-1].mean(dim=(2, 3))
        latent = self.decompose(pooled).view(-1, s.latent, s.feature_dim).relu()
        attention = torch.stack([layer(latent[:, i]) for i, layer in enumerate(self.importance)], 1).sigmoid()
        importance = attention.mean(2)
        g = self.message(importance[..., None] * latent).relu()
        y = g
        if s.relations:
            unit = F.normalize(g, dim=2)
            relation = (unit @ unit.transpose(1, 2)).tanh() * (1 - torch.eye(s.latent, device=g.device, dtype=g.dtype))
            y = s.own_share * g + (1 - s.own_share) * (relation @ g)
        return Parts(latent, importance / importance.sum(1, keepdim=True), y.sum(1))

    def features(self, images: Tensor) -> Tensor:
        return self.parts(images).feature

    def logits(self, images: Tensor) -> Tensor:
        result: Tensor = self.classifier(self.features(images))
        return result


def compactness(latent: Tensor, centres: Tensor) -> Tensor:
    """L_C, a scalar. latent: (B, M, D); centres: (M, D)."""
    return (latent - centres).square().sum(dim=(1, 2)).mean()


def balance(weights: Tensor) -> Tensor:
    """L_B, a scalar. weights: (B, M), of which each row adds up to 1."""
    return (weights.mean(0) - 1 / weights.shape[1]).abs().sum()
