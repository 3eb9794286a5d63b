"""Card of the timm backbones."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.cards import BackboneCard
from ferbench.hookspecs import hookimpl


@dataclass
class TimmSettings:
    """Attributes:
    model: name of a timm model that supports `features_only`; with hf-hub: or local-dir: before it, of one on the Hugging Face Hub
        or in a folder, as timm takes it.
    pretrained: whether to start from timm's pretrained weights, which are downloaded on first use.
    """

    model: str = "resnet18"
    pretrained: bool = False


@hookimpl
def ferbench_backbones() -> list[BackboneCard]:
    return [
        BackboneCard(
            name="timm",
            target="ferbench_timm.backbone:Timm",
            title="any timm model with features_only: backbone.model=resnet18",
            settings=TimmSettings,
            packages=("timm",),
            label="model",
            pretrained="pretrained",
            paper="Wightman, PyTorch Image Models, 2019, doi:10.5281/zenodo.4414861",
        )
    ]
