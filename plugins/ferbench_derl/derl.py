"""DeRL: Yang, Ciftci, Yin, CVPR 2018. plugin.py says what is stated and what is our reading.

Stage "de_expression": see de_expression.py. Stage "residue": the generator is frozen. At each of the decoder's four sizes, the
maps of encoder and decoder are concatenated and are the input of a local CNN with its own loss L_l. The last layers of the CNNs
and the bottleneck f are concatenated and classified, with the loss L_5:   L = b sum_l L_l + b_all L_5.

The encoder is the benchmark's backbone, whose maps may have other sizes than the decoder's. For each size, the backbone's map
with the nearest reduction is used and resized.
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
    """Features: the input of the final classifier, which is the last layers of the local CNNs and the bottleneck."""

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
            raise FerbenchError("These settings of derl leave the classifier without input.")
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
        return [*self.generator.stages(self.task), Stage("residue", self.residue, {"classifier": classifier})]

    def residue(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        """The step of stage "residue"."""
        s = self.settings
        features, by_branch = self._features(batch.images)
        logits = self.classifier(features)
        yield Update.total(
            "classifier", residue_terms(logits, by_branch, batch.expression, s.weight_all, s.weight_branch)
        )

    def _features(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The input of the final classifier, (B, D), and the logits of each local CNN, (B, C)."""
        s = self.settings
        encoded, f = self.generator.encoder(images)
        _, decoded = self.generator.decoder.maps(f)
        inputs, logits = [f] if s.bottleneck else [], []
        for branch, level, made in zip(self.branches, self.nearest, decoded, strict=bool(self.branches)):
            both = [F.adaptive_avg_pool2d(encoded[level], (made.shape[2], made.shape[3]))] if s.encoder_maps else []
            feature, by_branch = branch(torch.cat([*both, made] if s.decoder_maps else both, 1))
            inputs.append(feature)
            logits.append(by_branch)
        return torch.cat(inputs, 1), logits

    def features(self, images: Tensor) -> Tensor:
        return self._features(images)[0]

    def logits(self, images: Tensor) -> Tensor:
        result: Tensor = self.classifier(self.features(images))
        return result
