"""The embedded dataset: frames are drawn when they are asked for."""

from __future__ import annotations

import dataclasses
from functools import cached_property

import numpy as np
import pandas as pd

from ferbench import Dataset, FerbenchError, FrameError
from ferbench.fingerprint import digest
from ferbench_synthfaces.factors import difficulty, frame_table
from ferbench_synthfaces.plugin import SynthFacesSettings

CHUNK = 32
"""Frames drawn at once: their arrays then stay in the processor's cache."""

PIXELS = "b6da873176371a20"
"""Hash of images that a test draws. Where the renderer changes what it draws, this changes, and with it every fingerprint."""

TABLES = "81fa36397907d6be"
"""Likewise of the frame tables of all presets."""


class SynthFaces(Dataset):
    """An image is a function of (settings, frame_id), whatever is drawn before it or with it."""

    settings: SynthFacesSettings

    def __init__(self, settings: SynthFacesSettings) -> None:
        for name, low in {"takes": 1, "frames": 2, "image_size": 16}.items():
            if getattr(settings, name) < low:
                raise FerbenchError(f"dataset.{name} is {getattr(settings, name)}; it has to be at least {low}.")
        self.difficulty = difficulty(settings)
        super().__init__(settings)

    @cached_property
    def _table(self) -> pd.DataFrame:
        return frame_table(self.settings).set_index("frame_id", drop=False)

    def frames(self) -> pd.DataFrame:
        return self._table.reset_index(drop=True)

    def image(self, frame_id: str) -> np.ndarray:
        return self.images([frame_id])[0]

    def images(self, frame_ids: list[str]) -> np.ndarray:
        from ferbench_synthfaces.render import render  # torch: only when frames are drawn

        unknown = [f for f in frame_ids if f not in self._table.index]
        if unknown:
            raise FrameError(f"synthfaces has no frame '{unknown[0]}'.", unknown)
        chosen = self._table.loc[frame_ids].select_dtypes("number")
        columns = {str(name): chosen[name].to_numpy() for name in chosen}
        parts = [
            render({n: c[i : i + CHUNK] for n, c in columns.items()}, self.settings.image_size, self.settings.device)
            for i in range(0, len(frame_ids), CHUNK)
        ]
        return np.concatenate(parts)

    def fingerprint(self) -> str:
        """Of the settings and of what the generator makes of them, not of its code: that can be read anew, and the frames stay the
        same."""
        drawn = {k: v for k, v in dataclasses.asdict(self.settings).items() if k not in ("device", "preset")}
        return digest([drawn | dataclasses.asdict(self.difficulty), PIXELS, TABLES])
