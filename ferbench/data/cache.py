"""Frames are read, made square or aligned once, and kept as one uint8 array on disk.

The array's folder is named by what its pixels depend on: the dataset's fingerprint, the frames, the preparation and the
detector. It grows in a hidden folder beside its place, chunk by chunk, so that an interrupted preparation goes on where it
stopped, and is renamed when it is whole. One process prepares; others wait for it. Needs numpy and Pillow, no torch.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from ferbench import fingerprint
from ferbench.data.align import align
from ferbench.errors import FerbenchError, FrameError, enumerate_first
from ferbench.interfaces.dataset import BatchImages, Dataset, Landmarks, Pictures
from ferbench.interfaces.detector import Detector
from ferbench.settings import Preparation
from ferbench.store import lease, publish

VERSION = 2
"""Raised when the same frame and preparation give other pixels."""

CHUNK = 256
"""Frames after which progress is on disk."""


@dataclass(frozen=True)
class Prepared:
    """Images of a dataset, ready for training.

    Attributes:
        images: (N, S, S, 3), uint8, memory-mapped.
        rows: row of each frame_id.
        bad: frames that could not be read, with the reason (empty unless preparation.bad_frames=skip).
        missed: frames without a face (empty unless preparation.no_face is resize or skip).
    """

    images: np.ndarray
    rows: dict[str, int]
    bad: dict[str, str]
    missed: tuple[str, ...] = ()

    def notes(self) -> list[str]:
        """Sentences for the record: what was left out or could not be aligned."""
        found = []
        if self.bad:
            found.append(f"{len(self.bad)} frames cannot be read and were left out: {enumerate_first(self.bad)}.")
        if self.missed:
            what = "resized instead" if self.missed[0] in self.rows else "left out"
            found.append(
                f"In {len(self.missed)} frames no face was found; they were {what}: {enumerate_first(self.missed)}."
            )
        return found


@dataclass(frozen=True)
class Finder:
    """A detector that is made when the first frame needs it; `key` is its card's name and version."""

    key: str
    make: Callable[[], Detector]


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
    finder: Finder | None = None,
) -> Prepared:
    """The prepared images of the selected frames and of their neutral faces, from the cache or made now.

    Args:
        dataset_key: the dataset's fingerprint.
        frames, selected: the whole frame table, and the frames that count.
        progress: told (images done, images in all).
        finder: for preparation.mode=align, what finds faces where the dataset ships no landmarks.

    Raises:
        FrameError: frames are missing or damaged and preparation.bad_frames is "error", or have no face and
            preparation.no_face is "error"; all are named or counted.
    """
    frame_ids = needed_frames(frames, selected)
    settings = asdict(preparation)
    if preparation.mode != "align":
        finder = None
        settings = {k: v for k, v in settings.items() if k not in ("detector", "margin", "no_face")}
    key = fingerprint.digest([VERSION, dataset_key, frame_ids, settings, finder.key if finder else ""], 24)
    place = folder / "images" / key
    if not (place / "frames.json").is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        with lease(place.with_name(f".{key}.lease.json")):
            if not (place / "frames.json").is_file():
                _make(dataset, frame_ids, preparation, finder, place, progress)
    listed = json.loads((place / "frames.json").read_text(encoding="utf-8"))
    images = np.load(place / "images.npy", mmap_mode="r")
    return Prepared(images, listed["rows"], listed["bad"], tuple(listed["missed"]))


def _make(
    dataset: Dataset,
    frame_ids: Sequence[str],
    preparation: Preparation,
    finder: Finder | None,
    place: Path,
    progress: Callable[[int, int], None],
) -> None:
    part = place.with_name(f".{place.name}.part")
    part.mkdir(parents=True, exist_ok=True)
    size = preparation.image_size
    shape = (len(frame_ids), size, size, 3)
    done, bad, missed = _progress(part / "chunks.jsonl")
    path = part / "images.npy"
    fresh = not done or not path.is_file()
    array = np.lib.format.open_memmap(path, "w+" if fresh else "r+", *(() if not fresh else (np.uint8, shape)))
    if fresh:
        done, bad, missed = set(), {}, []
    reader = _Reader(dataset, preparation, finder)
    # threads suffice: decoders, resizers and detectors run outside Python's lock
    with ThreadPoolExecutor(os.cpu_count()) as pool, (part / "chunks.jsonl").open("a", encoding="utf-8") as log:
        for start in range(0, len(frame_ids), CHUNK):
            chunk = frame_ids[start : start + CHUNK]
            if start not in done:
                found: dict[str, object] = {"start": start, "bad": {}, "missed": []}
                for row, (frame, image, face) in enumerate(reader.read(chunk, pool), start):
                    if isinstance(image, np.ndarray):
                        array[row] = image
                    else:
                        bad[frame] = found["bad"][frame] = image  # type: ignore[index]
                    if not face:
                        missed.append(frame)
                        found["missed"].append(frame)  # type: ignore[attr-defined]
                array.flush()
                log.write(json.dumps(found) + "\n")
                log.flush()
            progress(start + len(chunk), len(frame_ids))
    del array
    try:
        _refuse(bad, missed, len(frame_ids), preparation)
    except FrameError:
        shutil.rmtree(part)
        raise
    left_out = set(bad) | (set(missed) if preparation.no_face == "skip" else set())
    rows = {frame: row for row, frame in enumerate(frame_ids) if frame not in left_out}
    (part / "frames.json").write_text(json.dumps({"rows": rows, "bad": bad, "missed": missed}), encoding="utf-8")
    (part / "chunks.jsonl").unlink()
    publish(part, place)


