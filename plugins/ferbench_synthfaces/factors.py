"""The factors of variation of a face: identity, action units with intensities, and imaging conditions.

Every value is drawn from a random generator that is seeded with the dataset's seed and the name of what it describes. A subject
or frame is therefore the same whatever else is drawn.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ferbench import FerbenchError, UnknownName
from ferbench_synthfaces.plugin import EXPRESSIONS, SynthFacesSettings

ACTION_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26)
"""Numbers of the FACS action units that the renderer can show."""

EMFACS: Mapping[str, Mapping[int, float]] = {
    "anger": {4: 1.0, 5: 0.5, 7: 0.6, 23: 1.0, 17: 0.3, 9: 0.25},
    "contempt": {12: 0.55, 14: 0.9},
    "disgust": {9: 1.0, 15: 0.4, 17: 0.4, 4: 0.55, 6: 0.85, 7: 0.85, 10: 1.0, 25: 0.9, 26: 0.15},
    "fear": {1: 1.0, 2: 0.55, 4: 0.55, 5: 1.0, 7: 0.2, 20: 1.0, 25: 0.8, 26: 0.45},
    "happiness": {6: 0.9, 12: 1.0, 25: 0.9},
    "sadness": {1: 0.9, 4: 0.6, 15: 1.0, 17: 0.45, 7: 0.45},
    "surprise": {1: 1.0, 2: 1.0, 5: 0.8, 25: 1.0, 26: 1.0},
}
"""Action units of each expression and their intensities at the apex, 0 to 1. Source: the prototypes of EMFACS (Friesen and Ekman,
1983), with action units that usually accompany them (17 with 23; 4, 7 and 10 with 9; 25 with 12). The intensities are ours."""

IDENTITY = (
    "width", "height", "jaw", "cheek", "eye_size", "eye_distance", "eye_height", "eye_slant", "iris", "brow_height",
    "brow_thickness", "brow_tilt", "nose_length", "nose_width", "mouth_width", "mouth_height", "lip_fullness", "skin",
    "skin_hue", "age", "beard", "mole", "mole_x", "mole_y", "hair", "hair_light", "hair_hue", "hair_length",
    "hair_volume", "hairline", "parting",
)  # fmt: skip
"""Names of the identity coefficients of a subject, each in [-1, 1]."""

OCCLUSIONS = ("glasses", "fringe", "hand", "mask")


@dataclass(frozen=True)
class Difficulty:
    """The values that a preset determines; see SynthFacesSettings for their meaning."""

    subjects: int
    correlation: float
    intensity: tuple[float, float]
    style: float
    pose: float
    light: float
    occlusion: float
    noise: float


PRESETS: Mapping[str, Difficulty] = {
    "easy": Difficulty(40, 0.0, (0.9, 1.0), 0.1, 3.0, 0.15, 0.0, 0.0),
    "default": Difficulty(60, 0.0, (0.8, 1.0), 0.4, 10.0, 0.5, 0.0, 0.015),
    "confounded": Difficulty(40, 0.9, (0.2, 0.7), 0.9, 12.0, 0.8, 0.0, 0.02),
    "wild": Difficulty(80, 0.0, (0.35, 1.0), 1.0, 24.0, 1.0, 0.45, 0.04),
}


def difficulty(settings: SynthFacesSettings) -> Difficulty:
    """The values of the preset, replaced by those settings that are not None.

    Raises:
        FerbenchError: the preset is unknown, or a value is out of range.
    """
    if settings.preset not in PRESETS:
        raise UnknownName("preset of synthfaces", settings.preset, PRESETS)
    names = [f.name for f in dataclasses.fields(Difficulty)]
    given = {name: value for name in names if (value := getattr(settings, name)) is not None}
    if "intensity" in given:
        pair = tuple(given["intensity"])
        if len(pair) != 2 or not 0 < pair[0] <= pair[1] <= 1:
            raise FerbenchError(
                f"dataset.intensity is {list(pair)}; write [lowest, highest] with 0 < lowest <= highest <= 1."
            )
        given["intensity"] = pair
    values = dataclasses.replace(PRESETS[settings.preset], **given)
    for name, low, high in (
        ("correlation", 0, 1),
        ("style", 0, 1),
        ("light", 0, 1),
        ("occlusion", 0, 1),
        ("noise", 0, 0.5),
        ("pose", 0, 40),
    ):
        if not low <= getattr(values, name) <= high:
            raise FerbenchError(f"dataset.{name} is {getattr(values, name)}; it has to be from {low} to {high}.")
    if values.subjects < 1:
        raise FerbenchError(f"dataset.subjects is {values.subjects}; it has to be at least 1.")
    return values


def generator(*parts: object) -> np.random.Generator:
    """A random generator whose seed is a function of `parts` (as text) alone."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


