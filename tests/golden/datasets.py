"""The frame table of every dataset, read from a small tree of its layout (`tests/trees.py`).

Of images only the shape is held: decoders of JPEG and video differ by a level. The pixels of synthfaces are held by
tests/plugins/test_synthfaces.py.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from ferbench import DatasetCard
from ferbench.interfaces.dataset import check_frames
from tests import trees


def values(card: DatasetCard) -> dict[str, Any]:
    if card.name not in trees.BUILDERS:
        return _describe(card, card.load()(card.settings(subjects=4, takes=1, image_size=32)))
    with tempfile.TemporaryDirectory() as folder:
        root = trees.BUILDERS[card.name](Path(folder) / card.name, _face)
        where = {"file": str(root / "frames.csv")} if card.reads_tables else {"root": str(root)}
        return _describe(card, card.load()(card.settings(**where)))


def _face(subject: int, expression: str, position: int) -> Image.Image:
    """A grey square: no table depends on what a face looks like."""
    return Image.new("RGB", (48, 48), (20 * subject % 256, 10 * position % 256, 128))


def _describe(card: DatasetCard, dataset: Any) -> dict[str, Any]:
    own = dataset.describe(card) if hasattr(dataset, "describe") else card
    frames = check_frames(dataset.frames(), own)
    text = {name: "\n".join(_text(value) for value in frames[name]) for name in sorted(map(str, frames))}
    digests = {f"column {name}": hashlib.sha256(t.encode()).hexdigest()[:16] for name, t in text.items()}
    first = frames["frame_id"].iloc[0]
    return {
        "frames": len(frames),
        "expressions": ", ".join(own.expressions),
        "first": f"{first} {dataset.image(first).shape}",
    } | digests


def _text(value: Any) -> str:
    if pd.isna(value):
        return "missing"
    return f"{value:.5f}".replace("-0.00000", "0.00000") if isinstance(value, float) else str(value)
