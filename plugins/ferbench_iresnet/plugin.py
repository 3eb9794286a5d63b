"""Card of the face-recognition backbone."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.cards import BackboneCard
from ferbench.hookspecs import hookimpl


@dataclass
class IResNetSettings:
    """Attributes:
    depth: 18, 34, 50, 100 or 200 layers.
    """

    depth: int = 50


@hookimpl
def ferbench_backbones() -> list[BackboneCard]:
    return [
        BackboneCard(
            name="iresnet",
            target="ferbench_iresnet.backbone:IResNet",
            title="residual network of face recognition (ArcFace), for weights that you have: backbone.weights=FILE",
            settings=IResNetSettings,
            label="depth",
            small={"depth": 18},
            paper="Deng et al., ArcFace: Additive Angular Margin Loss for Deep Face Recognition, CVPR 2019, arXiv:1801.07698",
        )
    ]
