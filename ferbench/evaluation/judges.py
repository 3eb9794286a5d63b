"""Networks that judge a method and never met it: the same backbone, trained on the same training frames, once to tell the
subjects apart and once the expressions.

The first gives the ceiling of identity leakage, both judge the faces that a method makes. They are trained once for all methods
of a fold, seed and backbone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from ferbench.interfaces.backbone import Backbone
from ferbench.interfaces.method import Batch, Clock, Group, Method, Stage, Task, Update

LR, WEIGHT_DECAY = 1e-3, 1e-4
"""As plain cross-entropy has them."""


class Judges(Method):
    """`make` gives a fresh backbone. `features` are of the network that learned identity, `logits` of the one that learned
    expression; both see the mean of their backbone's coarsest map."""

    def __init__(self, task: Task, make: Callable[[], Backbone]) -> None:
        backbones = []
        for part in ("identity", "expression"):
            with task.init(f"judges.{part}.backbone"):
                backbones.append(make())
        super().__init__(task, backbones[0], None)
        self.identity, self.expression = backbones
        width = self.identity.channels[-1]
        with task.init("judges.identity"):
            self.subject = nn.Linear(width, len(task.subjects))
        with task.init("judges.expression"):
            self.classifier = nn.Linear(width, len(task.expressions))

    def stages(self) -> Sequence[Stage]:
        groups = {
            "identity": Group([self.identity, self.subject], LR, weight_decay=WEIGHT_DECAY, schedule="cosine"),
            "expression": Group([self.expression, self.classifier], LR, weight_decay=WEIGHT_DECAY, schedule="cosine"),
        }
        return [Stage("judges", self.training_step, groups)]

    def training_step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        yield Update("identity", F.cross_entropy(self.identity_logits(batch.images), batch.subject))
        yield Update("expression", F.cross_entropy(self.logits(batch.images), batch.expression))

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, channels[-1]): what recognising people takes."""
        result: Tensor = self.identity(images)[-1].mean(dim=(2, 3))
        return result

    def identity_logits(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, training subjects)."""
        result: Tensor = self.subject(self.features(images))
        return result

    def expression_features(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, channels[-1])."""
        result: Tensor = self.expression(images)[-1].mean(dim=(2, 3))
        return result

    def logits(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, C)."""
        result: Tensor = self.classifier(self.expression_features(images))
        return result
