"""The file of a small method plugin, as its author would write it: a backbone, one head and a step of the test's own."""

from __future__ import annotations

from textwrap import indent

SOURCE = """
import os
import signal
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from ferbench import Group, Method, MethodCard, Stage, StageCard, Update, hookimpl


@dataclass
class Settings:
    factor: float = 1.0


class OneHead(Method):
    def __init__(self, task, backbone, settings):
        super().__init__(task, backbone, settings)
        self.backbone = backbone
        with task.init("heads"):
            self.head = nn.Linear(backbone.channels[-1], len(task.expressions))
            self.other = nn.Linear(4, 1, bias=False)

    def stages(self):
        return [Stage("training", self.training_step, {"all": Group([TRAINED])})]

    def training_step(self, batch, clock):
STEP

    def features(self, images):
        return self.backbone(images)[-1].mean((2, 3))

    def logits(self, images):
        return self.head(self.features(images))


@hookimpl
def ferbench_methods():
    return [
        MethodCard(
            name="NAME", target=f"{__name__}:OneHead", title="a method of the first afternoon", settings=Settings,
            stages=[StageCard(name="training", settings=frozenset({"factor"}))],
            ablations={"twice": {"factor": 2.0}, "broken": {"factor": 1e39}},
        )
    ]
"""


def plugin(name: str, step: str, trained: str = "self.backbone, self.head") -> str:
    """The text of the file. `step` is the body of the training step; `trained` names what it moves: besides backbone and head
    there is self.other, four weights that nothing else uses."""
    return SOURCE.replace("NAME", name).replace("TRAINED", trained).replace("STEP", indent(step.strip("\n"), " " * 8))
