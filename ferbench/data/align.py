"""Face alignment: a similarity transform that puts five landmarks at fixed places, then a crop."""

from __future__ import annotations

import numpy as np
from PIL import Image

TEMPLATE = (
    np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]) / 112
)
"""Where eyes, nose and corners of the mouth lie in a crop of width 1: the places that face recognisers use (InsightFace's
112 x 112 template)."""


def template(size: int, margin: float) -> np.ndarray:
    """(5, 2), in pixels of a crop of that size with so much more around it."""
    return ((TEMPLATE - 0.5) / (1 + 2 * margin) + 0.5) * size


def similarity(source: np.ndarray, target: np.ndarray) -> tuple[complex, complex]:
    """(a, b): z -> a z + b, with points as complex numbers x + iy, is the rotation, scaling and shift that brings `source`
    nearest to `target` in the least squares sense. Both are (N, 2); there is no reflection.

    Raises:
        ValueError: all points of `source` are one.
    """
    z, w = source[:, 0] + 1j * source[:, 1], target[:, 0] + 1j * target[:, 1]
    centred = z - z.mean()
    spread = float((np.abs(centred) ** 2).sum())
    if spread == 0:
        raise ValueError("the landmarks are all at one place")
    a = (centred.conj() * (w - w.mean())).sum() / spread
    return complex(a), complex(w.mean() - a * z.mean())


def align(image: np.ndarray, landmarks: np.ndarray, size: int, margin: float) -> np.ndarray:
    """(H, W, 3), uint8 -> (size, size, 3), uint8; black where the crop reaches beyond the image.

    Args:
        landmarks: (5, 2), in pixels of `image`.
    """
    a, b = similarity(np.asarray(landmarks, dtype=float), template(size, margin))
    picture = Image.fromarray(image)
    shrink = max(1, int(1 / abs(a))) if abs(a) else 1
    if shrink > 1:  # an affine transform takes few neighbours; averaging first keeps it from aliasing
        picture = picture.reduce(shrink)
    # from a place of the crop to a place of the (shrunk) image: z = (w - b) / a
    inverse, shift = 1 / a / shrink, -b / a / shrink
    matrix = (inverse.real, -inverse.imag, shift.real, inverse.imag, inverse.real, shift.imag)
    return np.asarray(
        picture.transform((size, size), Image.Transform.AFFINE, matrix, resample=Image.Resampling.BICUBIC)
    )
