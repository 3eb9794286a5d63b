"""Made faces, as judges see them that never met the method: docs/reference/evaluation.md."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ferbench.interfaces.evaluator import Outputs


def evaluate(outputs: Outputs) -> Mapping[str, float | None]:
    """`identity_consistency`, `expression_consistency`, `judge_accuracy` (the expression judge on the test frames themselves),
    `synthesis_psnr`, `synthesis_ssim`, `kid` and `fid`; nothing for methods that make no faces.

    FID needs more faces than the features have dimensions, KID two: None where there are fewer.
    """
    made = outputs.syntheses
    if made is None:
        return {}

    def right(logits: np.ndarray, wanted: np.ndarray) -> float:
        return float((logits.argmax(1) == wanted).mean())

    def mean(values: np.ndarray) -> float | None:
        return float(np.nanmean(values)) if np.isfinite(values).any() else None

    return {
        "identity_consistency": right(made.identity_logits, made.subject),
        "expression_consistency": right(made.expression_logits, made.expression),
        "judge_accuracy": right(made.real_expression_logits, outputs.labels),
        "synthesis_psnr": mean(made.psnr),
        "synthesis_ssim": mean(made.ssim),
        "kid": _kid(made.real_features, made.features),
        "fid": _fid(made.real_features, made.features),
    }


def _kid(real: np.ndarray, made: np.ndarray) -> float | None:
    """The unbiased squared MMD with the cubic kernel (Binkowski et al., ICLR 2018), over all frames at once: no subsets are
    drawn."""
    import torch
    from torchmetrics.image.kid import poly_mmd

    if min(len(real), len(made)) < 2:
        return None
    return float(poly_mmd(torch.from_numpy(real).double(), torch.from_numpy(made).double()))


def _fid(real: np.ndarray, made: np.ndarray) -> float | None:
    """The Frechet distance of two normal distributions fitted to the features (Heusel et al., NeurIPS 2017)."""
    import torch
    from torch import nn
    from torchmetrics.image.fid import FrechetInceptionDistance

    if min(len(real), len(made)) <= real.shape[1]:
        return None
    given = nn.Identity()
    given.num_features = real.shape[1]
    metric = FrechetInceptionDistance(feature=given)
    metric.update(torch.from_numpy(real), real=True)
    metric.update(torch.from_numpy(made), real=False)
    return float(metric.compute())
