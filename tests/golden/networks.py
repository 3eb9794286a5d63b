"""Feature maps of a backbone with initial weights, before and after batch normalisation has seen a batch."""

from __future__ import annotations

from typing import Any

import torch

from ferbench import Backbone, BackboneCard
from tests.golden import inputs
from tests.golden.methods import default_float64
from tests.golden.summary import norm_and_projection


def values(card: BackboneCard) -> dict[str, Any]:
    """With the card's default settings, in float64."""
    batch = inputs.batch(0)
    task = inputs.task()
    with default_float64(), torch.no_grad():
        with task.init("backbone"):
            backbone: Backbone = card.load()(card.settings(), inputs.SIZE)
        found: dict[str, Any] = {"channels": str(backbone.channels), "reductions": str(backbone.reductions)}
        for mode in ("training", "eval"):
            maps = backbone.train(mode == "training")(batch.images)
            found |= {f"{mode}/map {level}": norm_and_projection(value) for level, value in enumerate(maps)}
        return found
