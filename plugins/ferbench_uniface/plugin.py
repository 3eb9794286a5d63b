"""Card of the face detector."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.cards import DetectorCard
from ferbench.hookspecs import hookimpl


@dataclass
class UniFaceSettings:
    """Attributes:
    confidence: lowest score of a detected face, 0 to 1.
    """

    confidence: float = 0.5


@hookimpl
def ferbench_detectors() -> list[DetectorCard]:
    return [
        DetectorCard(
            name="uniface",
            target="ferbench_uniface.detector:UniFace",
            title="RetinaFace (MobileNet) of uniface, with onnxruntime",
            settings=UniFaceSettings,
            paper="Deng, Guo, Ververas, Kotsia, Zafeiriou, RetinaFace, CVPR 2020",
        )
    ]
