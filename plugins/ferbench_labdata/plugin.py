"""Cards of the datasets."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.cards import DatasetCard
from ferbench.hookspecs import hookimpl

BASIC = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")


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
        )
    ]
