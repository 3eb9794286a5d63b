"""Tensors as a few numbers that notice a change of any of their elements."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

DIGITS = 6
"""Significant digits that are held: more than any tolerance looks at."""


def rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def projection(values: Tensor) -> float:
    """<values, r> with a fixed r of unit variance: of the size of the norm, and of another value for other signs or order."""
    flat = values.detach().double().flatten()
    return float(flat @ torch.cos(torch.arange(1, len(flat) + 1, dtype=torch.float64)).mul(2**0.5))


def norm_and_projection(values: Tensor) -> list[float]:
    return [rounded(float(values.detach().double().norm())), rounded(projection(values))]


def exact(values: Tensor) -> str:
    """Digest of integers, or of floats that are the same on every machine."""
    array = values.detach().cpu().contiguous().numpy()
    return f"{array.dtype} {tuple(array.shape)} {hashlib.sha256(array.tobytes()).hexdigest()[:16]}"
