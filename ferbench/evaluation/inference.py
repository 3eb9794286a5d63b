"""A trained method on its test frames."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional import image as image_metrics

from ferbench.errors import TrainingError
from ferbench.interfaces.backbone import Backbone
from ferbench.interfaces.evaluator import Syntheses
from ferbench.interfaces.method import Batch, Estimates, Method, Synthesizes

BATCH, LARGE_BATCH = 128, 512
"""Images at a time, and those on a GPU, which small batches leave idle."""


class Judging(Protocol):
    """What `transfers` asks of judges: see ferbench.judges."""

    def identity_logits(self, images: Tensor) -> Tensor: ...

    def expression_features(self, images: Tensor) -> Tensor: ...

    def logits(self, images: Tensor) -> Tensor: ...


PIXELS = 16
"""The raw-pixel floor sees the image at this width, in gray."""


def over_batches(function: Callable[[Tensor], Tensor], images: Callable[[Tensor], Tensor], rows: Tensor) -> np.ndarray:
    """`function` of the images in `rows`, batch by batch, as float32. `rows`: (N,), or (N, T) of clips."""
    with torch.inference_mode():
        parts = [function(images(part)).float().cpu() for part in split(images, rows)]
    return torch.cat(parts).numpy()


KEPT = "The trained stages are kept."
"""The end of the sentences on what is wrong with a trained method."""


def whose(method: object) -> str:
    """The class of a method as its card names it, "package.module:Name"."""
    return f"{type(method).__module__}:{type(method).__name__}"


def of_method(
    method: Method, name: str, images: Callable[[Tensor], Tensor], rows: Tensor, identities: Batch | None = None
) -> np.ndarray:
    """What a method computes of the images in `rows`, batch by batch, as float32.

    Args:
        name: "features", "logits", "identity_features", or "synthesize" with `identities` for all rows, which are one batch.

    Raises:
        TrainingError: it is not of the shape and type that it has to have.
    """
    further = () if identities is None else (identities,)

    def computed(given: Tensor) -> Tensor:
        found: Tensor = getattr(method, name)(given, *further)
        if fault := fault_of_output(name, found, given, len(method.task.expressions)):
            raise TrainingError(f"{name}() of {whose(method)} {fault}. {KEPT}")
        return found

    return over_batches(computed, images, rows)


def fault_of_output(name: str, found: object, images: Tensor, classes: int) -> str:
    """What is wrong with a method's output `name` of `images`; empty if nothing is. `classes`: number of expressions."""
    if not isinstance(found, Tensor):
        return f"gives a {type(found).__name__}; it has to be a tensor"
    count, shape = len(images), tuple(found.shape)
    if name == "synthesize":
        right, wanted = shape == tuple(images.shape), f"{tuple(images.shape)}, that of the images"
    elif name == "logits":
        right, wanted = shape == (count, classes), f"({count}, {classes}), a column for each expression"
    else:
        right, wanted = found.dim() == 2 and len(found) == count and shape[1] > 0, f"({count}, D), a row for each image"
    if not right:
        return f"gives the shape {shape} for {count} images; it has to be {wanted}"
    if not found.is_floating_point():
        return f"gives numbers of the type {str(found.dtype).removeprefix('torch.')}; it has to be a float type"
    return ""


def estimates(method: Estimates, images: Callable[[Tensor], Tensor], rows: Tensor) -> dict[str, np.ndarray]:
    """What a method estimates of the images in `rows`: (N,), float32, by name.

    Raises:
        TrainingError: it is not one number for each image, or no probability where one belongs.
    """
    with torch.inference_mode():
        parts = [method.estimates(images(part)) for part in split(images, rows)]
    for part, own in zip(parts, split(images, rows), strict=True):
        for name, values in part.items():
            if fault := fault_of_estimate(name, values, len(own)):
                raise TrainingError(f"estimates() of {whose(method)} {fault}.")
    return {name: torch.cat([part[name].float().cpu() for part in parts]).numpy() for name in parts[0]}


_UNIT = re.compile(r"au\d+[a-z]?")
"""Names of action units, whose estimates are probabilities."""


def fault_of_estimate(name: str, values: Tensor, count: int) -> str:
    """What is wrong with a method's estimate of a factor of `count` images; empty if nothing is."""
    if tuple(values.shape) != (count,):
        return f"gives '{name}' the shape {tuple(values.shape)} for {count} images; it has to be ({count},)"
    if _UNIT.fullmatch(name) and bool(((values < 0) | (values > 1)).any()):
        return f"gives '{name}' values from {float(values.min()):.3g} to {float(values.max()):.3g}; it has to be a probability"
    return ""


def batch_on(images: object) -> int:
    """How many images are worked on at a time, by the device of `images`."""
    device = getattr(images, "device", None)
    return LARGE_BATCH if device is not None and device.type == "cuda" else BATCH


