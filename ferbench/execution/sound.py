"""What a trained method may not do on test images. Its trial ends with a sentence; the trained stages are stored and not lost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ferbench.data.batches import Images
from ferbench.errors import TrainingError, enumerate_first
from ferbench.evaluation import inference
from ferbench.execution.setup import Fold
from ferbench.interfaces.evaluator import Outputs
from ferbench.interfaces.method import Batch, Identifies, Method, Synthesizes

REPEATED = 1e-3
"""Largest difference, as a share of the largest value, between two evaluations of the same images."""

APART = 0.03
"""Largest difference between images in a batch and the same images in a small one, as a share of the values; both are root mean
squares. In bf16, and with the kernels that cuDNN chooses by the size of a batch, there is some (our choice)."""


def need_sound(method: Method, images: Images, fold: Fold) -> None:
    """Evaluate the first batch twice, and two of its images by themselves.

    Raises:
        TrainingError: the method gives something else the second time, so that what is judged would be chance; it gives something
            else for an image in another batch; or it leaves eval mode.
    """
    rows = inference.split(images, fold.test.seen)[0]
    asked: dict[str, Callable[[torch.Tensor], np.ndarray]] = {
        name: lambda rows, name=name: inference.of_method(method, name, images, rows)  # type: ignore[misc]
        for name in ("features", "logits", *(["identity_features"] if isinstance(method, Identifies) else []))
    }
    if isinstance(method, Synthesizes):
        faces = fold.faces(images)

        def synthesized(rows: torch.Tensor) -> np.ndarray:
            places = torch.arange(len(rows), device=faces.images.device) % len(faces)
            identities = Batch(faces.images[places], faces.expression[places], faces.subject[places])
            return inference.of_method(method, "synthesize", images, rows, identities)

        asked["synthesize"] = synthesized
    whose = inference.whose(method)
    few = min(2, len(rows) // 2)
    before = _training(method)
    for name, function in asked.items():
        once, again = function(rows), function(rows)
        alone = function(rows[:few]) if few else once[:0]
        if entered := sorted(_training(method) - before):
            raise TrainingError(
                f"{name}() of {whose} puts {enumerate_first([f'self.{n}' if n else 'self' for n in entered])} into train mode, in "
                "which dropout and batch normalisation make the output of an image depend on chance and on its batch. Leave "
                f"train() out: each module is in the mode that it has to have. {inference.KEPT}"
            )
        finite = np.isfinite(once) & np.isfinite(again)
        if np.abs(once[finite] - again[finite]).max(initial=0) > REPEATED * np.abs(once[finite]).max(initial=0):
            raise TrainingError(
                f"{name} of {whose} gives something else each time for the same images: "
                "it draws random numbers, as dropout does that is not turned off by eval(). What is judged has to be the same each "
                f"time. {inference.KEPT}"
            )
        whole = once[:few]
        if np.isfinite(once).all() and _size(whole - alone) > APART * _size(once):
            raise TrainingError(
                f"{name} of {whose} gives something else for an image that is in another batch: it depends on the other images, as "
                "batch normalisation in train mode does, or a mean over the batch. Test images come in batches of any size. "
                f"{inference.KEPT}"
            )


def _training(method: Method) -> set[str]:
    """The names of the modules that are in train mode."""
    return {name for name, module in method.named_modules() if module.training}


def _size(values: np.ndarray) -> float:
    """The root mean square; 0 of nothing."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64)))) if values.size else 0.0


def need_finite(method: Method, outputs: Outputs) -> None:
    """Raise TrainingError if logits or features are NaN or infinite: they say no class, and nothing can be measured of them."""
    whose = inference.whose(method)
    for name, values, so in (
        ("logits", outputs.logits, "so that no class can be read from them"),
        ("features", outputs.features, "so that nothing can be measured of them"),
        ("identity_features", outputs.identity_features, "so that nothing can be measured of them"),
    ):
        bad = np.zeros(0, bool) if values is None else ~np.isfinite(values).all(axis=1)
        if bad.any():
            frames = enumerate_first(outputs.frames["frame_id"].to_numpy()[bad])
            raise TrainingError(
                f"The {name} of {bad.sum()} of {len(bad)} test frames are NaN or infinite, {so}: {whose} gives them for {frames}. "
                f"{inference.KEPT}"
            )
