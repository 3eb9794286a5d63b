"""Card of synthfaces."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.cards import DatasetCard
from ferbench.hookspecs import hookimpl

EXPRESSIONS = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")


@dataclass
class SynthFacesSettings:
    """Settings that are None have the value of the preset (table in docs/reference/synthfaces.md).

    Attributes:
        preset: easy, default, confounded or wild.
        seed: random seed. Equal seeds give equal faces on all machines, and on CPUs equal pixels.
        subjects: number of subjects.
        takes: number of sequences of each subject and expression.
        frames: number of frames in a sequence, from neutral to apex.
        image_size: width and height of the frames, in pixels.
        device: device that renders the frames: auto (a GPU if there is one, else the CPU), cpu, cuda ...; pixels of different
            devices are equal up to rounding, one of 255 levels.
        correlation: correlation of identity and expression: the probability that the expression of a sequence is chosen from the
            subject's own two, 0 to 1. 0 gives a complete design.
        intensity: intensity of the apex, [lowest, highest], each above 0 and up to 1.
        style: how much subjects differ in intensity and symmetry of their expressions, 0 to 1.
        pose: largest yaw in degrees, 0 to 40; the largest pitch and roll are half of it.
        light: variation of the light's direction, strength and exposure, 0 to 1.
        occlusion: fraction of sequences with glasses, a fringe, a hand or a mask, 0 to 1.
        noise: sensor noise as a fraction of white, 0 to 0.5; blur grows with it.
    """

    preset: str = "default"
    seed: int = 0
    subjects: int | None = None
    takes: int = 2
    frames: int = 8
    image_size: int = 96
    device: str = "auto"
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
            shown=("preset",),
            expressions=EXPRESSIONS,
            provides=frozenset({"subject", "neutral", "sequence"}),
            frames="last_3",
            paper="action units after EMFACS (Friesen and Ekman, 1983)",
            licence="none needed: the faces are generated",
            obtain="comes with ferbench",
            shareable=True,
        )
    ]
