"""TDGAN: Xie, Hu, Chen, Facial Expression Recognition with Two-branch Disentangled Generative Adversarial Network,
TCSVT 31(6), 2021. Losses and weights are those of the authors' released code (XsLangley/TDGAN), which has no licence;
this file re-implements its equations.

x_e is an image of expression y, x_f another image, of subject s, G(x_f, x_e) = Dec([E_f(x_f), E_e(x_e), z]), z ~ U(0, 1).

    D_face:        CE(D_f(x_f), s) + CE(D_f(G), fake)                     every 5 steps
    D_expression:  CE(D_e(x_e), y), for real images only                 every 10 steps
    M:             CE(fc(E_e(x_e)), y), training fc only; the encoder is trained by the generator's losses only
    G:  0.2 CE(D_f(G), s) + 0.8 CE(D_e(G), y) + |D_f features of G - of x_f|^2
        + 5 |Dec([E_f(G), E_e(x_f), z]) - x_f|_1 + 5 |Dec([E_f(x_e), E_e(G), z]) - x_e|_1

Differences from the released code: the faces x_f are training frames (there from another dataset, CASIA-WebFace); E_f and E_e
are two copies of the benchmark's backbone; the decoder's input is a vector and not a map; for learning rates see plugin.py.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Backbone, Batch, Clock, Group, Method, Stage, Task, Update
from ferbench.blocks.decoder import Decoder
from ferbench.blocks.discriminator import MultiTaskDiscriminator
from ferbench.blocks.encoder import Encoder
from ferbench_baselines.plugin import TdGanSettings


class TdGan(Method):
    """Features: E_e(x)."""

    settings: TdGanSettings

    def __init__(self, task: Task, backbone: Backbone, settings: TdGanSettings) -> None:
        super().__init__(task, backbone, settings)
        s, classes, subjects = settings, len(task.expressions), len(task.subjects)
        with task.init("tdgan.expression_encoder"):
            self.expression_encoder = Encoder(copy.deepcopy(backbone), s.feature_dim, s.cells)
        with task.init("tdgan.face_encoder"):
            self.face_encoder = Encoder(backbone, s.feature_dim, s.cells)
        self.decoder = Decoder(2 * s.feature_dim + s.noise_dim, task.image_size, s.width, task.scope("tdgan.decoder"))
        self.face_discriminator = MultiTaskDiscriminator(
            {"identity": subjects + 1},
            task.image_size,
            s.width,
            s.discriminator_dropout,
            init=task.scope("tdgan.face_discriminator"),
        )
        self.expression_discriminator = MultiTaskDiscriminator(
            {"expression": classes},
            task.image_size,
            s.width,
            s.discriminator_dropout,
            init=task.scope("tdgan.expression_discriminator"),
        )
        with task.init("tdgan.classifier"):
            self.classifier = nn.Sequential(
                nn.BatchNorm1d(s.feature_dim),
                nn.Linear(s.feature_dim, s.feature_dim),
                nn.ReLU(inplace=True),
                nn.Linear(s.feature_dim, classes),
            )

    def stages(self) -> Sequence[Stage]:
        s = self.settings
        generator = [self.expression_encoder, self.face_encoder, self.decoder]
        groups = {
            "face": Group([self.face_discriminator], s.lr),
            "expression": Group([self.expression_discriminator], s.lr),
            "classifier": Group([self.classifier], s.lr),
            "generator": Group(generator, s.lr),
        }
        if not s.face_discriminator:
            del groups["face"]
        if not s.expression_discriminator:
            del groups["expression"]
        return [Stage("training", self.training_step, groups)]

    def training_step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        s = self.settings
        x_e, x_f, subject = batch.images, batch.images.roll(1, 0), batch.subject.roll(1, 0)
        e = self.features(x_e)
        face = self.identity_features(x_f)
        made = self._decode(face, e)

        if s.face_discriminator and clock.every(s.face_every):
            real = self.face_discriminator(x_f)["identity"]
            fake = self.face_discriminator(made.detach())["identity"]
            last = torch.full_like(subject, len(self.task.subjects))
            yield Update.total("face", {"real": F.cross_entropy(real, subject), "fake": F.cross_entropy(fake, last)})
        if s.expression_discriminator and clock.every(s.expression_every):
            real = self.expression_discriminator(x_e)["expression"]
            yield Update("expression", F.cross_entropy(real, batch.expression))
        yield Update("classifier", F.cross_entropy(self.classifier(e.detach()), batch.expression))

        terms = {}
        if s.classifier_trains_encoder:
            terms["expression"] = F.cross_entropy(self.classifier(e), batch.expression)
        if s.face_discriminator:
            ours = self.face_discriminator.features(made)
            logits = self.face_discriminator.judge(ours)["identity"]
            terms["face"] = s.weight_face * F.cross_entropy(logits, subject)
            terms["similarity"] = s.weight_similarity * F.mse_loss(ours, self.face_discriminator.features(x_f).detach())
        if s.expression_discriminator:
            logits = self.expression_discriminator(made)["expression"]
            terms["expressiveness"] = s.weight_expression * F.cross_entropy(logits, batch.expression)
        if s.weight_cycle:
            face_again = self._decode(self.identity_features(made), self.features(x_f))
            expression_again = self._decode(self.identity_features(x_e), self.features(made))
            terms["cycle_face"] = s.weight_cycle * F.l1_loss(face_again, x_f)
            terms["cycle_expression"] = s.weight_cycle * F.l1_loss(expression_again, x_e)
        yield Update.total("generator", terms)

    def _decode(self, face: Tensor, expression: Tensor) -> Tensor:
        noise = torch.rand(len(face), self.settings.noise_dim, device=face.device, dtype=face.dtype)
        result: Tensor = self.decoder(torch.cat([face, expression, noise], 1))
        return result

    def features(self, images: Tensor) -> Tensor:
        result: Tensor = self.expression_encoder(images)[1]
        return result

    def identity_features(self, images: Tensor) -> Tensor:
        """images (B, 3, S, S), float, in [-1, 1] -> E_f(x), (B, D)."""
        result: Tensor = self.face_encoder(images)[1]
        return result

    def logits(self, images: Tensor) -> Tensor:
        result: Tensor = self.classifier(self.features(images))
        return result

    def synthesize(self, images: Tensor, identity: Batch) -> Tensor:
        """See `ferbench.Synthesizes`. The noise z is set to its mean, 1/2."""
        face = self.identity_features(identity.images)
        noise = face.new_full((len(face), self.settings.noise_dim), 0.5)
        result: Tensor = self.decoder(torch.cat([face, self.features(images), noise], 1))
        return result
