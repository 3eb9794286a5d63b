"""The face detector interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Face:
    """A face in an image.

    Attributes:
        landmarks: (5, 2), x and y in pixels, of the eye, the other eye, the tip of the nose, and the two corners of the
            mouth, of each pair the one that is further left in the image first. The first pixel covers 0 to 1.
        size: any measure by which the larger of two faces has more.
    """

    landmarks: np.ndarray
    size: float


class Detector(ABC):
    """Constructed with the settings of its card. `detect` may be called by several threads at once."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    @abstractmethod
    def detect(self, image: np.ndarray) -> Sequence[Face]:
        """The faces in (H, W, 3), uint8, RGB; none where there is none.

        Raises:
            FerbenchError: the detector cannot be used here (its library or its weights are missing).
        """
