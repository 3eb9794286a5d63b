"""Cards of the baselines: settings, stages, ablations. Each method's file has its equations and says what is our reading.

The rates and weights of the adversarial ones are ours unless marked: they follow DE-GAN's in this repository (generator
5e-4, the discriminator at half of it, dropout 0.3), so that no method of the comparison is tuned more than another. Version 2 of a
card mends a fault that its losses showed (docs/reference/methods.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ferbench.cards import MethodCard, StageCard
from ferbench.hookspecs import hookimpl


@dataclass
class CrossEntropySettings:
    """Attributes:
    lr, weight_decay: AdamW's, with a cosine schedule.
    label_smoothing: of the cross-entropy.
    """

    lr: float = 1e-3
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0


@dataclass
class GrlSettings:
    """Attributes:
    lr, weight_decay: AdamW's, with a cosine schedule.
    identity_lr_scale: the identity classifier's rate as a multiple of that, constant.
    reversal: the highest weight of the reversed gradient; 0 trains the identity classifier on features that do not
        heed it.
    schedule: the weight rises from 0 as in the paper; else it is constant.
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
    weight_expression, weight_identity: of the contrastive losses.
    margin: delta, of the squared distance of unit vectors (0 to 4).
    lr, weight_decay: AdamW's, with a cosine schedule.
    """

    feature_dim: int = 128
    weight_expression: float = 1.0
    weight_identity: float = 1.0
    margin: float = 1.0
    lr: float = 1e-3
    weight_decay: float = 1e-4


@dataclass
class GeneratorSettings:
    """Of the methods that make faces and train everything but a discriminator in one group.

    Attributes:
        feature_dim, cells: width of each code, and the cells over which an encoder's coarsest map is averaged.
        width: channels of the finest level of decoder and discriminator.
        lr, weight_decay: AdamW's, with a cosine schedule.
        beta1: of the discriminator's optimiser, whose rate is constant.
        discriminator_lr_scale: its learning rate as a fraction of the others'.
        discriminator_dropout: of its trunk.
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
    weight_adversarial, weight_average: of the generator's losses.
    """

    weight_adversarial: float = 0.1
    weight_average: float = 10.0
    lr: float = 1e-3


@dataclass
class TerGanSettings(GeneratorSettings):
    """Attributes:
    weight_expression_consistency, weight_identity_consistency, weight_adversarial, weight_reconstruction: of the losses.
    """

    weight_expression_consistency: float = 1.0
    weight_identity_consistency: float = 1.0
    weight_adversarial: float = 1.0
    weight_reconstruction: float = 20.0


@dataclass
class TdGanSettings:
    """Weights and intervals are the released code's, unless marked.

    Attributes:
        feature_dim, cells: width of each code, and the cells over which an encoder's coarsest map is averaged (ours).
        noise_dim: width of the noise (ours; there the noise is a map of 256 channels).
        width: channels of the finest level of decoder and discriminators (ours).
        face_discriminator, expression_discriminator: whether it has them.
        face_every, expression_every: steps between two updates of a discriminator.
        classifier_trains_encoder: the classifier's loss reaches the expression encoder; in the released code it does not.
        weight_face, weight_expression, weight_similarity, weight_cycle: of the generator's losses.
        lr: Adam's, of all groups; 1e-4 in the released code, for a hundred epochs (ours is for fewer steps).
        discriminator_dropout: of the discriminators' trunks.
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
    latent: M, how many latent features.
    feature_dim: width of each.
    weight_compactness, weight_balance, weight_distribution: of the losses.
    relations: latent features exchange messages; else each stands for itself.
    own_share: d, the share of a latent feature's own message.
    lr, weight_decay: AdamW's, with a cosine schedule.
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
) -> MethodCard:
    """A method of one stage, "training", whose weights depend on all settings."""
    names = frozenset(settings.__dataclass_fields__)  # type: ignore[attr-defined]
    return MethodCard(
        name=name,
        target=f"ferbench_baselines.{name}:{target}",
        title=title,
        paper=paper,
        settings=settings,
        needs=needs,
        stages=[StageCard(name="training", settings=names)],
        ablations=ablations or {},
        version=version,
    )


SUBJECT = frozenset({"subject"})


@hookimpl
def ferbench_methods() -> list[MethodCard]:
    return [
        _card(
            "cross_entropy",
            "the backbone and a linear classifier: the number each claim is measured against",
            CrossEntropySettings,
            target="CrossEntropy",
        ),
        _card(
            "grl",
            "an identity classifier behind a reversed gradient",
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
