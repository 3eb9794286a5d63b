"""The factors behind a face: who it is, and which action units it shows, how strongly.

Every number is drawn from a generator seeded by (seed, what it describes), so that a subject or a frame is the same
whatever else is drawn.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from ferbench_synthfaces.plugin import SynthFacesSettings

ACTION_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 15, 17, 20, 23, 25, 26)
"""FACS action units that the renderer knows."""

EMFACS: dict[str, dict[int, float]] = {
    "anger": {4: 1.0, 5: 0.5, 7: 0.8, 23: 1.0},
    "disgust": {9: 1.0, 15: 0.5, 17: 0.6, 10: 0.6},
    "fear": {1: 1.0, 2: 0.6, 4: 0.5, 5: 0.9, 7: 0.3, 20: 0.9, 25: 0.6, 26: 0.3},
    "happiness": {6: 0.8, 12: 1.0, 25: 0.5},
    "sadness": {1: 1.0, 4: 0.6, 15: 1.0, 17: 0.4},
    "surprise": {1: 1.0, 2: 1.0, 5: 0.7, 25: 1.0, 26: 1.0},
}
"""Prototypes after EMFACS (Friesen and Ekman, 1983): action unit -> intensity at the apex."""

IDENTITY = (
    "width", "height", "jaw", "eye_size", "eye_distance", "eye_height", "brow_height", "brow_thickness", "brow_tilt",
    "nose_length", "nose_width", "mouth_width", "mouth_height", "lip_fullness", "skin", "skin_hue", "hair", "hairline",
    "hair_hue", "iris", "cheek",
)  # fmt: skip
"""Coefficients of a subject, each in [-1, 1]."""


def generator(*parts: object) -> np.random.Generator:
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


def frame_table(settings: SynthFacesSettings) -> pd.DataFrame:
    """The frame table with all factors: identity coefficients as `id_NAME`, action units as `auN` in 0..1."""
    rows = []
    for subject in range(settings.subjects):
        who = f"S{subject + 1:03d}"
        random = generator(settings.seed, who)
        identity = dict(zip(IDENTITY, random.uniform(-1, 1, len(IDENTITY)), strict=True))
        for expression, units in EMFACS.items():
            style = generator(settings.seed, who, expression)
            strength = style.uniform(0.75, 1.0)
            own = {au: np.clip(v * strength * style.uniform(0.8, 1.2), 0, 1) for au, v in units.items()}
            for take in range(settings.takes):
                sequence = f"{who}/{expression}/{take}"
                take_random = generator(settings.seed, sequence)
                varied = {au: np.clip(v * take_random.uniform(0.85, 1.15), 0, 1) for au, v in own.items()}
                yaw, pitch = take_random.uniform(-1, 1, 2)
                light = take_random.uniform(-1, 1)
                for position in range(settings.frames):
                    rise = position / max(settings.frames - 1, 1)
                    intensity = rise * rise * (3 - 2 * rise)
                    rows.append(
                        {
                            "frame_id": f"{sequence}/{position:03d}",
                            "subject": who,
                            "sequence": sequence,
                            "position": position,
                            "phase": "neutral" if position == 0 else "apex" if rise > 0.7 else "onset",
                            "expression": expression,
                            "intensity": intensity,
                            "yaw": yaw,
                            "pitch": pitch,
                            "light": light,
                            **{f"au{au}": intensity * varied.get(au, 0.0) for au in ACTION_UNITS},
                            **{f"id_{name}": value for name, value in identity.items()},
                        }
                    )
    return pd.DataFrame(rows)
