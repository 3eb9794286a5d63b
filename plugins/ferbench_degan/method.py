"""DE-GAN: Ali and Hughes, arXiv 1912.01456. plugin.py says what the paper states and what is our reading.

Notation: x image, y its expression, s its subject among the N training subjects, x' synthesised image, t its subject.

Stage "synthesis": f = E(x), x' = D([f, onehot(t), z]), and a discriminator with an expression and an identity head. Half of each
batch is reconstructed (t = s), half is transferred to another training subject.
Stage "recognition": E is frozen. Each of its maps is the input of a small CNN with its own loss. Their features and f are
concatenated and classified: L = b sum_l CE_l + b_all CE_all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Backbone, Batch, Clock, FerbenchError, Group, Method, Stage, Task, Update
from ferbench.blocks.decoder import Decoder
from ferbench.blocks.discriminator import MultiTaskDiscriminator
from ferbench.blocks.encoder import Encoder
from ferbench.blocks.residue import ResidueBranch, residue_terms, trained
from ferbench_degan.losses import discriminator_terms, generator_terms, r1_penalty
from ferbench_degan.plugin import DeGanSettings


class DeGan(Method):
    """Features: the input of the classifier, which is f and the residue features, concatenated."""

    settings: DeGanSettings

    def __init__(self, task: Task, backbone: Backbone, settings: DeGanSettings) -> None:
        super().__init__(task, backbone, settings)
        self.where = fake_head(settings)
        if not settings.residue and not settings.disentangled:
            raise FerbenchError(
                "method.residue=false and method.disentangled=false leave the classifier without input."
            )
        if len(task.subjects) < 2:
            raise FerbenchError(
                "degan transfers expressions between subjects and needs at least two training subjects."
            )
        classes, subjects = len(task.expressions), len(task.subjects)
        with task.init("degan.encoder"):
            self.encoder = Encoder(backbone, settings.feature_dim, settings.cells)
        code = settings.feature_dim + settings.noise_dim + (subjects if settings.identity_code else 0)
        self.decoder = Decoder(code, task.image_size, settings.width, task.scope("degan.decoder"))
        heads = {}
        if settings.expression_head:
            heads["expression"] = classes + (self.where == "expression")
        if settings.identity_head:
            heads["identity"] = subjects + (self.where == "identity")
        if self.where == "separate":
            heads["real"] = 1
        self.discriminator = MultiTaskDiscriminator(
            heads,
            task.image_size,
            settings.width,
            settings.discriminator_dropout,
            init=task.scope("degan.discriminator"),
        )
        sizes = [-(-task.image_size // reduction) for reduction in backbone.reductions]
        branches = list(zip(backbone.channels, sizes, strict=True)) if settings.residue else []
        self.branches = nn.ModuleList(
            ResidueBranch(channels, size, settings.branch_dim, classes, task.scope(f"degan.branches.{level}"))
            for level, (channels, size) in enumerate(branches)
        )
        width = settings.branch_dim * len(branches) + (settings.feature_dim if settings.disentangled else 0)
        with task.init("degan.classifier"):
            self.classifier = nn.Sequential(nn.BatchNorm1d(width), nn.Linear(width, classes))

    def stages(self) -> Sequence[Stage]:
        s = self.settings
        betas = (s.beta1, 0.999)
        return [
            Stage(
                "synthesis",
                self.synthesis,
                {
                    "discriminator": Group([self.discriminator], s.lr * s.discriminator_lr_scale, betas),
                    "generator": Group([self.encoder, self.decoder], s.lr, betas),
                },
            ),
            Stage(
                "recognition",
                self.recognition,
                {
                    "classifier": Group(
                        [*trained(self.branches, s.weight_branch > 0), self.classifier],
                        s.classifier_lr,
                        weight_decay=s.classifier_weight_decay,
                        schedule="cosine",
                    )
                },
            ),
        ]

    def synthesis(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        """The step of stage "synthesis"."""
        s = self.settings
        target, own = self.targets(batch.subject)
        _, f = self.encoder(batch.images)
        made = self.decoder(self.code(f, target))

        images = batch.images.detach().requires_grad_(s.r1 > 0)
        real = self.discriminator(images)
        fake = self.discriminator(made.detach()) if s.adversarial else None
        terms = discriminator_terms(real, fake, batch.expression, batch.subject, self.where)
        if s.r1:
            with torch.autocast(images.device.type, enabled=False):  # second derivatives need fp32
                heads = self.discriminator(images).values()
                terms["r1"] = s.r1 * r1_penalty(torch.cat(list(heads), 1), images)
        yield Update.total("discriminator", terms)

        weights = {
            "expression": s.weight_expression,
            "identity": s.weight_identity,
            "adversarial": s.weight_adversarial if s.adversarial else 0.0,
            "reconstruction": s.weight_reconstruction,
        }
        fake = self.discriminator(made)
        terms = generator_terms(fake, made, batch.images, batch.expression, target, own, self.where, weights)
        yield Update.total("generator", terms)

    def recognition(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        """The step of stage "recognition"."""
        s = self.settings
        features, by_branch = self._features(batch.images)
        logits = self.classifier(features)
        yield Update.total(
            "classifier", residue_terms(logits, by_branch, batch.expression, s.weight_all, s.weight_branch)
        )

    def targets(self, subject: Tensor) -> tuple[Tensor, Tensor]:
        """(t, whether t = s), each (B,). t = s in the first half of the batch; its order is random."""
        own = torch.arange(len(subject), device=subject.device) < (len(subject) + 1) // 2
        if not self.settings.identity_code:
            return subject, torch.ones_like(own)
        count = len(self.task.subjects)
        other = (subject + torch.randint(1, count, subject.shape, device=subject.device)) % count
        return torch.where(own, subject, other), own

    def code(self, f: Tensor, target: Tensor) -> Tensor:
        """The decoder's input [f, onehot(t), z], (B, feature_dim + N + noise_dim)."""
        parts = [f]
        if self.settings.identity_code:
            parts.append(F.one_hot(target, len(self.task.subjects)).to(f.dtype))
        if self.settings.noise_dim:
            parts.append(torch.rand(len(f), self.settings.noise_dim, device=f.device, dtype=f.dtype) * 2 - 1)
        return torch.cat(parts, 1)

    def _features(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The input of the classifier, (B, D), and the logits of each branch, (B, C)."""
        maps, f = self.encoder(images)
        residues = [branch(feature_map) for branch, feature_map in zip(self.branches, maps, strict=bool(self.branches))]
        inputs = ([f] if self.settings.disentangled else []) + [feature for feature, _ in residues]
        return torch.cat(inputs, 1), [logits for _, logits in residues]

    def features(self, images: Tensor) -> Tensor:
        return self._features(images)[0]

    def logits(self, images: Tensor) -> Tensor:
        result: Tensor = self.classifier(self.features(images))
        return result

    def synthesize(self, images: Tensor, identity: Batch) -> Tensor:
        """See `ferbench.Synthesizes`. Only `identity.subject` is used. The noise z is set to its mean, 0."""
        _, f = self.encoder(images)
        code = self.code(f, identity.subject)
        if self.settings.noise_dim:
            code = torch.cat(
                [code[:, : -self.settings.noise_dim], torch.zeros_like(code[:, -self.settings.noise_dim :])],
                1,
            )
        result: Tensor = self.decoder(code)
        return result


def fake_head(settings: DeGanSettings) -> str:
    """The head for fake images: that of the setting, or "separate" if the setting's head is turned off.

    Raises:
        FerbenchError: the setting is unknown, or the generator would have no loss.
    """
    options = ("identity", "expression", "separate")
    if settings.fake_class not in options:
        raise FerbenchError(f"method.fake_class is '{settings.fake_class}'; it can be {', '.join(options)}.")
    if not (
        settings.adversarial or settings.expression_head or settings.identity_head or settings.weight_reconstruction
    ):
        raise FerbenchError(
            "These settings of degan leave its generator without a loss: turn on a head or reconstruction."
        )
    present = {"identity": settings.identity_head, "expression": settings.expression_head, "separate": True}
    return settings.fake_class if present[settings.fake_class] else "separate"
