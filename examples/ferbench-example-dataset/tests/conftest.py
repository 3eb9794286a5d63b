"""A small tree of drawn portraits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
SUBJECTS = ("anna", "ben", "chloe", "dan")


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four subjects with two images of every expression and of the neutral face."""
    top = tmp_path_factory.mktemp("portraits")
    draw = np.random.default_rng(0)
    for subject in SUBJECTS:
        for expression in EXPRESSIONS:
            (top / subject / expression).mkdir(parents=True)
            for number in (1, 2):
                pixels = draw.integers(0, 256, (40, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(top / subject / expression / f"{number:03d}.png")
    return top


@pytest.fixture
def copy(root: Path) -> dict[str, str]:
    """Settings of the dataset for this tree."""
    return {"root": str(root)}
