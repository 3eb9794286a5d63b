"""DeRL: Yang, Ciftci, Yin, CVPR 2018; what is stated and what is our reading stands in plugin.py.

Stage "de_expression": the generator of de_expression.py. Stage "residue": the generator frozen; at each of the decoder's
four sizes the encoder's and the decoder's map are concatenated and fed to a local CNN with a loss L_l of its own; the CNNs'
last layers and the bottleneck f are concatenated and classified, L_5:   L = b sum_l L_l + b_all L_5.

The encoder is the benchmark's backbone, whose maps need not have the decoder's sizes: to each size belongs the backbone's
map of the nearest reduction, resized to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Backbone, Batch, Clock, FerbenchError, Group, Method, Stage, Task, Update
from ferbench.blocks.residue import ResidueBranch, residue_terms, trained
from ferbench_derl.de_expression import DeExpression
from ferbench_derl.plugin import DeRLSettings


class DeRL(Method):
    """Features: the local CNNs' last layers and the bottleneck, as the last classifier sees them."""

    settings: DeRLSettings

    def __init__(self, task: Task, backbone: Backbone, settings: DeRLSettings) -> None:
        super().__init__(task, backbone, settings)
        self.generator = DeExpression(task, backbone, settings)
        decoder, classes = self.generator.decoder, len(task.expressions)
        self.nearest = [
            min(
                range(len(backbone.reductions)),
                key=lambda level: abs(math.log2(backbone.reductions[level] / reduction)),
            )
            for reduction in decoder.reductions
        ]
        inputs = [
            settings.encoder_maps * backbone.channels[level] + settings.decoder_maps * channels
            for level, channels in zip(self.nearest, decoder.channels, strict=True)
        ]
        sizes = [-(-task.image_size // reduction) for reduction in decoder.reductions]
        self.branches = nn.ModuleList(
            ResidueBranch(count, size, settings.branch_dim, classes, task.scope(f"derl.branches.{index}"))
            for index, (count, size) in enumerate(zip(inputs, sizes, strict=True))
            if count
        )
        width = settings.branch_dim * len(self.branches) + settings.feature_dim * settings.bottleneck
        if not width:
            raise FerbenchError("These settings of derl leave the classifier nothing to see.")
        with task.init("derl.classifier"):
            self.classifier = nn.Sequential(nn.BatchNorm1d(width), nn.Linear(width, classes))

    def stages(self) -> Sequence[Stage]:
        s = self.settings
        classifier = Group(
            [*trained(self.branches, s.weight_branch > 0), self.classifier],
            s.classifier_lr,
            weight_decay=s.classifier_weight_decay,
            schedule="cosine",
        )
        return [self.generator.stage(), Stage("residue", self.residue, {"classifier": classifier})]

    def residue(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        s = self.settings
        features, by_branch = self._features(batch.images)
        logits = self.classifier(features)
        yield Update.total(
            "classifier", residue_terms(logits, by_branch, batch.expression, s.weight_all, s.weight_branch)
        )

    def _features(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """What the last classifier sees, and the logits of each local CNN."""
        s = self.settings
        encoded, f = self.generator.encoder(images)
        _, decoded = self.generator.decoder.maps(f)
        seen, logits = [f] if s.bottleneck else [], []
        for branch, level, made in zip(self.branches, self.nearest, decoded, strict=bool(self.branches)):
            both = [F.adaptive_avg_pool2d(encoded[level], (made.shape[2], made.shape[3]))] if s.encoder_maps else []
            feature, by_branch = branch(torch.cat([*both, made] if s.decoder_maps else both, 1))
            seen.append(feature)
            logits.append(by_branch)
        return torch.cat(seen, 1), logits

    def features(self, images: Tensor) -> Tensor:
        return self._features(images)[0]

    def logits(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images))
