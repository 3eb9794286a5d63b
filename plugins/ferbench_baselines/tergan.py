"""TER-GAN: Ali and Hughes, Facial Expression Recognition By Using a Disentangled Identity-Invariant Expression
Representation, ICPR 2020. *Stated* in the abstract: two encoders; the expression of one image is transferred to the identity of
another; an expression and an identity consistency loss between real and synthesised images. *Our reading* (the full text
was not available):

    x' = Dec([E_e(x1), E_i(x2)]),   x1 of expression y, x2 of subject t;    x1'' = Dec([E_e(x1), E_i(x1)])
    L_D = -log D(x1) - log(1 - D(x'))
    L   = CE(C_e(E_e(x1)), y) + CE(C_i(E_i(x1)), s) + c_e |E_e(x') - E_e(x1)|_1 + c_i |E_i(x') - E_i(x2)|_1
          - a log D(x') + b |x1'' - x1|_1

E_e and E_i are two copies of the benchmark's backbone; x2 is the next image of the batch, whose order is random. LayerNorm gives
the codes zero mean and unit variance. Without it, codes of 0 would minimise the consistency losses.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Backbone, Batch, Clock, Group, Method, Stage, Task, Update
from ferbench.blocks.adversarial import pass_for_real, tell_apart
from ferbench.blocks.decoder import Decoder
from ferbench.blocks.discriminator import MultiTaskDiscriminator
from ferbench.blocks.encoder import Encoder
from ferbench_baselines.plugin import TerGanSettings


class TerGan(Method):
    """Features: E_e(x)."""

    settings: TerGanSettings

    def __init__(self, task: Task, backbone: Backbone, settings: TerGanSettings) -> None:
        super().__init__(task, backbone, settings)
        s = settings
        with task.init("tergan.expression_encoder"):
            self.expression_encoder = Encoder(copy.deepcopy(backbone), s.feature_dim, s.cells)
        with task.init("tergan.identity_encoder"):
            self.identity_encoder = Encoder(backbone, s.feature_dim, s.cells)
        self.norm = nn.LayerNorm(s.feature_dim, elementwise_affine=False)
        with task.init("tergan.expression"):
            self.expression = nn.Linear(s.feature_dim, len(task.expressions))
        with task.init("tergan.identity"):
            self.identity = nn.Linear(s.feature_dim, len(task.subjects))
        self.decoder = Decoder(2 * s.feature_dim, task.image_size, s.width, task.scope("tergan.decoder"))
        self.discriminator = MultiTaskDiscriminator(
            {"real": 1}, task.image_size, s.width, s.discriminator_dropout, init=task.scope("tergan.discriminator")
        )

    def stages(self) -> Sequence[Stage]:
        s = self.settings
        network = [self.expression_encoder, self.identity_encoder, self.expression, self.identity, self.decoder]
        groups = {"network": Group(network, s.lr, weight_decay=s.weight_decay, schedule="cosine")}
        if s.weight_adversarial:
            groups["discriminator"] = Group([self.discriminator], s.lr * s.discriminator_lr_scale, (s.beta1, 0.999))
        return [Stage("training", self.training_step, groups)]

    def training_step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        s = self.settings
        expression, identity = self.features(batch.images), self.identity_features(batch.images)
        other = identity.roll(1, 0)
        made = self.decoder(torch.cat([expression, other], 1))
        terms = {
            "expression": F.cross_entropy(self.expression(expression), batch.expression),
            "identity": F.cross_entropy(self.identity(identity), batch.subject),
        }
        if s.weight_expression_consistency:
            gap = F.l1_loss(self.features(made), expression)
            terms["expression_consistency"] = s.weight_expression_consistency * gap
        if s.weight_identity_consistency:
            gap = F.l1_loss(self.identity_features(made), other)
            terms["identity_consistency"] = s.weight_identity_consistency * gap
        if s.weight_reconstruction:
            again = self.decoder(torch.cat([expression, identity], 1))
            terms["reconstruction"] = s.weight_reconstruction * F.l1_loss(again, batch.images)
        if s.weight_adversarial:
            real = self.discriminator(batch.images)["real"]
            yield Update("discriminator", tell_apart(real, self.discriminator(made.detach())["real"]))
            terms["adversarial"] = s.weight_adversarial * pass_for_real(self.discriminator(made)["real"])
        yield Update.total("network", terms)

    def features(self, images: Tensor) -> Tensor:
        result: Tensor = self.norm(self.expression_encoder(images)[1])
        return result

    def identity_features(self, images: Tensor) -> Tensor:
        """images (B, 3, S, S), float, in [-1, 1] -> E_i(x), (B, D)."""
        result: Tensor = self.norm(self.identity_encoder(images)[1])
        return result

    def logits(self, images: Tensor) -> Tensor:
        result: Tensor = self.expression(self.features(images))
        return result

    def synthesize(self, images: Tensor, identity: Batch) -> Tensor:
        result: Tensor = self.decoder(torch.cat([self.features(images), self.identity_features(identity.images)], 1))
        return result
