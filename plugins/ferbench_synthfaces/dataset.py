"""The embedded dataset: frames are drawn when they are asked for."""

from __future__ import annotations

import dataclasses
import inspect
from functools import cached_property

import numpy as np
import pandas as pd

from ferbench import Dataset, FerbenchError, FrameError
from ferbench.fingerprint import code, digest
from ferbench_synthfaces.factors import frame_table
from ferbench_synthfaces.plugin import SynthFacesSettings
from ferbench_synthfaces.render import render


class SynthFaces(Dataset):
    """An image is a function of (settings, frame_id), whatever is drawn before it or with it."""

    settings: SynthFacesSettings

    def __init__(self, settings: SynthFacesSettings) -> None:
        for name, low in {"subjects": 1, "takes": 1, "frames": 2, "image_size": 16}.items():
            if getattr(settings, name) < low:
                raise FerbenchError(f"dataset.{name} is {getattr(settings, name)}; it has to be at least {low}.")
        super().__init__(settings)

    @cached_property
    def _table(self) -> pd.DataFrame:
        return frame_table(self.settings).set_index("frame_id", drop=False)

    def frames(self) -> pd.DataFrame:
        return self._table.reset_index(drop=True)

    def image(self, frame_id: str) -> np.ndarray:
        return self.images([frame_id])[0]

    def images(self, frame_ids: list[str]) -> np.ndarray:
        unknown = [f for f in frame_ids if f not in self._table.index]
        if unknown:
            raise FrameError(f"synthfaces has no frame '{unknown[0]}'.", unknown)
        chosen = self._table.loc[frame_ids].select_dtypes("number")
        return render({str(name): chosen[name].to_numpy() for name in chosen}, self.settings.image_size)

    def fingerprint(self) -> str:
        module = inspect.getmodule(type(self))
        assert module is not None
        return digest([dataclasses.asdict(self.settings), dict(code([module.__name__]))])
