"""Frame attention, Meng, Peng, Wang and Qiao, ICIP 2019, arXiv:1907.00193. Of it, abstract and README were read: a network embeds
each frame, self-attention weights the frames, and relation-attention weights them again beside the whole. The formulas, with one
number a frame between 0 and 1, are our reading:

    a_t = sigmoid(q . f_t),                 g = sum a_t f_t / sum a_t
    b_t = sigmoid(r . [f_t, g]),            v = sum a_t b_t [f_t, g] / sum a_t b_t
    L = CE(classifier(v), y)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Backbone, Batch, Clock, Group, Method, Stage, Task, Update
from ferbench_example_clips.plugin import FrameAttentionSettings


def weighted(frames: Tensor, weights: Tensor) -> Tensor:
    """The mean of (B, T, D) over T with weights (B, T, 1), which are positive."""
    return (weights * frames).sum(1) / weights.sum(1)


class FrameAttention(Method):
    """Features are the representation of the whole clip, v."""

    settings: FrameAttentionSettings

    def __init__(self, task: Task, backbone: Backbone, settings: FrameAttentionSettings) -> None:
        super().__init__(task, backbone, settings)
        size = backbone.channels[-1]
        self.backbone = backbone
        with task.init("own"):
            self.own = nn.Linear(size, 1)
        with task.init("related"):
            self.related = nn.Linear(2 * size, 1)
        with task.init("classifier"):
            self.classifier = nn.Linear(2 * size, len(task.expressions))

    def stages(self) -> Sequence[Stage]:
        s = self.settings
        used = [*([self.own] if s.attention else []), *([self.related] if s.attention and s.relation else [])]
        group = Group([self.backbone, self.classifier, *used], s.lr, schedule="cosine")
        return [Stage("training", self.training_step, {"network": group})]

    def training_step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        yield Update.total("network", {"expression": F.cross_entropy(self.logits(batch.images), batch.expression)})

    def features(self, images: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) in [-1, 1] -> (B, D)."""
        each = self.backbone(images.flatten(0, 1))[-1].mean(dim=(2, 3)).unflatten(0, images.shape[:2])
        weights = self.own(each).sigmoid() if self.settings.attention else torch.ones_like(each[..., :1])
        whole = weighted(each, weights)
        beside = torch.cat([each, whole[:, None].expand_as(each)], 2)
        if self.settings.attention and self.settings.relation:
            weights = weights * self.related(beside).sigmoid()
        return weighted(beside, weights)

    def logits(self, images: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) in [-1, 1] -> (B, expressions)."""
        result: Tensor = self.classifier(self.features(images))
        return result
