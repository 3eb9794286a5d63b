"""Face alignment: a similarity transform that maps five landmarks to fixed positions, followed by a crop."""

from __future__ import annotations

import numpy as np
from PIL import Image

TEMPLATE = (
    np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]) / 112
)
"""(5, 2), x and y of the landmarks in a crop of width 1, in the order of `ferbench.Face.landmarks`. Source: the 112 x 112
template of InsightFace (ArcFace), which most face recognition networks use."""


def template(size: int, margin: float) -> np.ndarray:
    """(5, 2), pixel x and y of the landmarks in a crop.

    Args:
        size: width and height of the crop, in pixels.
        margin: what the crop shows beyond TEMPLATE on each side, as a fraction of the template's width; 0 for nothing.
    """
    return ((TEMPLATE - 0.5) / (1 + 2 * margin) + 0.5) * size


def similarity(source: np.ndarray, target: np.ndarray) -> tuple[complex, complex]:
    """The similarity transform (rotation, scaling and translation, no reflection) from `source` to `target`, by least squares.

    Args:
        source, target: (N, 2), x and y of N corresponding points.

    Returns:
        Complex numbers (a, b): the point x + iy = z is mapped to a z + b.

    Raises:
        ValueError: all points of `source` are the same.
    """
    z, w = source[:, 0] + 1j * source[:, 1], target[:, 0] + 1j * target[:, 1]
    centred = z - z.mean()
    spread = float((np.abs(centred) ** 2).sum())
    if spread == 0:
        raise ValueError("all landmarks are the same point")
    a = (centred.conj() * (w - w.mean())).sum() / spread
    return complex(a), complex(w.mean() - a * z.mean())


def align(image: np.ndarray, landmarks: np.ndarray, size: int, margin: float) -> np.ndarray:
    """Crop the aligned face. Where the crop extends beyond the image it is black.

    Args:
        image: (H, W, 3), uint8, RGB.
        landmarks: (5, 2), pixel x and y, in the order of `ferbench.Face.landmarks`.
        size: width and height of the crop, in pixels.
        margin: see `template`.

    Returns:
        (size, size, 3), uint8.

    Raises:
        ValueError: all landmarks are the same point.
    """
    a, b = similarity(np.asarray(landmarks, dtype=float), template(size, margin))
    picture = Image.fromarray(image)
    shrink = max(1, int(1 / abs(a))) if abs(a) else 1
    if shrink > 1:  # transform() interpolates few pixels; averaging first avoids aliasing
        picture = picture.reduce(shrink)
    # transform() needs the map from crop to (reduced) image: z = (w - b) / a
    inverse, shift = 1 / a / shrink, -b / a / shrink
    matrix = (inverse.real, -inverse.imag, shift.real, inverse.imag, inverse.real, shift.imag)
    return np.asarray(
        picture.transform((size, size), Image.Transform.AFFINE, matrix, resample=Image.Resampling.BICUBIC)
    )
