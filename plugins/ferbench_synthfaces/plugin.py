"""Card of synthfaces."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.cards import DatasetCard
from ferbench.hookspecs import hookimpl

EXPRESSIONS = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")


@dataclass
class SynthFacesSettings:
    """A setting that is None has the preset's value (docs/reference/synthfaces.md has the table).

    Attributes:
        preset: easy, default, confounded or wild.
        seed: the same seed gives the same pixels, on any machine.
        subjects: number of identities.
        takes: sequences a subject and expression.
        frames: frames a sequence, from neutral to apex.
        image_size: of the drawn frames, in pixels.
        device: where frames are drawn: cpu, cuda ...; the pixels are the same.
        correlation: of identity and expression, 0..1: the share of a subject's sequences whose expression is one of
            the subject's own two; 0 is a complete design.
        intensity: strength of the apex, as (lowest, highest) of 0..1.
        style: how much subjects differ in how strongly and how symmetrically they show an expression, 0..1.
        pose: largest yaw, in degrees; pitch and roll are half of it.
        light: how far the lamp moves and its strength changes, 0..1.
        occlusion: share of sequences with glasses, a fringe, a hand or a mask.
        noise: of the sensor, as a fraction of white; blur and exposure grow with it.
    """

    preset: str = "default"
    seed: int = 0
    subjects: int | None = None
    takes: int = 2
    frames: int = 8
    image_size: int = 96
    device: str = "cpu"
    correlation: float | None = None
    intensity: list[float] | None = None
    style: float | None = None
    pose: float | None = None
    light: float | None = None
    occlusion: float | None = None
    noise: float | None = None


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
            paper="action units after EMFACS (Friesen and Ekman, 1983)",
            licence="none needed: the faces are made up",
            obtain="comes with ferbench",
            shareable=True,
        )
    ]
