"""What the adapters share: finding roots, reading images, fingerprints of files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from ferbench import FerbenchError, FrameError

IMAGES = frozenset({".jpeg", ".jpg", ".png", ".bmp", ".tif", ".tiff"})

LAYOUTS: Mapping[str, tuple[str, ...]] = {
    "Oulu-CASIA (dataset=oulu)": ("OriginalImg", "PreProcess Img"),
    "CK+ (dataset=ckplus7c)": ("cohn-kanade-images", "Emotion"),
    "MMI": ("Sessions",),
    "RAVDESS": ("Actor_01",),
    "CREMA-D": ("VideoFlash", "AudioWAV"),
    "RAF-DB": ("EmoLabel",),
    "AffectNet": ("Manually_Annotated_file_lists", "Manually_Annotated_Images"),
}
"""Folders by which a dataset's root is known, for errors about the wrong root."""


def check_root(root: str, name: str, title: str, obtain: str) -> Path:
    """The folder `dataset.root`.

    Raises:
        FerbenchError: it was not given, or is no folder.
    """
    if not root:
        raise FerbenchError(
            f"dataset={name} needs the folder of your copy: add dataset.root=/path/to/it. {title} can be had from {obtain}."
        )
    folder = Path(root).expanduser()
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        raise FerbenchError(f"dataset.root={folder} {what}. {title} can be had from {obtain}.")
    return folder


def wrong_root(folder: Path, looked_for: str) -> FerbenchError:
    """The error for a root without the folders of its dataset: what was looked for, what is there, whose it looks like."""
    entries = sorted(p.name for p in folder.iterdir() if not p.name.startswith(".")) if folder.is_dir() else []
    there = (
        ", ".join(entries[:6]) + (f" and {len(entries) - 6} more" if len(entries) > 6 else "") if entries else "nothing"
    )
    text = f"{folder} holds no {looked_for}; it holds {there}."
    for other, marks in LAYOUTS.items():
        if any(mark in entries for mark in marks):
            return FerbenchError(f"{text} It looks like {other}.")
    return FerbenchError(text)


def child(folder: Path, name: str) -> Path | None:
    """The subfolder of that name, upper or lower case not counting."""
    exact = folder / name
    if exact.is_dir():
        return exact
    return next((p for p in sorted(folder.iterdir()) if p.name.lower() == name.lower() and p.is_dir()), None)


def frame_table(frame_ids: Iterable[str], apex: int) -> pd.DataFrame:
    """The frame table of sequences that run from neutral to apex, from identifiers 'subject/sequence/frame' in their order:
    all columns but `expression`. The first frame of a sequence is neutral, its last `apex` are the apex."""
    table = pd.DataFrame({"frame_id": list(frame_ids)})
    parts = table["frame_id"].str.split("/", expand=True)
    table["subject"] = parts[0]
    table["sequence"] = parts[0] + "/" + parts[1]
    by_sequence = table.groupby("sequence", sort=False)
    table["position"] = by_sequence.cumcount()
    from_end = by_sequence["frame_id"].transform("size") - table["position"]
    table["phase"] = "onset"
    table.loc[from_end <= apex, "phase"] = "apex"
    table.loc[table["position"] == 0, "phase"] = "neutral"
    return table


def read_image(path: Path, frame_id: str) -> np.ndarray:
    """(H, W, 3), uint8, RGB.

    Raises:
        FrameError: the file is missing, empty, truncated or no image; names it.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        size = path.stat().st_size if path.exists() else None
        reason = "is missing" if size is None else "is empty" if size == 0 else f"is damaged ({error})"
        raise FrameError(f"{path} {reason}", [frame_id]) from error


def content_fingerprint(files: Iterable[tuple[str, Path]], extra: str = "") -> str:
    """A hash of the files' relative names and bytes, in the given order, and of `extra`: labels, classes."""
    digest = hashlib.sha256(extra.encode())
    for name, path in files:
        digest.update(name.encode() + b"\0")
        try:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError as error:
            raise FrameError(f"{path} cannot be read: {error.strerror or error}", [name]) from error
    return digest.hexdigest()[:24]
