"""Cards of the datasets."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.cards import DatasetCard
from ferbench.hookspecs import hookimpl

BASIC = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
CONTEMPT = tuple(sorted((*BASIC, "contempt")))


@dataclass
class OuluSettings:
    """Attributes:
    root: folder that holds 'OriginalImg' or 'PreProcess Img'.
    images: "preprocessed" (cropped faces, 'PreProcess Img'), "original" ('OriginalImg'), or "auto": the first of
        these that is there.
    camera: "VL" (visible light) or "NI" (near infrared).
    illumination: "Strong", "Weak" or "Dark".
    allow_incomplete: go on where a subject lacks an expression.
    """

    root: str = ""
    images: str = "auto"
    camera: str = "VL"
    illumination: str = "Strong"
    allow_incomplete: bool = False


@dataclass
class CkPlusSettings:
    """Attributes:
    root: folder that holds 'cohn-kanade-images' and 'Emotion'.
    """

    root: str = ""


def _ckplus(name: str, target: str, title: str, expressions: tuple[str, ...]) -> DatasetCard:
    return DatasetCard(
        name=name,
        target=f"ferbench_labdata.ckplus:{target}",
        title=title,
        settings=CkPlusSettings,
        expressions=expressions,
        provides=frozenset({"subject", "neutral", "sequence"}),
        frames="last_3",
        protocol="subject_10fold_ordered",
        paper=(
            "Lucey, Cohn, Kanade, Saragih, Ambadar, Matthews, The Extended Cohn-Kanade Dataset (CK+), CVPR Workshops 2010"
        ),
        licence="research only, by signed agreement",
        obtain="the University of Pittsburgh (Jeffrey Cohn), on request",
    )


@hookimpl
def ferbench_datasets() -> list[DatasetCard]:
    return [
        DatasetCard(
            name="oulu",
            target="ferbench_labdata.oulu:Oulu",
            title="Oulu-CASIA NIR&VIS: 80 subjects x 6 expressions, neutral to apex",
            settings=OuluSettings,
            expressions=BASIC,
            provides=frozenset({"subject", "neutral", "sequence"}),
            frames="last_3",
            protocol="subject_10fold_ordered",
            paper=(
                "Zhao, Huang, Taini, Li, Pietikäinen, Facial expression recognition from near-infrared videos, "
                "Image and Vision Computing 29(9), 2011"
            ),
            licence="research only, by signed agreement",
            obtain="the Center for Machine Vision and Signal Analysis, University of Oulu, on request",
        ),
        _ckplus("ckplus7c", "CkPlus7c", "CK+, six expressions and contempt: 327 sequences of 118 subjects", CONTEMPT),
        _ckplus(
            "ckplus7n",
            "CkPlus7n",
            "CK+, six expressions and neutral: 309 sequences of 106 subjects",
            (*BASIC, "neutral"),
        ),
        _ckplus("ckplus6", "CkPlus6", "CK+, six expressions: 309 sequences of 106 subjects", BASIC),
        _ckplus("ckplus8", "CkPlus8", "CK+, six expressions, contempt and neutral", (*CONTEMPT, "neutral")),
    ]
