"""Agreement of estimated factors with those of the frame table: F1 of what is present, concordance, absolute error."""

from __future__ import annotations

import numpy as np

PRESENT = 0.4
"""An action unit counts as present from this intensity on, of 1: 2 of FACS's 5 levels, as papers on DISFA count (Zhao, Chu and
Zhang, Deep Region and Multi-label Learning, CVPR 2016). Labels that are 0 or 1 stay what they are."""


def f1(estimated: np.ndarray, present: np.ndarray) -> float:
    """2 TP / (estimated + present), of frames (N,), bool; NaN where nothing is estimated or present.

    >>> f1(np.array([True, True, False]), np.array([True, False, False]))
    0.6666666666666666
    """
    both = int(estimated.sum() + present.sum())
    return 2 * int((estimated & present).sum()) / both if both else float("nan")


def concordance(estimated: np.ndarray, true: np.ndarray) -> float:
    """Lin's concordance correlation coefficient (Biometrics 1989, equation 4, with moments divided by N), in [-1, 1]: twice the
    covariance, divided by both variances and the squared difference of the means. 0 for a constant; NaN where both are the same
    constant.

    >>> concordance(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    1.0

    Args:
        estimated, true: (N,), float.
    """
    x, y = estimated.astype(float), true.astype(float)
    covariance = np.mean((x - x.mean()) * (y - y.mean()))
    spread = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    return float(2 * covariance / spread) if spread > 0 else float("nan")
