"""What several adversarial methods share: the game of real and made, and the reversal of a gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def tell_apart(real: Tensor, made: Tensor) -> Tensor:
    """The discriminator's loss, -log D(x) - log(1 - D(x')), from logits (B, 1), each a mean over its batch
    (Goodfellow et al., Generative Adversarial Nets, NeurIPS 2014, eq. 1).

    >>> undecided = torch.zeros(4, 1)
    >>> round(tell_apart(undecided, undecided).item(), 4)  # 2 log 2
    1.3863
    """
    return F.binary_cross_entropy_with_logits(real, torch.ones_like(real)) + F.binary_cross_entropy_with_logits(
        made, torch.zeros_like(made)
    )


def pass_for_real(made: Tensor) -> Tensor:
    """The generator's non-saturating loss, -log D(x'), from logits (B, 1) (ibid., section 3).

    >>> round(pass_for_real(torch.zeros(4, 1)).item(), 4)  # log 2
    0.6931
    """
    return F.binary_cross_entropy_with_logits(made, torch.ones_like(made))


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor | float) -> Tensor:
        ctx.weight = weight
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return (-ctx.weight * gradient.float()).to(gradient.dtype), None


def reverse_gradient(x: Tensor, weight: Tensor | float) -> Tensor:
    """x itself; its gradient is multiplied by -weight (Ganin and Lempitsky, Unsupervised Domain Adaptation by
    Backpropagation, ICML 2015, eqs. 5 and 6).

    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> reverse_gradient(x, weight=0.5).sum().backward()
    >>> x.grad.tolist()
    [-0.5, -0.5]

    Args:
        x: any shape.
        weight: 0 or more; a number or a scalar tensor, such as one computed from `Clock.progress`.
    """
    reversed_: Tensor = _Reversal.apply(x, weight)
    return reversed_
