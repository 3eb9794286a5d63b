"""The file of a method whose stages compose their batches, as its author would write it."""

SOURCE = """
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from ferbench.blocks.transforms import Blur, ColourJitter, CropResize, Cutmix, Erase, Mixup
from ferbench import PK, Balanced, Group, Method, MethodCard, Partner, Stage, StageCard, Update, hookimpl, settings_of


@dataclass
class Settings:
    frames: int = 4
    weight: float = 0.1


class Pairs(Method):
    def __init__(self, task, backbone, settings):
        super().__init__(task, backbone, settings)
        self.backbone = backbone
        with task.init("pairs.head"):
            self.head = nn.Linear(backbone.channels[-1], len(task.expressions))
        self.register_buffer("seen", torch.zeros(task.frames))

    transforms = (CropResize(), ColourJitter(), Blur(), Erase())

    def stages(self):
        groups = {"all": Group([self.backbone, self.head])}
        return [
            Stage(
                "pairs", self.pairs, groups, batches=PK(self.settings.frames), second=Partner.SUBJECT, third=Partner.EXPRESSION
            ),
            Stage(
                "balanced", self.balanced, groups, batches=Balanced(), second=Partner.NEUTRAL, views=2, transforms=self.transforms
            ),
        ]

    def pairs(self, batch, clock):
        ours, subject, expression = (self.features(b.images) for b in (batch, batch.second, batch.third))
        margin = (1 + (ours - expression).square().sum(1) - (ours - subject).square().sum(1)).relu()
        both = batch.second.related & batch.third.related
        yield Update.total(
            "all",
            {
                "expression": F.cross_entropy(self.head(ours), batch.expression),
                "triplets": self.settings.weight * (margin * both).mean(),
                "groups": 0 * ours.unflatten(0, (-1, self.settings.frames)).mean(),
            },
        )

    def balanced(self, batch, clock):
        residue = self.head(self.features(batch.images) - self.features(batch.second.images))
        yield Update("all", F.cross_entropy(residue, batch.expression) + 0 * batch.index.float().mean())
        for mix in (Mixup(0.2), Cutmix()):
            mixed = mix(batch.views[1])
            yield Update("all", mixed.cross_entropy(self.logits(mixed.images), batch.expression))

    def features(self, images):
        return self.backbone(images)[-1].mean((2, 3))

    def logits(self, images):
        return self.head(self.features(images))


@hookimpl
def ferbench_methods():
    return [
        MethodCard(
            name="pairs", target=f"{__name__}:Pairs", title="stages that compose their batches", settings=Settings,
            needs=frozenset({"subject", "neutral"}),
            stages=[
                StageCard(name="pairs", share=0.5, settings=frozenset({"frames", "weight"})),
                StageCard(name="balanced", share=0.5),
            ],
            ablations={"unpaired": {"weight": 0.0}, "two": {"frames": 2}},
        )
    ]
"""
