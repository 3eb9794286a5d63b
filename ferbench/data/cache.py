"""Frames are read, made square and resized once, and kept as one uint8 array on disk.

The array's folder is named by what its pixels depend on: the dataset's fingerprint, the frames and the preparation.
It is written beside its place and renamed, so that it is whole or absent. Needs numpy and Pillow, no torch.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from ferbench import fingerprint
from ferbench.errors import FrameError, enumerate_first
from ferbench.interfaces.dataset import BatchImages, Dataset
from ferbench.settings import Preparation
from ferbench.store import publish

VERSION = 1
"""Raised when the same frame and preparation give other pixels."""

CHUNK = 64


@dataclass(frozen=True)
class Prepared:
    """Images of a dataset, ready for training.

    Attributes:
        images: (N, S, S, 3), uint8, memory-mapped.
        rows: row of each frame_id.
        bad: frames that could not be read, with the reason (empty unless preparation.bad_frames=skip).
    """

    images: np.ndarray
    rows: dict[str, int]
    bad: dict[str, str]


def cache_folder(setting: str) -> Path:
    """`cache_dir`, else FERBENCH_CACHE, else the user's cache folder."""
    if setting or os.environ.get("FERBENCH_CACHE"):
        return Path(setting or os.environ["FERBENCH_CACHE"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ferbench"


def neutral_frames(frames: pd.DataFrame, selected: pd.DataFrame) -> pd.Series:
    """For each selected frame the frame_id of a neutral face of its subject, missing where there is none.

    It is the first neutral frame of its own sequence, else the subject's first.
    """
    neutral = frames[frames["phase"] == "neutral"].sort_values(["sequence", "position"])
    of_sequence = neutral.drop_duplicates("sequence").set_index("sequence")["frame_id"]
    of_subject = neutral.drop_duplicates("subject").set_index("subject")["frame_id"]
    return selected["sequence"].map(of_sequence).fillna(selected["subject"].map(of_subject))


def needed_frames(frames: pd.DataFrame, selected: pd.DataFrame) -> list[str]:
    """Identifiers of the selected frames and of their neutral faces, each once."""
    return list(dict.fromkeys([*selected["frame_id"], *neutral_frames(frames, selected).dropna()]))


def prepare(
    dataset: Dataset,
    dataset_key: str,
    frames: pd.DataFrame,
    selected: pd.DataFrame,
    preparation: Preparation,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Prepared:
    """The prepared images of the selected frames and of their neutral faces, from the cache or made now.

    Args:
        dataset_key: the dataset's fingerprint.
        frames, selected: the whole frame table, and the frames that count.
        progress: told (images done, images in all).

    Raises:
        FrameError: frames are missing or damaged, and preparation.bad_frames is "error"; all are named or counted.
    """
    frame_ids = needed_frames(frames, selected)
    key = fingerprint.digest([VERSION, dataset_key, frame_ids, asdict(preparation)], 24)
    place = folder / "images" / key
    if not (place / "frames.json").is_file():
        _make(dataset, frame_ids, preparation, place, progress)
    listed = json.loads((place / "frames.json").read_text(encoding="utf-8"))
    images = np.load(place / "images.npy", mmap_mode="r")
    return Prepared(images, {frame: row for row, frame in enumerate(listed["frames"])}, listed["bad"])


def _make(
    dataset: Dataset,
    frame_ids: Sequence[str],
    preparation: Preparation,
    place: Path,
    progress: Callable[[int, int], None],
) -> None:
    draft = place.with_name(f".{place.name}-{os.getpid()}-{uuid.uuid4().hex[:6]}")
    draft.mkdir(parents=True)
    size = preparation.image_size
    bad: dict[str, str] = {}
    try:
        array = np.lib.format.open_memmap(
            draft / "images.npy", mode="w+", dtype=np.uint8, shape=(len(frame_ids), size, size, 3)
        )
        good: list[str] = []
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(frame_ids), CHUNK):
                chunk = frame_ids[start : start + CHUNK]
                for frame, image in zip(chunk, _read(dataset, chunk, preparation, pool), strict=True):
                    if isinstance(image, str):
                        bad[frame] = image
                    else:
                        array[len(good)] = image
                        good.append(frame)
                progress(start + len(chunk), len(frame_ids))
        if bad and preparation.bad_frames == "error":
            raise FrameError(
                f"{len(bad)} of {len(frame_ids)} frames cannot be read: {enumerate_first(bad.values(), 3)}. Mend the copy, "
                "or leave them out with preparation.bad_frames=skip; they are then counted in every record.",
                bad,
            )
        array.flush()
        del array
        (draft / "frames.json").write_text(json.dumps({"frames": good, "bad": bad}), encoding="utf-8")
        publish(draft, place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _read(
    dataset: Dataset, frame_ids: Sequence[str], preparation: Preparation, pool: ThreadPoolExecutor
) -> list[np.ndarray | str]:
    """The prepared images, or for a bad frame the reason."""
    if isinstance(dataset, BatchImages):
        return list(pool.map(lambda image: square(image, preparation), dataset.images(list(frame_ids))))

    def one(frame: str) -> np.ndarray | str:
        try:
            return square(dataset.image(frame), preparation)
        except FrameError as error:
            return str(error)

    return list(pool.map(one, frame_ids))


def square(image: np.ndarray, preparation: Preparation) -> np.ndarray:
    """(H, W, 3) uint8 -> (S, S, 3) uint8: made square as `fit` says, then resized (bicubic, antialiased)."""
    height, width = image.shape[:2]
    side = min(height, width)
    if preparation.fit == "crop":
        top, left = (height - side) // 2, (width - side) // 2
        image = image[top : top + side, left : left + side]
    elif preparation.fit == "pad":
        larger = max(height, width)
        canvas = np.zeros((larger, larger, 3), np.uint8)
        top, left = (larger - height) // 2, (larger - width) // 2
        canvas[top : top + height, left : left + width] = image
        image = canvas
    size = preparation.image_size
    if image.shape[:2] == (size, size):
        return image
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))