def _progress(path: Path) -> tuple[set[int], dict[str, str], list[str]]:
    """What an interrupted preparation has done: starts of chunks, bad frames, frames without a face."""
    done: set[int] = set()
    bad: dict[str, str] = {}
    missed: list[str] = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                chunk = json.loads(line)
            except json.JSONDecodeError:  # cut off in the middle
                continue
            done.add(chunk["start"])
            bad |= chunk["bad"]
            missed += chunk["missed"]
    return done, bad, missed


def _refuse(bad: dict[str, str], missed: Sequence[str], count: int, preparation: Preparation) -> None:
    """Raises FrameError where bad frames or missing faces are an error."""
    if bad and preparation.bad_frames == "error":
        raise FrameError(
            f"{len(bad)} of {count} frames cannot be read: {enumerate_first(bad.values(), 3)}. Mend the copy, "
            "or leave them out with preparation.bad_frames=skip; they are then counted in every record.",
            bad,
        )
    if missed and preparation.no_face == "error":
        raise FrameError(
            f"In {len(missed)} of {count} frames no face was found: {enumerate_first(missed)}. Use preparation.no_face=resize "
            "to take them as they are, or skip to leave them out; both are counted in every record.",
            missed,
        )


class _Reader:
    """Reads and prepares frames.

    `read` gives (frame_id, prepared image or the reason why there is none, whether a face was found or not wanted).
    """

    def __init__(self, dataset: Dataset, preparation: Preparation, finder: Finder | None) -> None:
        self.dataset = dataset
        self.preparation = preparation
        self.finder = finder
        self._detector: Detector | None = None
        self._lock = threading.Lock()

    def read(self, frames: Sequence[str], pool: ThreadPoolExecutor) -> list[tuple[str, np.ndarray | str, bool]]:
        if isinstance(self.dataset, BatchImages):
            images = self.dataset.images(list(frames))
            return list(pool.map(self._one, frames, images))
        return list(pool.map(self._one, frames))

    def _one(self, frame: str, image: np.ndarray | FrameError | None = None) -> tuple[str, np.ndarray | str, bool]:
        try:
            if image is None and self.preparation.mode == "resize" and isinstance(self.dataset, Pictures):
                return frame, square(self.dataset.picture(frame, self.preparation.image_size), self.preparation), True
            image = self.dataset.image(frame) if image is None else image
            if isinstance(image, FrameError):
                raise image
            if self.preparation.mode == "none":
                return frame, _as_it_is(image, frame, self.preparation.image_size), True
            if self.preparation.mode == "align":
                landmarks = self._landmarks(frame, image)
                if landmarks is not None:
                    return frame, align(image, landmarks, self.preparation.image_size, self.preparation.margin), True
                return frame, square(image, self.preparation), False
            return frame, square(image, self.preparation), True
        except FrameError as error:
            return frame, str(error), True

    def _landmarks(self, frame: str, image: np.ndarray) -> np.ndarray | None:
        """Of the dataset, else of the largest face that the detector finds."""
        if isinstance(self.dataset, Landmarks):
            shipped = self.dataset.landmarks(frame)
            if shipped is not None:
                return shipped
        with self._lock:
            if self._detector is None:
                if self.finder is None:
                    raise FerbenchError("preparation=align needs a detector.")
                self._detector = self.finder.make()
        faces = self._detector.detect(image)
        return max(faces, key=lambda face: face.size).landmarks if faces else None


def _as_it_is(image: np.ndarray, frame: str, size: int) -> np.ndarray:
    if image.shape[:2] != (size, size):
        raise FrameError(
            f"{frame} is {image.shape[1]} x {image.shape[0]} pixels; preparation=none takes images of "
            f"preparation.image_size={size} as they are",
            [frame],
        )
    return image


def square(image: np.ndarray | Image.Image, preparation: Preparation) -> np.ndarray:
    """(H, W, 3) uint8, or a Pillow image, -> (S, S, 3) uint8: made square as `fit` says, then resized (bicubic,
    antialiased)."""
    picture = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    width, height = picture.size
    if preparation.fit == "crop":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        if width != height:
            picture = picture.crop((left, top, left + side, top + side))
    elif preparation.fit == "pad" and width != height:
        side = max(height, width)
        canvas = Image.new("RGB", (side, side))
        canvas.paste(picture, ((side - width) // 2, (side - height) // 2))
        picture = canvas
    size = (preparation.image_size, preparation.image_size)
    return np.asarray(picture if picture.size == size else picture.resize(size, Image.Resampling.BICUBIC))
