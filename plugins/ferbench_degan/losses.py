"""The losses of DE-GAN, as functions of the outputs of the discriminator's heads.

The heads are "expression", (B, C); "identity", (B, N); and "real", (B, 1), a real/fake logit. Where fake images are a class, the
head `where` ("expression" or "identity") has one more class, the last; `where` "separate" means the head "real". Each function
returns scalar terms by name; the loss is their sum.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from ferbench.blocks.adversarial import pass_for_real, tell_apart

Heads = Mapping[str, Tensor]


def discriminator_terms(
    real: Heads, fake: Heads | None, expression: Tensor, subject: Tensor, where: str
) -> dict[str, Tensor]:
    """L_disc = CE(expr(x), y) + CE(id(x), s) + CE(head(x'), fake).

    Args:
        real: heads for real images.
        fake: heads for synthesised images; None if the discriminator is not adversarial.
        expression, subject: (B,), int64, labels of the real images.
        where: the head for fake images: "identity", "expression" or "separate".
    """
    terms = {}
    if "expression" in real:
        terms["expression"] = F.cross_entropy(real["expression"], expression)
    if "identity" in real:
        terms["identity"] = F.cross_entropy(real["identity"], subject)
    if fake is None:
        return terms
    if where == "separate":
        terms["fake"] = tell_apart(real["real"], fake["real"])
    else:
        logits = fake[where]
        last = torch.full((len(logits),), logits.shape[1] - 1, device=logits.device)
        terms["fake"] = F.cross_entropy(logits, last)
    return terms


def generator_terms(
    fake: Heads,
    made: Tensor,
    images: Tensor,
    expression: Tensor,
    target: Tensor,
    own: Tensor,
    where: str,
    weights: Mapping[str, float],
) -> dict[str, Tensor]:
    """L_gen = a_e CE(expr(x'), y) + a_i CE(id(x'), t) + a_a BCE(real(x'), 1) + a_r |x' - x|_1 where t = s.

    Args:
        fake: heads for the synthesised images.
        made: (B, 3, S, S), x', the synthesised images.
        images: (B, 3, S, S), x, the input images.
        expression: (B,), int64, y.
        target: (B,), int64, t.
        own: (B,), bool, whether t = s.
        where: as in `discriminator_terms`.
        weights: a_e, a_i, a_a and a_r under "expression", "identity", "adversarial" and "reconstruction". Terms with weight 0
            are left out.
    """
    terms = {}
    if "expression" in fake and weights["expression"]:
        terms["expression"] = weights["expression"] * F.cross_entropy(fake["expression"], expression)
    if "identity" in fake and weights["identity"]:
        terms["identity"] = weights["identity"] * F.cross_entropy(fake["identity"], target)
    if where == "separate" and "real" in fake and weights["adversarial"]:
        terms["adversarial"] = weights["adversarial"] * pass_for_real(fake["real"])
    if weights["reconstruction"]:
        terms["reconstruction"] = weights["reconstruction"] * reconstruction(made, images, own)
    return terms


def reconstruction(made: Tensor, images: Tensor, own: Tensor) -> Tensor:
    """Mean absolute difference of the images for which `own` is true, a scalar; 0 if there are none. See `generator_terms`."""
    by_image = (made - images).abs().mean(dim=(1, 2, 3))
    chosen = own.to(by_image.dtype)
    return (by_image * chosen).sum() / chosen.sum().clamp(min=1)


def r1_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """R1 = E |grad_x sum(logits)|^2 / 2 for real images, a scalar. Source: Mescheder et al., ICML 2018, eq. 9."""
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return 0.5 * gradient.square().sum(dim=(1, 2, 3)).mean()