def frame_table(settings: SynthFacesSettings) -> pd.DataFrame:
    """The frame table with all factors: identity coefficients `id_NAME` in [-1, 1], action units `auN` in [0, 1], yaw, pitch and
    roll in radians, light, background, occlusions, noise and blur."""
    made = difficulty(settings)
    rows: list[dict[str, object]] = []
    for number in range(made.subjects):
        subject = f"S{number + 1:03d}"
        random = generator(settings.seed, subject)
        identity = {
            f"id_{name}": float(value)
            for name, value in zip(IDENTITY, random.uniform(-1, 1, len(IDENTITY)), strict=True)
        }
        for expression, take in _sequences(settings, made, number):
            rows += _sequence(settings, made, subject, identity, expression, take)
    return pd.DataFrame(rows)


def _sequences(settings: SynthFacesSettings, made: Difficulty, number: int) -> list[tuple[str, int]]:
    """(expression, take) of each sequence of a subject. With a correlation, most sequences show one of the subject's own two
    expressions; the number of sequences stays the same."""
    complete = [(expression, take) for expression in EXPRESSIONS for take in range(settings.takes)]
    if not made.correlation:
        return complete
    count = len(EXPRESSIONS)
    own = (EXPRESSIONS[number % count], EXPRESSIONS[(number + 1 + number // count % (count - 1)) % count])
    random = generator(settings.seed, number, "confounded")
    takes = dict.fromkeys(EXPRESSIONS, 0)
    for _ in complete:
        chosen = own if random.uniform() < made.correlation else EXPRESSIONS
        takes[chosen[int(random.integers(len(chosen)))]] += 1
    return [(expression, take) for expression in EXPRESSIONS for take in range(takes[expression])]


def _sequence(
    settings: SynthFacesSettings,
    made: Difficulty,
    subject: str,
    identity: Mapping[str, float],
    expression: str,
    take: int,
) -> list[dict[str, object]]:
    style = generator(settings.seed, subject, expression)
    strength = 1 - 0.25 * made.style * style.uniform()
    favours = {au: 1 + 0.45 * made.style * (style.uniform() - 0.6) for au in ACTION_UNITS}
    lopsided = 0.35 * made.style * (2 * style.uniform() - 1)
    side = 1.0 if style.uniform() < 0.5 else -1.0

    name = f"{subject}/{expression}/{take}"
    random = generator(settings.seed, name)
    peak = made.intensity[0] + (made.intensity[1] - made.intensity[0]) * random.uniform()
    varied = {
        au: min(1.0, value * strength * favours[au] * (1 + 0.3 * made.style * (random.uniform() - 0.5)))
        for au, value in EMFACS[expression].items()
    }
    turn = math.radians(made.pose)
    view = {
        "yaw": turn * random.uniform(-1, 1), "pitch": 0.5 * turn * random.uniform(-1, 1),
        "roll": 0.5 * turn * random.uniform(-1, 1),
        "shift_x": 0.03 * random.uniform(-1, 1), "shift_y": 0.03 * random.uniform(-1, 1), "zoom": 0.04 * random.uniform(-1, 1),
        "light_x": made.light * random.uniform(-1, 1), "light_y": 0.4 * made.light * random.uniform(-1, 1),
        "light_strength": made.light * random.uniform(-1, 1), "exposure": made.light * random.uniform(-1, 1) * 0.5,
        "background": random.uniform(-1, 1), "background_level": random.uniform(-1, 1), "gaze": random.uniform(-1, 1),
        "noise": made.noise * random.uniform(), "blur": min(0.9, 12 * made.noise * random.uniform()),
    }  # fmt: skip
    drift = random.uniform(-1, 1, 3) * 0.1 * turn
    hidden = OCCLUSIONS[int(random.integers(len(OCCLUSIONS)))] if random.uniform() < made.occlusion else ""
    covers = {kind: float(kind == hidden) for kind in OCCLUSIONS} | {"hand_side": random.uniform(-1, 1)}
    rows: list[dict[str, object]] = []
    for position in range(settings.frames):
        rise = position / (settings.frames - 1)
        onset = rise * rise * (3 - 2 * rise)
        rows.append(
            {
                "frame_id": f"{name}/{position:03d}", "subject": subject, "sequence": name, "position": position,
                "phase": "neutral" if position == 0 else "apex" if rise > 0.7 else "onset", "expression": expression,
                "intensity": peak * onset, "occlusion": hidden or "none",
                "asymmetry": 0.92 * side if expression == "contempt" else lopsided,
                **view,
                **{axis: view[axis] + by * rise for axis, by in zip(("yaw", "pitch", "roll"), drift, strict=True)},
                "noise_seed": int(generator(settings.seed, name, position).integers(1 << 20)),
                **covers,
                **{f"au{au}": peak * onset * varied.get(au, 0.0) for au in ACTION_UNITS},
                **identity,
            }
        )  # fmt: skip
    return rows
