"""Stage 1 of DeRL: a conditional GAN generates the neutral face of the same person.

Notation: x image, n neutral face of its subject, f = Enc(x), G(x) = Dec(f), without skip connections.

    L_D = -log D(x, n) - log(1 - D(x, G(x)))
    L_G = -a log D(x, G(x)) + b |n - G(x)|_1

The published notes have a minus before the second term of L_G, which must be a misprint: the loss would have no minimum.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Backbone, Batch, Clock, Group, Stage, Task, Update
from ferbench.blocks.adversarial import pass_for_real, tell_apart
from ferbench.blocks.decoder import Decoder
from ferbench.blocks.discriminator import MultiTaskDiscriminator
from ferbench.blocks.encoder import Encoder
from ferbench_derl.plugin import DeExpressionSettings


class DeExpression(nn.Module):
    """Generator and discriminator, and the stage that trains them. Their initial weights depend on the task only, so that all
    methods that use them start from the same weights."""

    def __init__(self, task: Task, backbone: Backbone, settings: DeExpressionSettings) -> None:
        super().__init__()
        self.settings = settings
        with task.init("derl.encoder"):
            self.encoder = Encoder(backbone, settings.feature_dim, settings.cells)
        self.decoder = Decoder(settings.feature_dim, task.image_size, settings.width, task.scope("derl.decoder"))
        self.discriminator = MultiTaskDiscriminator(
            {"real": 1},
            task.image_size,
            settings.width,
            settings.discriminator_dropout,
            channels=6,
            init=task.scope("derl.discriminator"),
        )

    def forward(self, images: Tensor) -> Tensor:
        """images (B, 3, S, S), float, in [-1, 1] -> the generated neutral faces, (B, 3, S, S), in [-1, 1]."""
        result: Tensor = self.decoder(self.encoder(images)[1])
        return result

    def stages(self, task: Task) -> list[Stage]:
        """The stage "de_expression", and before it, where there is an extra dataset, the same on that: "pretraining"."""
        return [*([self._stage("pretraining")] if task.extra else []), self._stage("de_expression")]

    def _stage(self, name: str) -> Stage:
        s = self.settings
        betas = (s.beta1, 0.999)
        groups = {"generator": Group([self.encoder, self.decoder], s.lr, betas)}
        if s.adversarial:
            groups["discriminator"] = Group([self.discriminator], s.lr * s.discriminator_lr_scale, betas)
        return Stage(name, self.step, groups)

    def step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        """The step of both stages."""
        s = self.settings
        assert batch.neutral is not None  # the cards need "neutral"
        made = self(batch.images)
        terms = {"reconstruction": s.weight_reconstruction * F.l1_loss(made, batch.neutral)}
        if s.adversarial:
            real = self._judge(batch.images, batch.neutral)
            yield Update("discriminator", tell_apart(real, self._judge(batch.images, made.detach())))
            terms["adversarial"] = s.weight_adversarial * pass_for_real(self._judge(batch.images, made))
        yield Update.total("generator", terms)

    def _judge(self, images: Tensor, neutral: Tensor) -> Tensor:
        """(B, 1), the logit that `neutral` is a real neutral face of the subject of `images`."""
        result: Tensor = self.discriminator(torch.cat([images, neutral], 1))["real"]
        return result
