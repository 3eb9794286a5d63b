"""Ada-CM: Li, Wang, Yang, Wang and Gao, CVPR 2022, arXiv 2203.12341; facts are of the released code (github.com/hangyu94/Ada-CM).

    L = 0.5 CE(z(x), y) + mean of [p >= T_c] CE(z(strong u), c) + 0.1 contrast(f(u_1), f(u_2), over u with p < T_c)

x are labelled frames, u unlabelled ones, of which u_1 and u_2 are two views. The pseudo-label c is the class with the largest
mean p of their softmaxes. T_c is learnt before each epoch.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Average, Backbone, Batch, Clock, Epoch, Group, Method, Stage, Task, Update, whole_batch
from ferbench.blocks.transforms import ColourJitter, CropResize, Erase
from ferbench_example_confidence.plugin import AdaCMSettings

STRONG = (CropResize((0.6, 1.0)), ColourJitter(0.4, 0.4, 0.4), Erase(1.0, scale=(0.02, 0.25)))


def margins(chances: Tensor, labels: Tensor, epoch: int, least: float) -> Tensor:
    """Margins (C,): the mean confidence of the frames of a class that are classified correctly, times 0.97 / (1 + exp(-epoch)).

    Args:
        chances: (N, C), softmax of labelled frames.
        labels: (N,), int64.
        epoch: number of epochs that were trained.
        least: the lowest margin, also of a class of which no frame is classified correctly.
    """
    confidence, guess = chances.max(1)
    right = F.one_hot(labels, chances.shape[1]) * (guess == labels)[:, None]
    mean = (right * confidence[:, None]).sum(0) / right.sum(0).clamp(min=1)
    return (mean * 0.97 / (1 + math.exp(-epoch))).clamp(min=least)


def contrast(first: Tensor, second: Tensor, chosen: Tensor, temperature: float) -> Tensor:
    """Mean of -log softmax(a . b / t) over the views a of chosen images, with b the other view of the image, among all other
    views of chosen images (Chen et al., SimCLR, ICML 2020); 0 if none is chosen.

    Args:
        first, second: (B, D), features of two views, of any length.
        chosen: (B,), bool.
        temperature: t.
    """
    views, kept = F.normalize(torch.cat([first, second]).float(), dim=1), torch.cat([chosen, chosen])
    similar = (views @ views.T).float() / temperature
    left_out = torch.eye(len(views), dtype=torch.bool, device=views.device) | ~kept
    chances = similar.masked_fill(left_out, torch.finfo(similar.dtype).min).log_softmax(1)
    other = torch.cat([chances.diagonal(len(first)), chances.diagonal(-len(first))])
    return -other.masked_fill(~kept, 0).sum() / kept.sum().clamp(min=1)


class Network(nn.Module):
    """A backbone and a classifier of the mean over its coarsest map."""

    def __init__(self, backbone: Backbone, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = nn.Linear(backbone.channels[-1], classes)

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, channels[-1])."""
        result: Tensor = self.backbone(images)[-1].mean(dim=(2, 3))
        return result

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, classes)."""
        result: Tensor = self.classifier(self.features(images))
        return result


class AdaCM(Method):
    """The average of weights learns margins and is judged; the student learns from labels, pseudo-labels and contrast."""

    settings: AdaCMSettings
    margins: Tensor

    def __init__(self, task: Task, backbone: Backbone, settings: AdaCMSettings) -> None:
        super().__init__(task, backbone, settings)
        with task.init("ada_cm.classifier"):
            self.student = Network(backbone, len(task.expressions))
        self.average = copy.deepcopy(self.student)
        self.register_buffer("margins", torch.full((len(task.expressions),), settings.least_margin))

    def stages(self) -> Sequence[Stage]:
        s = self.settings
        group = Group([self.student], s.lr, weight_decay=s.weight_decay)
        average = Average(self.student, self.average, s.decay, warmup=True)
        learn = self.learn_margins if s.adaptive and (s.pseudo_weight or s.contrast_weight) else None
        return [
            Stage("training", self.training_step, {"network": group}, before_epoch=learn, averages=[average], views=2)
        ]

    def training_step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        s, unlabelled = self.settings, batch.extra
        assert unlabelled is not None, "the card needs an extra dataset"
        terms = {"labelled": s.labelled_weight * F.cross_entropy(self.student(batch.images), batch.expression)}
        if s.pseudo_weight or s.contrast_weight:
            first, second = (self.student.features(view) for view in unlabelled.views)
            chances = [self.student.classifier(features).detach().float().softmax(1) for features in (first, second)]
            confidence, guess = ((chances[0] + chances[1]) / 2).max(1)
            above = confidence >= self.margins[guess]
            if s.pseudo_weight:
                strong = unlabelled.views[1]
                for transform in STRONG:
                    strong = transform(strong)
                pseudo = F.cross_entropy(self.student(strong), guess, reduction="none")
                terms["pseudo"] = s.pseudo_weight * (pseudo * above).mean()
            if s.contrast_weight:
                first, second, below = whole_batch(first), whole_batch(second), whole_batch(~above)
                terms["contrast"] = s.contrast_weight * contrast(first, second, below, s.temperature)
        yield Update.total("network", terms)

    def learn_margins(self, epoch: Epoch) -> None:
        """Learn the margins from all labelled frames, as the average of weights sees them."""
        seen = [(self.average(batch.images).float().softmax(1), batch.expression) for batch in epoch.batches()]
        chances, labels = (torch.cat(part) for part in zip(*seen, strict=True))
        self.margins.copy_(margins(chances, labels, epoch.number, self.settings.least_margin))

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, D)."""
        return (self.average if self.settings.judge_average else self.student).features(images)

    def logits(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, expressions)."""
        result: Tensor = (self.average if self.settings.judge_average else self.student)(images)
        return result
