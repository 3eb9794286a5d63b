"""IF-GAN: Cai, Meng, Khan, Li, O'Reilly, Tong, Identity-Free Facial Expression Recognition using Conditional Generative
Adversarial Network, arXiv 1903.08051 (ICIP 2021). *Stated* in the abstract of version 2: the input is mapped to a face of an
'average' identity with the same expression, which is classified, trained end to end. *Our reading*, including the losses:

    G(x) = Dec(Enc(x)),   m_y the mean of the training faces of expression y
    L_D = -log D(x) - log(1 - D(G(x)))
    L   = -a log D(G(x)) + b |G(x) - m_y|_1 + CE(C(G(x)), y),      of G and C together

Enc and C are two copies of the benchmark's backbone. m_y is the running mean over the images seen so far.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Backbone, Batch, Clock, Group, Method, Stage, Task, Update, whole_batch
from ferbench.blocks.adversarial import pass_for_real, tell_apart
from ferbench.blocks.decoder import Decoder
from ferbench.blocks.discriminator import MultiTaskDiscriminator
from ferbench.blocks.encoder import Encoder
from ferbench_baselines.plugin import IfGanSettings


class MeanFaces(nn.Module):
    """The mean image of each class over all batches so far."""

    sums: Tensor
    counts: Tensor

    def __init__(self, classes: int, image_size: int) -> None:
        super().__init__()
        self.register_buffer("sums", torch.zeros(classes, 3, image_size, image_size))
        self.register_buffer("counts", torch.zeros(classes))

    def add(self, images: Tensor, labels: Tensor) -> None:
        """Add a batch, of all devices, to the means. images: (B, 3, S, S); labels: (B,), int64, class indices."""
        images, labels = whole_batch(images), whole_batch(labels)
        self.sums.index_add_(0, labels, images.to(self.sums.dtype))
        self.counts.index_add_(0, labels, torch.ones_like(labels, dtype=self.counts.dtype))

    def forward(self, labels: Tensor) -> Tensor:
        """labels (B,), int64 -> (B, 3, S, S): the mean images of these classes; 0 for classes without images."""
        return self.sums[labels] / self.counts[labels].clamp(min=1).view(-1, 1, 1, 1)


class Generator(nn.Module):
    """The generator Dec(Enc(x)), and the mean faces as buffers, so that checkpoints contain them."""

    def __init__(self, task: Task, backbone: Backbone, settings: IfGanSettings) -> None:
        super().__init__()
        with task.init("ifgan.encoder"):
            self.encoder = Encoder(backbone, settings.feature_dim, settings.cells)
        self.decoder = Decoder(settings.feature_dim, task.image_size, settings.width, task.scope("ifgan.decoder"))
        self.means = MeanFaces(len(task.expressions), task.image_size)

    def forward(self, images: Tensor) -> Tensor:
        result: Tensor = self.decoder(self.encoder(images)[1])
        return result


class IfGan(Method):
    """Features: C's coarsest feature map of the generated face, averaged over its positions."""

    settings: IfGanSettings

    def __init__(self, task: Task, backbone: Backbone, settings: IfGanSettings) -> None:
        super().__init__(task, backbone, settings)
        self.recogniser = copy.deepcopy(backbone)
        self.generator = Generator(task, backbone, settings)
        self.discriminator = MultiTaskDiscriminator(
            {"real": 1},
            task.image_size,
            settings.width,
            settings.discriminator_dropout,
            init=task.scope("ifgan.discriminator"),
        )
        with task.init("ifgan.classifier"):
            self.classifier = nn.Linear(backbone.channels[-1], len(task.expressions))

    def stages(self) -> Sequence[Stage]:
        s = self.settings
        groups = {
            "network": Group(
                [self.generator, self.recogniser, self.classifier], s.lr, weight_decay=s.weight_decay, schedule="cosine"
            )
        }
        if s.weight_adversarial:
            groups["discriminator"] = Group([self.discriminator], s.lr * s.discriminator_lr_scale, (s.beta1, 0.999))
        return [Stage("training", self.training_step, groups)]

    def training_step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        s = self.settings
        self.generator.means.add(batch.images, batch.expression)
        made = self.generator(batch.images)
        terms = {"expression": F.cross_entropy(self._classify(made), batch.expression)}
        if s.weight_average:
            average = self.generator.means(batch.expression)
            terms["average"] = s.weight_average * F.l1_loss(made, average)
        if s.weight_adversarial:
            real = self.discriminator(batch.images)["real"]
            yield Update("discriminator", tell_apart(real, self.discriminator(made.detach())["real"]))
            terms["adversarial"] = s.weight_adversarial * pass_for_real(self.discriminator(made)["real"])
        yield Update.total("network", terms)

    def _recognise(self, made: Tensor) -> Tensor:
        result: Tensor = self.recogniser(made)[-1].mean(dim=(2, 3))
        return result

    def _classify(self, made: Tensor) -> Tensor:
        result: Tensor = self.classifier(self._recognise(made))
        return result

    def features(self, images: Tensor) -> Tensor:
        return self._recognise(self.generator(images))

    def logits(self, images: Tensor) -> Tensor:
        result: Tensor = self.classifier(self.features(images))
        return result
