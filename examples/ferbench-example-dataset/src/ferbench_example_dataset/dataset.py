"""Images in folders: ROOT/subject/expression/image.png."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError

from ferbench import Dataset, FerbenchError, FrameError
from ferbench.hashing import digest, file_digest
from ferbench_example_dataset.plugin import PortraitsSettings


class Portraits(Dataset):
    """frame_id: 'anna/happiness/001'. Every image is a sequence of its own."""

    settings: PortraitsSettings

    def __init__(self, settings: PortraitsSettings) -> None:
        super().__init__(settings)
        if not self._files:
            raise FerbenchError(
                f"There is no image SUBJECT/EXPRESSION/*.png in '{settings.root}'. Write dataset.root=DIR with the folder that "
                "holds a folder for each subject."
            )

    @cached_property
    def _files(self) -> dict[str, Path]:
        """frame_id -> file, in the order of frame_ids."""
        root = Path(self.settings.root)
        found = sorted(root.glob("*/*/*.png")) if self.settings.root else []
        return {path.relative_to(root).with_suffix("").as_posix(): path for path in found}

    def frames(self) -> pd.DataFrame:
        rows = []
        for frame in self._files:
            subject, expression, _ = frame.split("/")
            phase = "neutral" if expression == "neutral" else "apex"
            rows.append((frame, subject, frame, 0, phase, expression))
        return pd.DataFrame(rows, columns=["frame_id", "subject", "sequence", "position", "phase", "expression"])

    def image(self, frame_id: str) -> np.ndarray:
        if frame_id not in self._files:
            raise FrameError(f"portraits has no frame '{frame_id}'.", [frame_id])
        try:
            with Image.open(self._files[frame_id]) as image:
                return np.asarray(image.convert("RGB"))
        except (OSError, UnidentifiedImageError) as error:
            raise FrameError(f"{self._files[frame_id]} cannot be read: {error}.", [frame_id]) from error

    def fingerprint(self) -> str:
        return digest([[frame, file_digest(path)] for frame, path in self._files.items()])
