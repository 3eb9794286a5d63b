"""Card of DE-GAN: settings, stages, ablations.

Only the abstracts of the two papers could be read. *Stated* there: an encoder-decoder generator that learns the
expression representation by reconstructing an expression image; an identity code given to the decoder; a multi-task
discriminator of expression and identity; recognition from the representation together with the residue in the
encoder. Everything else below is *our reading*, after DR-GAN (Tran et al., CVPR 2017), whose multi-task discriminator
this family shares, and DeRL (Yang et al., CVPR 2018). docs/reference/degan.md says which is which.
"""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.cards import MethodCard, StageCard
from ferbench.hookspecs import hookimpl


@dataclass
class DeGanSettings:
    """Our reading, unless marked (stated).

    Attributes:
        feature_dim: width of the representation f.
        cells: f is a linear function of the encoder's coarsest map, averaged in cells x cells cells. DR-GAN has 1, which
            loses where things are in a face that is not aligned, and its reconstruction is a blur.
        noise_dim: width of the decoder's noise z ~ U(-1, 1); DR-GAN's.
        width: channels of the finest level of decoder and discriminator.
        fake_class: where the discriminator says 'fake': one more class of its "identity" head, of its "expression"
            head, or a "separate" real/fake logit. Public designs differ.
        identity_code: the decoder is given the target's identity (stated).
        identity_head: the discriminator classifies identity (stated).
        expression_head: the discriminator classifies expression (stated).
        adversarial: the discriminator learns to tell made images; without it, it is a classifier only.
        weight_expression, weight_identity, weight_adversarial, weight_reconstruction: terms of the generator's loss. With
            100 for the pixels (pix2pix's) and a slow discriminator, the decoder ignores the identity code; with 10 and a
            fast one, it makes textures that satisfy the discriminator and are no faces (docs/reference/degan.md).
        lr, beta1: Adam's, of the generator; beta1 is DR-GAN's.
        discriminator_lr_scale: the discriminator's learning rate as a fraction of the generator's. DR-GAN's own values are
            lr=2e-4, discriminator_lr_scale=1, discriminator_dropout=0.
        discriminator_dropout: of its trunk.
        r1: weight of the gradient penalty on real images (Mescheder et al., ICML 2018).
        residue: stage 2 learns the residue in the encoder's maps (stated).
        disentangled: the classifier of stage 2 sees f (stated).
        branch_dim: width of each branch's feature.
        weight_branch, weight_all: of the branches' losses and of the last classifier's.
        classifier_lr, classifier_weight_decay: AdamW's, of stage 2.
    """

    feature_dim: int = 256
    cells: int = 3
    noise_dim: int = 50
    width: int = 32
    fake_class: str = "identity"
    identity_code: bool = True
    identity_head: bool = True
    expression_head: bool = True
    adversarial: bool = True
    weight_expression: float = 1.0
    weight_identity: float = 1.0
    weight_adversarial: float = 1.0
    weight_reconstruction: float = 20.0
    lr: float = 5e-4
    beta1: float = 0.5
    discriminator_lr_scale: float = 0.5
    discriminator_dropout: float = 0.3
    r1: float = 0.0
    residue: bool = True
    disentangled: bool = True
    branch_dim: int = 64
    weight_branch: float = 1.0
    weight_all: float = 1.0
    classifier_lr: float = 1e-3
    classifier_weight_decay: float = 1e-4


SYNTHESIS = frozenset(
    {
        "feature_dim", "cells", "noise_dim", "width", "fake_class", "identity_code", "identity_head", "expression_head",
        "adversarial", "weight_expression", "weight_identity", "weight_adversarial", "weight_reconstruction", "lr",
        "beta1", "discriminator_lr_scale", "discriminator_dropout", "r1",
    }
)  # fmt: skip
RECOGNITION = frozenset(
    {
        "residue", "disentangled", "branch_dim", "weight_branch", "weight_all", "classifier_lr", "classifier_weight_decay",
    }
)  # fmt: skip


@hookimpl
def ferbench_methods() -> list[MethodCard]:
    return [
        MethodCard(
            name="degan",
            target="ferbench_degan.method:DeGan",
            title="DE-GAN: expression representation by synthesis, with residue learning",
            paper="Ali and Hughes, Facial Expression Representation Learning by Synthesizing Expression Images, arXiv 1912.01456",
            settings=DeGanSettings,
            needs=frozenset({"subject"}),
            stages=[
                StageCard(name="synthesis", share=0.7, settings=SYNTHESIS),
                StageCard(name="recognition", share=0.3, settings=RECOGNITION),
            ],
            ablations={
                "no_identity_head": {"identity_head": False},
                "no_expression_head": {"expression_head": False},
                "no_adversarial": {"adversarial": False},
                "no_reconstruction": {"weight_reconstruction": 0.0},
                "no_identity_code": {"identity_code": False},
                "no_residue_loss": {"residue": False},
                "no_branch_losses": {"weight_branch": 0.0},
                "no_disentangled": {"disentangled": False},
            },
        )
    ]
