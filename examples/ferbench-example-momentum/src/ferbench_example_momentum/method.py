"""Momentum contrast, He, Fan, Wu, Xie and Girshick, CVPR 2020, with labels: Khosla et al., Supervised Contrastive Learning, NeurIPS
2020. The classifier and the sum of both losses are our reading, for one stage instead of pretraining.

    teacher <- m teacher + (1 - m) student
    L = CE(classifier(f(x)), y) + w contrast(q(x), y, keys, labels of the keys)

The keys are the teacher's of the last images, those of the batch among them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Average, Backbone, Batch, Clock, Group, Method, Stage, Task, Update
from ferbench_example_momentum.plugin import MomentumSettings


def contrast(queries: Tensor, labels: Tensor, keys: Tensor, key_labels: Tensor, temperature: float) -> Tensor:
    """The loss L_out of Khosla et al., equation 2: the mean over the keys of a query's class of -log softmax(query . key / t).

    Args:
        queries: (B, D), of length 1.
        labels: (B,), int64.
        keys: (K, D), of length 1.
        key_labels: (K,), int64; -1 for a place without a key.
        temperature: t.
    """
    similar = (queries @ keys.T).float() / temperature
    chances = similar.masked_fill(key_labels < 0, -torch.inf).log_softmax(1).masked_fill(key_labels < 0, 0)
    positive = (labels[:, None] == key_labels).float()
    return -((positive * chances).sum(1) / positive.sum(1).clamp(min=1)).mean()


class Network(nn.Module):
    """A backbone and the head that makes queries or keys of its features."""

    def __init__(self, backbone: Backbone, width: int) -> None:
        super().__init__()
        size = backbone.channels[-1]
        self.backbone = backbone
        self.head = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, width))

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, channels[-1])."""
        result: Tensor = self.backbone(images)[-1].mean(dim=(2, 3))
        return result

    def project(self, features: Tensor) -> Tensor:
        """(B, channels[-1]) -> (B, width), of length 1."""
        return F.normalize(self.head(features).float(), dim=1)


class Queue(nn.Module):
    """The last keys and their labels; -1 where there is no key yet."""

    keys: Tensor
    labels: Tensor
    end: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("keys", torch.zeros(size, width))
        self.register_buffer("labels", torch.full((size,), -1))
        self.register_buffer("end", torch.zeros((), dtype=torch.int64))

    def push(self, keys: Tensor, labels: Tensor) -> None:
        """Put keys (B, width) and labels (B,) into the places of the oldest ones."""
        size = len(self.keys)
        keys, labels = keys[-size:], labels[-size:]
        places = (self.end + torch.arange(len(keys), device=keys.device)) % size
        self.keys.index_copy_(0, places, keys.to(self.keys.dtype))
        self.labels.index_copy_(0, places, labels)
        self.end.add_(len(keys))


class MomentumContrast(Method):
    """Features are the mean over the coarsest map of the teacher's backbone, or of the student's."""

    settings: MomentumSettings

    def __init__(self, task: Task, backbone: Backbone, settings: MomentumSettings) -> None:
        super().__init__(task, backbone, settings)
        with task.init("momentum.student"):
            self.student = Network(backbone, settings.width)
        with task.init("momentum.classifier"):
            self.classifier = nn.Linear(backbone.channels[-1], len(task.expressions))
        self.teacher = copy.deepcopy(self.student)
        self.queue = Queue(settings.queue, settings.width)

    def stages(self) -> Sequence[Stage]:
        contrasts = bool(self.settings.contrast_weight)
        networks = [self.student if contrasts else self.student.backbone, self.classifier]
        group = Group(networks, self.settings.lr, schedule="cosine")
        average = Average(self.student, self.teacher, self.settings.decay)
        after = self.remember if contrasts else None
        return [Stage("training", self.training_step, {"network": group}, after=after, averages=[average])]

    def training_step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        s = self.settings
        features = self.student.features(batch.images)
        terms = {"expression": F.cross_entropy(self.classifier(features), batch.expression)}
        outputs = {}
        if s.contrast_weight:
            queries = self.student.project(features)
            with torch.no_grad():
                outputs["keys"] = self.teacher.project(self.teacher.features(batch.images))
            keys = torch.cat([outputs["keys"], self.queue.keys])
            labels = torch.cat([batch.expression, self.queue.labels])
            terms["contrast"] = s.contrast_weight * contrast(queries, batch.expression, keys, labels, s.temperature)
        yield Update.total("network", terms, outputs)

    def remember(self, batch: Batch, outputs: Mapping[str, Tensor], clock: Clock) -> None:
        """Fill the queue, once a step, with the keys of the whole batch."""
        self.queue.push(outputs["keys"], batch.expression)

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, D)."""
        return (self.teacher if self.settings.judge_teacher else self.student).features(images)

    def logits(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, expressions)."""
        result: Tensor = self.classifier(self.features(images))
        return result
