"""Card of DE-GAN: settings, stages, ablations.

Only the abstracts of the two papers were available. They *state*: an encoder-decoder generator that learns the expression
representation by reconstructing an image of the expression; an identity code as input of the decoder; a multi-task discriminator
for expression and identity; recognition from the representation and the residue in the encoder. All else is *our reading*,
after DR-GAN (Tran et al., CVPR 2017), which has the same multi-task discriminator, and DeRL (Yang et al., CVPR 2018).
docs/reference/degan.md has the details.
"""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.cards import MethodCard, StageCard, settings_of
from ferbench.hookspecs import hookimpl


@dataclass
class SynthesisSettings:
    """Stage 1, the generator. Our reading, unless marked (stated).

    Attributes:
        feature_dim: width of the representation f.
        cells: f is a linear function of the encoder's coarsest map, averaged in cells x cells regions. DR-GAN has 1, which loses
            the positions of parts of unaligned faces and leads to blurred reconstructions.
        noise_dim: width of the decoder's noise z ~ U(-1, 1), as in DR-GAN.
        width: channels of the finest level of decoder and discriminator.
        fake_class: how the discriminator marks fake images: by one more class of its "identity" head or of its "expression"
            head, or by a "separate" real/fake logit. Published designs differ.
        identity_code: whether the decoder's input contains the target identity (stated).
        identity_head: whether the discriminator classifies identity (stated).
        expression_head: whether the discriminator classifies expression (stated).
        adversarial: whether the discriminator learns to detect synthesised images; if not, it is only a classifier.
        weight_expression: weight of the generator's expression loss, a_e.
        weight_identity: weight of the generator's identity loss, a_i.
        weight_adversarial: weight of the generator's adversarial loss, a_a; it exists only with a real/fake logit.
        weight_reconstruction: weight of the generator's reconstruction loss, a_r. With 100 (as in pix2pix) and a slow
            discriminator, the decoder ignores the identity code; with 10 and a fast one, it produces textures that satisfy the
            discriminator but are not faces (docs/reference/degan.md).
        lr: learning rate of the generator.
        beta1: first decay rate of both optimisers of stage 1, as in DR-GAN.
        discriminator_lr_scale: learning rate of the discriminator, as a fraction of lr. DR-GAN has lr=2e-4,
            discriminator_lr_scale=1 and discriminator_dropout=0.
        discriminator_dropout: dropout in the discriminator's trunk.
        r1: weight of the gradient penalty on real images (Mescheder et al., ICML 2018).
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


@dataclass
class DeGanSettings(SynthesisSettings):
    """And stage 2, recognition. Our reading, unless marked (stated).

    Attributes:
        residue: whether stage 2 learns the residue in the encoder's maps (stated).
        disentangled: whether f is in the input of the classifier of stage 2 (stated).
        branch_dim: width of each branch's feature.
        weight_branch: weight of the branches' losses, b.
        weight_all: weight of the final classifier's loss, b_all.
        classifier_lr: initial learning rate of stage 2; the schedule is cosine.
        classifier_weight_decay: AdamW's weight decay in stage 2.
    """

    residue: bool = True
    disentangled: bool = True
    branch_dim: int = 64
    weight_branch: float = 1.0
    weight_all: float = 1.0
    classifier_lr: float = 1e-3
    classifier_weight_decay: float = 1e-4


SYNTHESIS = settings_of(SynthesisSettings)
RECOGNITION = settings_of(DeGanSettings, SynthesisSettings)


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
