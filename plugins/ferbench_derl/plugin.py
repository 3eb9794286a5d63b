"""Cards of DeRL, residue_only and pixel_residue.

DeRL: Yang, Ciftci, Yin, Facial Expression Recognition by De-expression Residue Learning, CVPR 2018. *Stated* in the abstract: a
conditional GAN generates the neutral face of the same person; the expression that it removes remains in its intermediate
layers; a classifier learns this residue. Published notes on the paper state the losses: those of four local CNNs, one for each
size of the layers, whose input is the concatenated maps of encoder and decoder, and a fifth for their last layers together with
the bottleneck, with the generator frozen. Weights, widths and learning rates are *our reading*.
docs/reference/methods.md has the details.
"""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.cards import MethodCard, StageCard, settings_of
from ferbench.hookspecs import hookimpl
from ferbench_degan.plugin import RECOGNITION, SYNTHESIS, DeGanSettings

PAPER = "Yang, Ciftci, Yin, Facial Expression Recognition by De-expression Residue Learning, CVPR 2018"


@dataclass
class DeExpressionSettings:
    """Settings of stage 1, which generates the neutral face. Our reading, unless marked (stated).

    Attributes:
        feature_dim: width of the bottleneck.
        cells: the encoder's coarsest map is averaged in cells x cells regions.
        width: channels of the finest level of decoder and discriminator.
        adversarial: whether a conditional discriminator distinguishes (image, neutral face) from (image, generated face)
            (stated).
        weight_adversarial: weight of the generator's adversarial loss, a.
        weight_reconstruction: weight of the generator's reconstruction loss, b; 100 as in pix2pix.
        lr: learning rate of the generator; 2e-4 in pix2pix.
        beta1: first decay rate of both optimisers; 0.5 as in pix2pix.
        discriminator_lr_scale: learning rate of the discriminator, as a fraction of lr. With 0.5, as in DE-GAN, it wins after a
            hundred steps (a loss of 0.01), because a pair of images is easier to judge than one image.
        discriminator_dropout: dropout in the discriminator's trunk.
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
    """Settings of DeRL: those of stage 1, and those of stage 2, which classifies the residue.

    Attributes:
        encoder_maps: whether the encoder's maps are in the input of the local CNNs (stated).
        decoder_maps: whether the decoder's maps are in the input of the local CNNs (stated).
        bottleneck: whether the bottleneck is in the input of the final classifier (stated).
        branch_dim: width of each local CNN's feature.
        weight_branch: weight of the local CNNs' losses, b.
        weight_all: weight of the final classifier's loss, b_all.
        classifier_lr: initial learning rate of stage 2; the schedule is cosine.
        classifier_weight_decay: AdamW's weight decay in stage 2.
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
    """Settings of DE-GAN, with a classifier whose input does not contain the representation f.

    Attributes:
        disentangled: whether f is in the input of the classifier.
    """

    disentangled: bool = False


@dataclass
class PixelResidueSettings(DeExpressionSettings):
    """Settings of pixel_residue: those of stage 1, and those of stage 2, which classifies the difference image.

    Attributes:
        classifier_lr: initial learning rate of stage 2; the schedule is cosine.
        classifier_weight_decay: AdamW's weight decay in stage 2.
    """

    classifier_lr: float = 1e-3
    classifier_weight_decay: float = 1e-4


DE_EXPRESSION = settings_of(DeExpressionSettings)
RESIDUE = settings_of(DeRLSettings, DeExpressionSettings)
PIXELS = settings_of(PixelResidueSettings, DeExpressionSettings)


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
                StageCard(name="pretraining", share=0.7, settings=DE_EXPRESSION, data="extra"),
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
            trains_as="degan",
            stages=[
                StageCard(name="synthesis", share=0.7, settings=SYNTHESIS),
                StageCard(name="recognition", share=0.3, settings=RECOGNITION),
            ],
        ),
        MethodCard(
            name="pixel_residue",
            target="ferbench_derl.pixel_residue:PixelResidue",
            title="the difference between a face and its generated neutral face, classified: the idea that DeRL refines",
            paper=PAPER + " (the alternative that it argues against; our reading)",
            settings=PixelResidueSettings,
            needs=frozenset({"neutral"}),
            version=2,
            stages=[
                StageCard(name="pretraining", share=0.7, settings=DE_EXPRESSION, data="extra"),
                StageCard(name="de_expression", share=0.7, settings=DE_EXPRESSION),
                StageCard(name="residue", share=0.3, settings=PIXELS),
            ],
            ablations={"no_adversarial": {"adversarial": False}},
        ),
    ]
