"""Card of synthfaces."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.cards import DatasetCard
from ferbench.hookspecs import hookimpl

EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")


@dataclass
class SynthFacesSettings:
    """Attributes:
    seed: the same seed gives the same pixels.
    subjects: number of identities.
    takes: sequences a subject and expression.
    frames: frames a sequence, from neutral to apex.
    image_size: of the drawn frames, in pixels.
    """

    seed: int = 0
    subjects: int = 60
    takes: int = 1
    frames: int = 8
    image_size: int = 96


@hookimpl
def ferbench_datasets() -> list[DatasetCard]:
    return [
        DatasetCard(
            name="synthfaces",
            target="ferbench_synthfaces.dataset:SynthFaces",
            title="procedural faces with known identity and action units; no download",
            settings=SynthFacesSettings,
            expressions=EXPRESSIONS,
            provides=frozenset({"subject", "neutral", "sequence"}),
            frames="last_3",
            licence="none needed: the faces are made up",
            obtain="comes with ferbench",
        )
    ]
