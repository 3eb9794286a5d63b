"""Losses of factors of which some values are missing (NaN), as `Batch.factors` has them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def masked_bce(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy of the values that are known, as a mean over them; 0 where none is.

    >>> float(masked_bce(torch.zeros(2), torch.tensor([1.0, torch.nan])))
    0.6931471824645996

    Args:
        logits: (B, ...), float.
        targets: of the same shape, in [0, 1] or NaN.
    """
    known = ~targets.isnan()
    losses = F.binary_cross_entropy_with_logits(logits, torch.where(known, targets, 0.0), reduction="none")
    return torch.where(known, losses, 0.0).sum() / known.sum().clamp(min=1)


def masked_mse(estimated: Tensor, targets: Tensor) -> Tensor:
    """Squared error of the values that are known, as a mean over them; 0 where none is.

    Args:
        estimated: (B, ...), float.
        targets: of the same shape, or NaN.
    """
    known = ~targets.isnan()
    return torch.where(known, estimated - targets, 0.0).square().sum() / known.sum().clamp(min=1)


def ccc_loss(estimated: Tensor, targets: Tensor) -> Tensor:
    """1 minus Lin's concordance correlation coefficient over the values of a batch that are known, in [0, 2]; its value depends on
    the whole batch (on several devices: `whole_batch`).

    >>> value = torch.tensor([0.0, 1.0, 2.0])
    >>> float(ccc_loss(value, value)), float(ccc_loss(value, 1 - value)) > 1
    (0.0, True)

    Args:
        estimated: (B,), float.
        targets: (B,), float or NaN.
    """
    known = ~targets.isnan()
    count = known.sum().clamp(min=1)
    x, y = torch.where(known, estimated, 0.0), torch.where(known, targets, 0.0)
    mean_x, mean_y = x.sum() / count, y.sum() / count
    dx, dy = torch.where(known, x - mean_x, 0.0), torch.where(known, y - mean_y, 0.0)
    spread = dx.square().sum() + dy.square().sum() + count * (mean_x - mean_y).square()
    return 1 - 2 * (dx * dy).sum() / spread.clamp(min=torch.finfo(spread.dtype).tiny)
