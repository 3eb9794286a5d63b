"""Checks of what a method computes of images after training."""

from __future__ import annotations

import torch

from ferbench.cards import MethodCard
from ferbench.interfaces.method import Identifies, Synthesizes
from ferbench.testing.inputs import EXPRESSIONS, Make, make_batch


def outputs(card: MethodCard, make: Make) -> None:
    """features, logits, identity_features and synthesize return finite tensors of the documented shapes.

    Return one row for each image, of finite numbers; `synthesize` ends in a tanh.
    """
    method = make().eval()
    batch = make_batch(method.task)
    with torch.no_grad():
        features, logits = method.features(batch.images), method.logits(batch.images)
        assert features.ndim == 2, f"features has the shape {tuple(features.shape)}, not (B, D)"
        assert len(features) == len(batch), f"features returns {len(features)} rows for {len(batch)} images"
        assert logits.shape == (len(batch), len(EXPRESSIONS)), f"logits has the shape {tuple(logits.shape)}"
        assert features.isfinite().all(), "features has NaN or infinite values"
        assert logits.isfinite().all(), "logits has NaN or infinite values"
        if isinstance(method, Identifies):
            identity = method.identity_features(batch.images)
            assert identity.ndim == 2, f"identity_features has the shape {tuple(identity.shape)}, not (B, D)"
            assert identity.isfinite().all(), "identity_features has NaN or infinite values"
        if isinstance(method, Synthesizes):
            faces = method.synthesize(batch.images, make_batch(method.task, seed=1))
            assert faces.shape == batch.images.shape, f"synthesize returns the shape {tuple(faces.shape)}"
            assert faces.abs().max() <= 1, "synthesize returns values outside [-1, 1]"
