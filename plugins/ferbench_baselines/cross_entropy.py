"""The backbone and a linear classifier, trained with cross-entropy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Backbone, Batch, Clock, Group, Method, Stage, Task, Update
from ferbench_baselines.plugin import CrossEntropySettings


class CrossEntropy(Method):
    """Features: the backbone's coarsest feature map, averaged over its positions."""

    settings: CrossEntropySettings

    def __init__(self, task: Task, backbone: Backbone, settings: CrossEntropySettings) -> None:
        super().__init__(task, backbone, settings)
        self.backbone = backbone
        with task.init("cross_entropy.classifier"):
            self.classifier = nn.Linear(backbone.channels[-1], len(task.expressions))

    def stages(self) -> Sequence[Stage]:
        s = self.settings
        group = Group([self.backbone, self.classifier], s.lr, weight_decay=s.weight_decay, schedule="cosine")
        return [Stage("training", self.training_step, {"network": group})]

    def training_step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        logits = self.logits(batch.images)
        loss = F.cross_entropy(logits, batch.expression, label_smoothing=self.settings.label_smoothing)
        yield Update("network", loss)

    def features(self, images: Tensor) -> Tensor:
        result: Tensor = self.backbone(images)[-1].mean(dim=(2, 3))
        return result

    def logits(self, images: Tensor) -> Tensor:
        result: Tensor = self.classifier(self.features(images))
        return result
