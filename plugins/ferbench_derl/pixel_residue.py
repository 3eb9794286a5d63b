"""The residue in the pixels: a backbone classifies (x - G(x)) / 2, with the generated neutral face G(x).

DeRL refines this idea (Yang, Ciftci, Yin, CVPR 2018, use residues in the layers instead). Our reading.
Stage "de_expression": as in DeRL. Stage "residue": G is frozen; a second backbone and a linear classifier are trained.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Backbone, Batch, Clock, Group, Method, Stage, Task, Update
from ferbench_derl.de_expression import DeExpression
from ferbench_derl.plugin import PixelResidueSettings


class PixelResidue(Method):
    """Features: the second backbone's coarsest feature map, averaged over its positions."""

    settings: PixelResidueSettings

    def __init__(self, task: Task, backbone: Backbone, settings: PixelResidueSettings) -> None:
        super().__init__(task, backbone, settings)
        self.recogniser = copy.deepcopy(backbone)
        self.generator = DeExpression(task, backbone, settings)
        with task.init("pixel_residue.classifier"):
            self.classifier = nn.Linear(backbone.channels[-1], len(task.expressions))

    def stages(self) -> Sequence[Stage]:
        s = self.settings
        classifier = Group(
            [self.recogniser, self.classifier],
            s.classifier_lr,
            weight_decay=s.classifier_weight_decay,
            schedule="cosine",
        )
        return [*self.generator.stages(self.task), Stage("residue", self.residue, {"classifier": classifier})]

    def residue(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        """The step of stage "residue"."""
        yield Update("classifier", F.cross_entropy(self.logits(batch.images), batch.expression))

    def features(self, images: Tensor) -> Tensor:
        result: Tensor = self.recogniser((images - self.generator(images)) / 2)[-1].mean(dim=(2, 3))
        return result

    def logits(self, images: Tensor) -> Tensor:
        result: Tensor = self.classifier(self.features(images))
        return result
