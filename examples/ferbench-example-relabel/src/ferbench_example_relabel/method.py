"""Self-Cure Network: Wang, Peng, Yang, Meng and Qiao, CVPR 2020, arXiv 2002.10392.

    alpha = sigmoid(v . f(x) + b)                                   the importance of an image
    L = CE(alpha W f(x), y) + w max(0, delta_1 - (mean alpha of the high group - mean alpha of the low group))

After a part of the training, an image of the low group gets the label of its most probable class, where that is more
probable than the class of its label by delta_2. The authors' code relabels both groups; its issue 33 has the low one, as
the paper. The labels that count in later steps are in a buffer, and are compared with the next time, as in the code.

With `trainer.accumulate` the groups of the loss are those of each part of a batch; those of relabelling are always of
the whole one. Rates of 70 epochs are fractions of the stage: our reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Backbone, Batch, Clock, Group, Method, Stage, Task, Update, whole_batch
from ferbench.blocks.schedules import Exponential
from ferbench.blocks.transforms import Erase
from ferbench_example_relabel.plugin import ScnSettings


def in_low_group(alpha: Tensor, high_share: float) -> Tensor:
    """Which images are not among the share `high_share` of highest importance `alpha` (B,): (B,), bool."""
    high = alpha.topk(int(high_share * len(alpha))).indices
    return torch.ones_like(alpha, dtype=torch.bool).scatter(0, high, False)


def ranking_loss(alpha: Tensor, high_share: float, margin: float) -> Tensor:
    """How much less than `margin` the mean importance of the high group is above that of the low one; B is at least 2."""
    low = in_low_group(alpha, high_share)
    means = [(alpha * group).sum() / group.sum() for group in (~low, low)]
    return F.relu(margin - (means[0] - means[1]))


def relabelled(labels: Tensor, chances: Tensor, low: Tensor, margin: float) -> Tensor:
    """The labels (B,), other ones where an image is in the low group and another class more probable by `margin`.

    Args:
        labels: (B,), int64.
        chances: (B, C), probabilities.
        low: (B,), bool.
    """
    highest, likely = chances.max(1)
    given = chances.gather(1, labels[:, None]).squeeze(1)
    return torch.where(low & (highest - given > margin), likely, labels)


class SelfCure(Method):
    """Features are the mean over the coarsest map of the backbone."""

    settings: ScnSettings
    labels: Tensor

    def __init__(self, task: Task, backbone: Backbone, settings: ScnSettings) -> None:
        super().__init__(task, backbone, settings)
        self.backbone = backbone
        with task.init("scn.classifier"):
            self.classifier = nn.Linear(backbone.channels[-1], len(task.expressions))
        with task.init("scn.importance"):
            self.importance = nn.Linear(backbone.channels[-1], 1)
        self.register_buffer("labels", torch.full((task.frames,), -1))  # -1 for the label of the dataset

    def stages(self) -> Sequence[Stage]:
        s = self.settings
        networks = [self.backbone, self.classifier]
        if s.weighting or s.ranking_weight:
            networks.append(self.importance)
        schedule = Exponential(0.9**70)  # the code's: a factor of 0.9 after each of 70 epochs
        group = Group(networks, s.lr, optimiser="adam", weight_decay=s.weight_decay, schedule=schedule)
        after = self.relabel if s.relabel_from < 1 else None
        transforms = [Erase(s.erasing, scale=(0.02, 0.25))] if s.erasing else []  # the scale of the code
        return [Stage("training", self.training_step, {"network": group}, after=after, transforms=transforms)]

    def training_step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        s = self.settings
        logits, alpha = self.judge(self.features(batch.images))
        terms = {"expression": F.cross_entropy(logits, self.labels_of(batch))}
        if s.ranking_weight:
            terms["ranking"] = s.ranking_weight * ranking_loss(whole_batch(alpha), s.high_share, s.ranking_margin)
        yield Update.total("network", terms, {"chances": logits.detach().softmax(1), "alpha": alpha.detach()})

    def relabel(self, batch: Batch, outputs: Mapping[str, Tensor], clock: Clock) -> None:
        """Change labels, once a step, by the groups of the whole batch."""
        assert batch.index is not None, "training frames have numbers"
        s, labels = self.settings, self.labels_of(batch)
        new = relabelled(labels, outputs["chances"], in_low_group(outputs["alpha"], s.high_share), s.relabel_margin)
        new = torch.where((new != labels) & (clock.progress >= s.relabel_from), new, self.labels[batch.index])
        # of a frame that is drawn twice the highest label counts, whatever the order
        self.labels.scatter_reduce_(0, batch.index, new, "amax", include_self=False)

    def labels_of(self, batch: Batch) -> Tensor:
        """The labels that count: those of the dataset, or what they were changed to."""
        changed = self.labels[batch.index]
        return torch.where(changed < 0, batch.expression, changed)

    def judge(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D) -> logits (B, C) and importance (B,)."""
        alpha = self.importance(features).float().sigmoid().squeeze(1)
        logits = self.classifier(features).float()
        return logits * alpha[:, None] if self.settings.weighting else logits, alpha

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, D)."""
        result: Tensor = self.backbone(images)[-1].mean(dim=(2, 3))
        return result

    def logits(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, C)."""
        return self.judge(self.features(images))[0]
