"""Cards of the baselines: settings, stages, ablations. The file of each method has its equations and marks our reading.

Learning rates and loss weights of the adversarial methods are our choice unless marked. They follow those of DE-GAN in this
repository (5e-4 for the generator, half of that for the discriminator, dropout 0.3), so that no method is tuned more than the
others. Version 2 of a card corrects an error that was found in its losses (docs/reference/methods.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ferbench.cards import MethodCard, StageCard, settings_of
from ferbench.hookspecs import hookimpl


@dataclass
class CrossEntropySettings:
    """Attributes:
    lr: AdamW's initial learning rate; the schedule is cosine.
    weight_decay: AdamW's weight decay.
    label_smoothing: label smoothing of the cross-entropy, 0 to 1.
    """

    lr: float = 1e-3
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0


@dataclass
class GrlSettings:
    """Attributes:
    lr: AdamW's initial learning rate; the schedule is cosine.
    weight_decay: AdamW's weight decay.
    identity_lr_scale: learning rate of the identity classifier, as a multiple of lr; it is constant.
    reversal: highest weight of the reversed gradient, lambda_max; with 0 the identity classifier has no effect on the
        features.
    schedule: whether the weight rises from 0 as in the paper, or is constant.
    """

    lr: float = 1e-3
    weight_decay: float = 1e-4
    identity_lr_scale: float = 3.0
    reversal: float = 0.1
    schedule: bool = True


@dataclass
class IacnnSettings:
    """Attributes:
    feature_dim: width of f_e and of f_i.
    weight_expression: weight of the contrastive loss for expression.
    weight_identity: weight of the contrastive loss for identity.
    margin: delta, for the squared distance of unit vectors, 0 to 4.
    lr: AdamW's initial learning rate; the schedule is cosine.
    weight_decay: AdamW's weight decay.
    """

    feature_dim: int = 128
    weight_expression: float = 1.0
    weight_identity: float = 1.0
    margin: float = 1.0
    lr: float = 1e-3
    weight_decay: float = 1e-4


@dataclass
class GeneratorSettings:
    """Settings of methods with a generator that train everything except the discriminator in one group.

    Attributes:
        feature_dim: width of each code.
        cells: an encoder's coarsest map is averaged in cells x cells regions.
        width: channels of the finest level of decoder and discriminator.
        lr: AdamW's initial learning rate; the schedule is cosine.
        weight_decay: AdamW's weight decay.
        beta1: first decay rate of the discriminator's optimiser.
        discriminator_lr_scale: learning rate of the discriminator, as a fraction of lr; it is constant.
        discriminator_dropout: dropout in the discriminator's trunk.
    """

    feature_dim: int = 256
    cells: int = 3
    width: int = 32
    lr: float = 5e-4
    weight_decay: float = 1e-4
    beta1: float = 0.5
    discriminator_lr_scale: float = 0.5
    discriminator_dropout: float = 0.3


@dataclass
class IfGanSettings(GeneratorSettings):
    """Attributes:
    weight_adversarial: weight of the generator's adversarial loss, a.
    weight_average: weight of the distance to the mean face, b.
    """

    weight_adversarial: float = 0.1
    weight_average: float = 10.0
    lr: float = 1e-3


@dataclass
class TerGanSettings(GeneratorSettings):
    """Attributes:
    weight_expression_consistency: weight of the expression consistency loss, c_e.
    weight_identity_consistency: weight of the identity consistency loss, c_i.
    weight_adversarial: weight of the adversarial loss, a.
    weight_reconstruction: weight of the reconstruction loss, b.
    """

    weight_expression_consistency: float = 1.0
    weight_identity_consistency: float = 1.0
    weight_adversarial: float = 1.0
    weight_reconstruction: float = 20.0


@dataclass
class TdGanSettings:
    """Weights and intervals are those of the released code, unless marked as ours.

    Attributes:
        feature_dim: width of each code.
        cells: an encoder's coarsest map is averaged in cells x cells regions (ours).
        noise_dim: width of the noise vector (ours; in the released code the noise is a map with 256 channels).
        width: channels of the finest level of decoder and discriminators (ours).
        face_discriminator: whether there is a face discriminator.
        expression_discriminator: whether there is an expression discriminator.
        face_every: steps between two updates of the face discriminator.
        expression_every: steps between two updates of the expression discriminator.
        classifier_trains_encoder: whether the classifier's loss also trains the expression encoder; not so in the released
            code.
        weight_face: weight of the generator's loss from the face discriminator.
        weight_expression: weight of the generator's loss from the expression discriminator.
        weight_similarity: weight of the distance between features of the synthesised and the real face.
        weight_cycle: weight of the two dual image consistency losses.
        lr: learning rate of all groups; 1e-4 in the released code, for a hundred epochs (ours is for fewer steps).
        discriminator_dropout: dropout in the trunks of the discriminators.
    """

    feature_dim: int = 256
    cells: int = 3
    noise_dim: int = 50
    width: int = 32
    face_discriminator: bool = True
    expression_discriminator: bool = True
    face_every: int = 5
    expression_every: int = 10
    classifier_trains_encoder: bool = False
    weight_face: float = 0.2
    weight_expression: float = 0.8
    weight_similarity: float = 1.0
    weight_cycle: float = 5.0
    lr: float = 5e-4
    discriminator_dropout: float = 0.5


@dataclass
class FdrlSettings:
    """Attributes:
    latent: number of latent features, M.
    feature_dim: width of each latent feature, D.
    weight_compactness: weight of L_C.
    weight_balance: weight of L_B.
    weight_distribution: weight of L_D.
    relations: whether latent features exchange messages; if not, y_i = g_i.
    own_share: weight of a latent feature's own message, d, 0 to 1.
    lr: AdamW's initial learning rate; the schedule is cosine.
    weight_decay: AdamW's weight decay.
    """

    latent: int = 9
    feature_dim: int = 128
    weight_compactness: float = 1e-4
    weight_balance: float = 1.0
    weight_distribution: float = 1e-4
    relations: bool = True
    own_share: float = 0.5
    lr: float = 1e-3
    weight_decay: float = 1e-4


def _card(
    name: str,
    title: str,
    settings: type,
    paper: str = "",
    needs: frozenset[str] = frozenset(),
    ablations: Mapping[str, Mapping[str, object]] | None = None,
    target: str = "",
    version: int = 1,
    baseline: bool = False,
) -> MethodCard:
    """The card of a method with one stage, "training", whose weights depend on all settings."""
    return MethodCard(
        name=name,
        target=f"ferbench_baselines.{name}:{target}",
        title=title,
        paper=paper,
        settings=settings,
        needs=needs,
        stages=[StageCard(name="training", settings=settings_of(settings))],
        ablations=ablations or {},
        version=version,
        baseline=baseline,
    )


SUBJECT = frozenset({"subject"})


@hookimpl
def ferbench_methods() -> list[MethodCard]:
    return [
        _card(
            "cross_entropy",
            "the backbone and a linear classifier: the baseline for all methods",
            CrossEntropySettings,
            target="CrossEntropy",
            baseline=True,
        ),
        _card(
            "grl",
            "gradient reversal: an adversarial identity classifier",
            GrlSettings,
            "Ganin and Lempitsky, Unsupervised Domain Adaptation by Backpropagation, ICML 2015",
            SUBJECT,
            {"no_reversal": {"reversal": 0.0}, "no_schedule": {"schedule": False}},
            "Grl",
            version=2,
        ),
        _card(
            "iacnn",
            "expression-sensitive and identity-sensitive contrastive losses",
            IacnnSettings,
            "Meng, Liu, Cai, Han, Tong, Identity-Aware Convolutional Neural Network for Facial Expression Recognition, FG 2017",
            SUBJECT,
            {
                "no_identity_contrast": {"weight_identity": 0.0},
                "no_expression_contrast": {"weight_expression": 0.0},
            },
            "Iacnn",
        ),
        _card(
            "ifgan",
            "IF-GAN: a face of average identity with the same expression, classified",
            IfGanSettings,
            "Cai et al., Identity-Free Facial Expression Recognition using Conditional GAN, arXiv 1903.08051",
            ablations={"no_adversarial": {"weight_adversarial": 0.0}, "no_average": {"weight_average": 0.0}},
            target="IfGan",
        ),
        _card(
            "tergan",
            "TER-GAN: expression transfer between two encoders, with consistency losses",
            TerGanSettings,
            "Ali and Hughes, Facial Expression Recognition By Using a Disentangled Identity-Invariant Expression "
            "Representation, ICPR 2020",
            SUBJECT,
            {
                "no_expression_consistency": {"weight_expression_consistency": 0.0},
                "no_identity_consistency": {"weight_identity_consistency": 0.0},
                "no_adversarial": {"weight_adversarial": 0.0},
                "no_reconstruction": {"weight_reconstruction": 0.0},
            },
            "TerGan",
        ),
        _card(
            "tdgan",
            "TDGAN: face and expression branches, two discriminators, dual image consistency",
            TdGanSettings,
            "Xie, Hu, Chen, Facial Expression Recognition with Two-branch Disentangled GAN, TCSVT 31(6), 2021",
            SUBJECT,
            {
                "no_face_discriminator": {"face_discriminator": False},
                "no_expression_discriminator": {"expression_discriminator": False},
                "no_cycle": {"weight_cycle": 0.0},
                "classifier_trains_encoder": {"classifier_trains_encoder": True},
            },
            "TdGan",
        ),
        _card(
            "fdrl",
            "FDRL: decomposition into latent features, and reconstruction from their relations",
            FdrlSettings,
            "Ruan et al., Feature Decomposition and Reconstruction Learning for Effective FER, CVPR 2021, arXiv 2104.05160",
            ablations={
                "no_compactness": {"weight_compactness": 0.0},
                "no_balance": {"weight_balance": 0.0},
                "no_distribution": {"weight_distribution": 0.0},
                "no_relations": {"relations": False},
            },
            target="Fdrl",
            version=2,
        ),
    ]
