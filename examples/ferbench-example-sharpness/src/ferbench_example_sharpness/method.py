"""Cross-entropy by the recipe of the released code (github.com/zczcwh/POSTER, train.py) of Zheng, Mendieta and Chen, POSTER, ICCV
Workshops 2023, arXiv 2204.04083, on any backbone.

    L = CE(z, y) + 2 CE(z, y smoothed by 0.2)

It is minimised by Adam under sharpness-aware minimisation (Foret, Kleiner, Mobahi and Neyshabur, ICLR 2021).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Backbone, Batch, Clock, Group, Method, Stage, Task, Update
from ferbench.blocks.schedules import Exponential
from ferbench.blocks.transforms import Erase
from ferbench_example_sharpness.plugin import SharpnessSettings


class SharpCrossEntropy(Method):
    """Features are the mean over the coarsest map of the backbone."""

    settings: SharpnessSettings

    def __init__(self, task: Task, backbone: Backbone, settings: SharpnessSettings) -> None:
        super().__init__(task, backbone, settings)
        self.backbone = backbone
        with task.init("sharp_cross_entropy.classifier"):
            self.classifier = nn.Linear(backbone.channels[-1], len(task.expressions))

    def stages(self) -> Sequence[Stage]:
        s = self.settings
        group = Group(
            [self.backbone, self.classifier],
            s.lr,
            optimiser="adam",
            schedule=Exponential(s.final_rate),
            sam=s.radius,
            clip_norm=s.clip_norm,
        )
        erasing = [Erase(s.erasing, scale=(0.02, 0.1))] if s.erasing else []
        return [Stage("training", self.training_step, {"network": group}, transforms=erasing)]

    def training_step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        logits = self.logits(batch.images)
        smoothed = F.cross_entropy(logits, batch.expression, label_smoothing=self.settings.smoothing)
        yield Update.total(
            "network", {"expression": F.cross_entropy(logits, batch.expression), "smoothed": 2 * smoothed}
        )

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, D)."""
        result: Tensor = self.backbone(images)[-1].mean(dim=(2, 3))
        return result

    def logits(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, expressions)."""
        result: Tensor = self.classifier(self.features(images))
        return result
