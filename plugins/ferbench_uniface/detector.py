"""RetinaFace from the library uniface (extra `faces`), which downloads its weights on first use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ferbench import Detector, Face, FerbenchError
from ferbench_uniface.plugin import UniFaceSettings


class UniFace(Detector):
    """RetinaFace. The library's landmarks have the order of `ferbench.Face.landmarks`.

    Raises:
        FerbenchError: uniface is not installed, or its weights cannot be downloaded.
    """

    def __init__(self, settings: UniFaceSettings) -> None:
        super().__init__(settings)
        try:
            from uniface import RetinaFace
        except ImportError as error:
            raise FerbenchError(
                f"preparation=align detects faces with uniface, which is missing here ({error.name or error}): "
                "pip install 'ferbench[faces]'. Without it use preparation=resize, or preparation.detector=NAME for another."
            ) from error
        try:
            self._network = RetinaFace(confidence_threshold=settings.confidence)
        except (OSError, RuntimeError, ValueError) as error:  # OSError includes ConnectionError
            raise FerbenchError(
                f"The weights of uniface's RetinaFace cannot be had: {error} Run 'python -c \"import uniface; "
                "uniface.RetinaFace()\"' once where there is a network, and copy its cache folder (~/.uniface) here."
            ) from error

    def detect(self, image: np.ndarray) -> Sequence[Face]:
        found = self._network.detect(np.ascontiguousarray(image[:, :, ::-1]))  # uniface expects BGR
        faces = []
        for face in found:
            left, top, right, bottom = (float(x) for x in face.bbox[:4])
            # uniface has the centre of the first pixel at (0, 0), ferbench at (0.5, 0.5)
            faces.append(Face(np.asarray(face.landmarks, dtype=float) + 0.5, (right - left) * (bottom - top)))
        return faces
