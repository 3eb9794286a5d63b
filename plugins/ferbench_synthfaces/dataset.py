"""The dataset synthfaces. Frames are rendered when they are read."""

from __future__ import annotations

import dataclasses
from functools import cached_property

import numpy as np
import pandas as pd

from ferbench import Dataset, FerbenchError, FrameError
from ferbench.hashing import digest
from ferbench_synthfaces.factors import difficulty, frame_table
from ferbench_synthfaces.plugin import SynthFacesSettings

CHUNK = 32
"""Number of frames rendered at once, so small that their arrays fit into the processor's cache."""

PIXELS = "b6da873176371a20"
"""Hash of test images. A test requires a new value when the renderer draws other pixels; all fingerprints then change."""

TABLES = "81fa36397907d6be"
"""Hash of the frame tables of all presets, used in the same way."""


class SynthFaces(Dataset):
    """The dataset. An image depends only on the settings and the frame_id, not on which images are rendered before or with it."""

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
        result: np.ndarray = self.images([frame_id])[0]
        return result

    def images(self, frame_ids: list[str]) -> np.ndarray:
        from ferbench_synthfaces.render import render  # import torch only when frames are rendered

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
        """A hash of the settings and of what the generator produces from them. It does not depend on the code, which can change
        without a change of the frames."""
        drawn = {k: v for k, v in dataclasses.asdict(self.settings).items() if k not in ("device", "preset")}
        return digest([drawn | dataclasses.asdict(self.difficulty), PIXELS, TABLES])
