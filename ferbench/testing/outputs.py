"""Checks of what a method computes of images after training."""

from __future__ import annotations

import torch

from ferbench.cards import MethodCard
from ferbench.evaluation.inference import fault_of_output
from ferbench.interfaces.method import Batch, Identifies, Synthesizes
from ferbench.testing.inputs import EXPRESSIONS, Make, make_batch


def outputs(card: MethodCard, make: Make) -> None:
    """features, logits, identity_features and synthesize return finite tensors of the documented shapes.

    Return one row for each image, of finite numbers; `synthesize` ends in a tanh.
    """
    method = make().eval()
    batch = make_batch(method.task)
    with torch.no_grad():
        features = method.features(batch.images)
        _need_shape("features", features, batch)
        logits = method.logits(batch.images)
        _need_shape("logits", logits, batch)
        assert features.isfinite().all(), "features has NaN or infinite values"
        assert logits.isfinite().all(), "logits has NaN or infinite values"
        if isinstance(method, Identifies):
            identity = method.identity_features(batch.images)
            _need_shape("identity_features", identity, batch)
            assert identity.isfinite().all(), "identity_features has NaN or infinite values"
        if isinstance(method, Synthesizes):
            faces = method.synthesize(batch.images, make_batch(method.task, seed=1))
            _need_shape("synthesize", faces, batch)
            assert faces.abs().max() <= 1, "synthesize returns values outside [-1, 1]"


def _need_shape(name: str, found: torch.Tensor, batch: Batch) -> None:
    fault = fault_of_output(name, found, batch.images, len(EXPRESSIONS))
    assert not fault, f"{name}() {fault}"
