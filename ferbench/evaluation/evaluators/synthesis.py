"""Made faces, as judges see them that never met the method: docs/reference/evaluation.md."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ferbench.evaluation.measures.synthesis import fid, kid
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
        "kid": kid(made.real_features, made.features),
        "fid": fid(made.real_features, made.features),
    }
