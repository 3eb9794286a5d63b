"""Distances between real and synthesised images in a feature space."""

from __future__ import annotations

import numpy as np


def kid(real: np.ndarray, made: np.ndarray) -> float | None:
    """The unbiased squared MMD with the cubic kernel (Binkowski et al., ICLR 2018), over all frames at once: no subsets are
    drawn.

    Args:
        real: (R, D), float, features of real faces. made: (M, D), of made ones.

    Returns:
        About 0 where both are alike, and a little less by chance; no upper end. None for fewer than two faces of a kind.
    """
    import torch
    from torchmetrics.image.kid import poly_kernel

    if min(len(real), len(made)) < 2:
        return None
    x, y = torch.from_numpy(real).double(), torch.from_numpy(made).double()

    def within(z: torch.Tensor) -> torch.Tensor:
        kernel = poly_kernel(z, z)
        return (kernel.sum() - kernel.trace()) / (len(z) * (len(z) - 1))

    return float(within(x) + within(y) - 2 * poly_kernel(x, y).mean())  # torchmetrics' own sum is for sets of one size


def fid(real: np.ndarray, made: np.ndarray) -> float | None:
    """The Frechet distance of two normal distributions fitted to the features (Heusel et al., NeurIPS 2017).

    Args:
        real: (R, D), float, features of real faces. made: (M, D), of made ones.

    Returns:
        0 or more. None where there are not more faces of each kind than dimensions.
    """
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
