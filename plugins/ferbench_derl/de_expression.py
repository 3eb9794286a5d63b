"""Stage 1 of DeRL: the neutral face of the same person, by a conditional GAN.

x an image, n a neutral face of its subject, G(x) = Dec(f), f = Enc(x), no skip connections.

    L_D = -log D(x, n) - log(1 - D(x, G(x)))
    L_G = -a log D(x, G(x)) + b |n - G(x)|_1

(the published notes print the second term with a minus, which cannot be minimised; the sum is meant.)
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
    """Generator and discriminator, and the stage that trains them. Its initial weights depend on the task alone, so that
    every method of this family starts from the same."""

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
        """(B, 3, S, S) -> the neutral faces, (B, 3, S, S) in [-1, 1]."""
        return self.decoder(self.encoder(images)[1])

    def stage(self) -> Stage:
        s = self.settings
        betas = (s.beta1, 0.999)
        groups = {"generator": Group([self.encoder, self.decoder], s.lr, betas)}
        if s.adversarial:
            groups["discriminator"] = Group([self.discriminator], s.lr * s.discriminator_lr_scale, betas)
        return Stage("de_expression", self.step, groups)

    def step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        s = self.settings
        assert batch.neutral is not None  # the card says that it is needed
        made = self(batch.images)
        terms = {"reconstruction": s.weight_reconstruction * F.l1_loss(made, batch.neutral)}
        if s.adversarial:
            real = self._judge(batch.images, batch.neutral)
            yield Update("discriminator", tell_apart(real, self._judge(batch.images, made.detach())))
            terms["adversarial"] = s.weight_adversarial * pass_for_real(self._judge(batch.images, made))
        yield Update.total("generator", terms)

    def _judge(self, images: Tensor, neutral: Tensor) -> Tensor:
        """(B, 1), the logit that `neutral` is a real neutral face of the subject of `images`."""
        return self.discriminator(torch.cat([images, neutral], 1))["real"]
