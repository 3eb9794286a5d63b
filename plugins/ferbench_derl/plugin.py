"""Cards of DeRL, residue_only and pixel_residue.

DeRL: Yang, Ciftci, Yin, Facial Expression Recognition by De-expression Residue Learning, CVPR 2018. *Stated* in its
abstract: a cGAN generates the neutral face of the same person; the expression that it filters out is still recorded in
its intermediate layers; a classifier learns that residue. Published notes on the paper state the losses: the sum of four
local CNNs', one for each size of layer, in which encoder and decoder maps are concatenated, and of a fifth, of their last
layers together with the bottleneck; the generator is fixed meanwhile. Weights, widths and rates are *our reading*.
docs/reference/methods.md says which is which.
"""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.cards import MethodCard, StageCard
from ferbench.hookspecs import hookimpl
from ferbench_degan.plugin import RECOGNITION, SYNTHESIS, DeGanSettings

PAPER = "Yang, Ciftci, Yin, Facial Expression Recognition by De-expression Residue Learning, CVPR 2018"


@dataclass
class DeExpressionSettings:
    """Stage 1, the neutral face of the same person. Our reading, unless marked (stated).

    Attributes:
        feature_dim, cells: width of the bottleneck, and the cells over which the encoder's coarsest map is averaged.
        width: channels of the finest level of decoder and discriminator.
        adversarial: a conditional discriminator tells (image, neutral face) from (image, made face) (stated).
        weight_adversarial, weight_reconstruction: of the generator's losses; 100 for the pixels is pix2pix's.
        lr, beta1: Adam's, of the generator; pix2pix has 2e-4 and 0.5.
        discriminator_lr_scale: the discriminator's learning rate as a fraction of the generator's. At 0.5, DE-GAN's, it has won
            after a hundred steps (a loss of 0.01): a pair is easier to judge than a face.
        discriminator_dropout: of its trunk.
    """

    feature_dim: int = 256
    cells: int = 3
    width: int = 32
    adversarial: bool = True
    weight_adversarial: float = 1.0
    weight_reconstruction: float = 100.0
    lr: float = 5e-4
    beta1: float = 0.5
    discriminator_lr_scale: float = 0.1
    discriminator_dropout: float = 0.3


@dataclass
class DeRLSettings(DeExpressionSettings):
    """And stage 2, the residue.

    Attributes:
        encoder_maps, decoder_maps: what the local CNNs see at each size (stated: both).
        bottleneck: the last classifier also sees the bottleneck (stated).
        branch_dim: width of each local CNN's feature.
        weight_branch, weight_all: of the local CNNs' losses and of the last classifier's.
        classifier_lr, classifier_weight_decay: AdamW's.
    """

    encoder_maps: bool = True
    decoder_maps: bool = True
    bottleneck: bool = True
    branch_dim: int = 64
    weight_branch: float = 1.0
    weight_all: float = 1.0
    classifier_lr: float = 1e-3
    classifier_weight_decay: float = 1e-4


@dataclass
class ResidueOnlySettings(DeGanSettings):
    """DE-GAN's, with the representation f kept from the classifier.

    Attributes:
        disentangled: whether the classifier sees f.
    """

    disentangled: bool = False


@dataclass
class PixelResidueSettings(DeExpressionSettings):
    """And stage 2, the difference of image and neutral face.

    Attributes:
        classifier_lr, classifier_weight_decay: AdamW's.
    """

    classifier_lr: float = 1e-3
    classifier_weight_decay: float = 1e-4


DE_EXPRESSION = frozenset(DeExpressionSettings.__dataclass_fields__)
RESIDUE = frozenset(DeRLSettings.__dataclass_fields__) - DE_EXPRESSION
PIXELS = frozenset(PixelResidueSettings.__dataclass_fields__) - DE_EXPRESSION


@hookimpl
def ferbench_methods() -> list[MethodCard]:
    return [
        MethodCard(
            name="derl",
            target="ferbench_derl.derl:DeRL",
            title="DeRL: the residue that expression leaves in the layers of a generator of neutral faces",
            paper=PAPER,
            settings=DeRLSettings,
            needs=frozenset({"neutral"}),
            version=2,
            stages=[
                StageCard(name="de_expression", share=0.7, settings=DE_EXPRESSION),
                StageCard(name="residue", share=0.3, settings=RESIDUE),
            ],
            ablations={
                "no_adversarial": {"adversarial": False},
                "no_bottleneck": {"bottleneck": False},
                "no_decoder_maps": {"decoder_maps": False},
                "no_branch_losses": {"weight_branch": 0.0},
                "no_residue": {"encoder_maps": False, "decoder_maps": False},
            },
        ),
        MethodCard(
            name="residue_only",
            target="ferbench_degan.method:DeGan",
            title="the residues in DE-GAN's encoder alone, after the same first stage",
            paper="the second stage of DeRL on the first of DE-GAN (arXiv 1912.01456)",
            settings=ResidueOnlySettings,
            needs=frozenset({"subject"}),
            stages=[
                StageCard(name="synthesis", share=0.7, settings=SYNTHESIS),
                StageCard(name="recognition", share=0.3, settings=RECOGNITION),
            ],
        ),
        MethodCard(
            name="pixel_residue",
            target="ferbench_derl.pixel_residue:PixelResidue",
            title="the difference between a face and its generated neutral face, classified: the idea that DeRL refines",
            paper=PAPER + " (the comparison that it argues against; our reading)",
            settings=PixelResidueSettings,
            needs=frozenset({"neutral"}),
            version=2,
            stages=[
                StageCard(name="de_expression", share=0.7, settings=DE_EXPRESSION),
                StageCard(name="residue", share=0.3, settings=PIXELS),
            ],
            ablations={"no_adversarial": {"adversarial": False}},
        ),
    ]
