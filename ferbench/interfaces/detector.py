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
        landmarks: (5, 2), pixel x and y: image-left eye, image-right eye, nose tip, image-left and image-right mouth corner.
            The centre of the first pixel is at (0.5, 0.5).
        size: a number that grows with the size of the face, such as the area of its box. The largest face is used.
    """

    landmarks: np.ndarray
    size: float


class Detector(ABC):
    """A face detector. Constructed with an instance of the settings class on its card. `detect` has to be thread-safe."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    @abstractmethod
    def detect(self, image: np.ndarray) -> Sequence[Face]:
        """The faces in an image, in any order; an empty sequence if there are none.

        Args:
            image: (H, W, 3), uint8, RGB.

        Raises:
            FerbenchError: the detector cannot be used, because its library or its weights are missing.
        """
