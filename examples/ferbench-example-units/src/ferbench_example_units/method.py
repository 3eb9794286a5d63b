"""Expression and action units from one representation: Kollias, Sharmanska and Zafeiriou, arXiv 1910.11111.

    q_a(x) = sum over e of p(e | x) p(a | e)
    L = CE(expression(f(x)), y) + BCE(units(f(x)), present) + coupling

Coupling is the cross-entropy of the action units that are found with those that the expressions that are found lead to
expect. The table p(a | e) is counted in the training set, where the paper has one of psychologists.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Backbone, Batch, Clock, Epoch, Group, Method, Stage, Task, Update
from ferbench.blocks.factors import masked_bce
from ferbench_example_units.plugin import PRESENT, UnitCouplingSettings


def coupling(units: Tensor, expression: Tensor, expected: Tensor) -> Tensor:
    """The mean over images and action units of -p log q - (1 - p) log(1 - q).

    Args:
        units: (B, A), logits of p.
        expression: (B, C), logits.
        expected: (C, A), p(a | e), in (0, 1).
    """
    q = expression.float().softmax(1) @ expected
    p = units.float().sigmoid()
    return -(p * q.log() + (1 - p) * (1 - q).log()).mean()


class UnitCoupling(Method):
    """Features are the mean over the coarsest map of the backbone."""

    settings: UnitCouplingSettings
    expected: Tensor

    def __init__(self, task: Task, backbone: Backbone, settings: UnitCouplingSettings) -> None:
        super().__init__(task, backbone, settings)
        self.backbone = backbone
        self.names = tuple(task.factors)
        width, classes, units = backbone.channels[-1], len(task.expressions), len(self.names)
        with task.init("unit_coupling.expression"):
            self.expression = nn.Linear(width, classes)
        with task.init("unit_coupling.units"):
            self.units = nn.Linear(width, units)
        self.register_buffer("expected", torch.full((classes, units), 0.5))

    def stages(self) -> Sequence[Stage]:
        s = self.settings
        networks = [self.backbone, self.expression, *([self.units] if s.unit_weight or s.coupling_weight else [])]
        group = Group(networks, s.lr, schedule="cosine")
        count = self.count if s.coupling_weight else None
        return [Stage("training", self.training_step, {"network": group}, before_epoch=count)]

    def present(self, batch: Batch) -> Tensor:
        """(B, A): 1 where an action unit is present, 0 where it is not, NaN where that is not known."""
        level = torch.stack([batch.factors[name] for name in self.names], 1)
        return torch.where(level.isnan(), level, (level >= PRESENT).float())

    def count(self, epoch: Epoch) -> None:
        """Count p(a | e), once, with one more frame with each action unit and one without it."""
        if epoch.number:
            return
        with_unit, known = torch.ones_like(self.expected), torch.full_like(self.expected, 2)
        for batch in epoch.batches():
            member = F.one_hot(batch.expression, len(known)).float().T
            present = self.present(batch)
            with_unit += member @ present.nan_to_num(0)
            known += member @ (~present.isnan()).float()
        self.expected.copy_(with_unit / known)

    def training_step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        s = self.settings
        features = self.features(batch.images)
        expression, units = self.expression(features), self.units(features)
        terms = {"expression": F.cross_entropy(expression, batch.expression)}
        if s.unit_weight:
            terms["units"] = s.unit_weight * masked_bce(units, self.present(batch))
        if s.coupling_weight:
            terms["coupling"] = s.coupling_weight * coupling(units, expression, self.expected)
        yield Update.total("network", terms)

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, D)."""
        result: Tensor = self.backbone(images)[-1].mean(dim=(2, 3))
        return result

    def logits(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, expressions)."""
        result: Tensor = self.expression(self.features(images))
        return result

    def estimates(self, images: Tensor) -> dict[str, Tensor]:
        """The probability of each action unit, (B,) by name; none where nothing trains them."""
        if not (self.settings.unit_weight or self.settings.coupling_weight):
            return {}
        return dict(zip(self.names, self.units(self.features(images)).sigmoid().unbind(1), strict=True))