def split(images: object, rows: Tensor) -> tuple[Tensor, ...]:
    """Rows in parts that are worked on at a time: (N,), or (N, T) of clips."""
    size = batch_on(images) // (rows.shape[1] if rows.dim() == 2 else 1)
    parts: tuple[Tensor, ...] = rows.split(max(1, size))
    return parts


def pooled(backbone: Backbone) -> Callable[[Tensor], Tensor]:
    """The mean over the backbone's coarsest map: (B, channels[-1])."""
    return lambda images: backbone(images)[-1].mean(dim=(2, 3))


def raw_pixels(images: Tensor) -> Tensor:
    """(B, 3, S, S) -> (B, 256): what the image itself tells, small and in gray."""
    return F.interpolate(images.mean(1, keepdim=True), (PIXELS, PIXELS), mode="area").flatten(1)


def synthesis_grid(method: Synthesizes, expressive: Tensor, identities: Batch) -> np.ndarray:
    """Each expression on each identity, with the originals as first column and first row.

    Args:
        expressive: (R, 3, S, S), images of test subjects, one a row.
        identities: K frames of training subjects, one a column.

    Returns:
        (R + 1, K + 1, S, S, 3), uint8; the corner is black.
    """
    rows, columns = len(expressive), len(identities)
    assert isinstance(method, Method)
    with torch.inference_mode():
        made = method.synthesize(
            expressive.repeat_interleave(columns, 0),
            Batch(
                identities.images.repeat(rows, 1, 1, 1),
                identities.expression.repeat(rows),
                identities.subject.repeat(rows),
            ),
        )
    size = expressive.shape[-1]
    grid = np.zeros((rows + 1, columns + 1, size, size, 3), np.uint8)
    grid[1:, 1:] = to_uint8(made).reshape(rows, columns, size, size, 3)
    grid[1:, 0] = to_uint8(expressive)
    grid[0, 1:] = to_uint8(identities.images)
    return grid


def transfers(
    method: Synthesizes,
    judges: Judging,
    images: Callable[[Tensor], Tensor],
    test_rows: Tensor,
    labels: Tensor,
    train: Batch,
) -> Syntheses:
    """Every test frame's expression on a training subject, the subjects in turn, and what the judges make of it.

    Args:
        images: row of the prepared array -> (3, S, S), for a batch of rows.
        test_rows, labels: (M,): rows and classes of the test frames.
        train: a frame of each training subject and expression, with its labels.
    """
    assert isinstance(method, Method)
    subjects = torch.unique(train.subject.cpu())
    wanted = subjects[torch.arange(len(test_rows)) % len(subjects)]
    source, own = train.subject.cpu(), train.expression.cpu()
    first = torch.stack([(source == s).nonzero()[0, 0] for s in wanted])
    match = (source[None] == wanted[:, None]) & (own[None] == labels.cpu()[:, None])
    there, truth = match.any(1), match.int().argmax(1)
    found: dict[str, list[Tensor]] = {}
    with torch.inference_mode():
        for part in torch.arange(len(test_rows)).split(batch_on(images)):
            real, face = images(test_rows[part]), train.images[first[part]]
            identity = Batch(face, train.expression[first[part]], train.subject[first[part]])
            made = method.synthesize(real, identity).clamp(-1, 1)
            target = train.images[truth[part]].float()
            values: dict[str, Any] = {
                "features": judges.expression_features(made),
                "expression_logits": judges.logits(made),
                "identity_logits": judges.identity_logits(made),
                "real_features": judges.expression_features(real),
                "real_expression_logits": judges.logits(real),
                "psnr": image_metrics.peak_signal_noise_ratio(
                    made.float(), target, data_range=2.0, reduction="none", dim=(1, 2, 3)
                ),
                "ssim": image_metrics.structural_similarity_index_measure(
                    made.float(), target, data_range=(-1.0, 1.0), reduction="none"
                ),
            }
            for name, value in values.items():
                found.setdefault(name, []).append(value.float().cpu())
    arrays = {name: torch.cat(parts).numpy() for name, parts in found.items()}
    for name in ("psnr", "ssim"):
        arrays[name] = np.where(there.numpy(), arrays[name], np.nan)
    return Syntheses(expression=labels.cpu().numpy(), subject=wanted.numpy(), **arrays)


def to_uint8(images: Tensor) -> np.ndarray:
    """(B, 3, S, S) in [-1, 1] -> (B, S, S, 3), uint8."""
    scaled = images.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).cpu().numpy()


def examples(labels: Sequence[int], count: int) -> list[int]:
    """The position of the first example of each of the labels 0 ... count - 1 that occurs."""
    return [labels.index(label) for label in range(count) if label in labels]
