"""The cache of prepared images: frames are read and cropped or aligned once, and stored as one uint8 array on disk.

The name of the array's folder is a digest of all that its pixels depend on: the dataset's fingerprint, the frames, the
preparation settings and the detector. The array is written chunk by chunk into a hidden folder, which is renamed when it is
complete. An interrupted preparation continues with the next chunk. One process prepares the images and the others wait for
it. This module uses numpy and Pillow, not torch.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ferbench.config.schema import Preparation
from ferbench.cores import usable_cores
from ferbench.data.align import align
from ferbench.data.frames import needed_frames
from ferbench.data.images import _as_it_is, frame_errors, square
from ferbench.errors import FerbenchError, FrameError, enumerate_first
from ferbench.files import publish
from ferbench.hashing import digest
from ferbench.interfaces.dataset import BatchImages, Dataset, Landmarks, Pictures
from ferbench.interfaces.detector import Detector
from ferbench.records.lease import lease

VERSION = 2
"""Version of the preparation. Raise it when a change of the code gives other pixels for the same frame and settings."""

CHUNK = 256
"""Number of frames after which the progress is saved."""


@dataclass(frozen=True)
class Prepared:
    """Images of a dataset, ready for training.

    Attributes:
        images: (N, S, S, 3), uint8, RGB, memory-mapped.
        rows: index into `images` by frame_id.
        bad: reason by frame_id of the frames that could not be read; empty unless preparation.bad_frames=skip.
        missed: frame_ids of the frames in which no face was found; empty unless preparation.no_face is resize or skip.
    """

    images: np.ndarray
    rows: dict[str, int]
    bad: dict[str, str]
    missed: tuple[str, ...] = ()

    def notes(self) -> list[str]:
        """Sentences for the record about frames that were left out or could not be aligned."""
        sentences = []
        if self.bad:
            sentences.append(f"{len(self.bad)} frames cannot be read and were left out: {enumerate_first(self.bad)}.")
        if self.missed:
            what = "resized instead" if self.missed[0] in self.rows else "left out"
            sentences.append(
                f"In {len(self.missed)} frames no face was found; they were {what}: {enumerate_first(self.missed)}."
            )
        return sentences


@dataclass(frozen=True)
class LazyDetector:
    """A face detector that is created when the first frame needs it.

    Attributes:
        key: name and version of its card, on which the prepared images depend.
        make: creates the detector.
    """

    key: str
    make: Callable[[], Detector]


def prepare(
    dataset: Dataset,
    dataset_key: str,
    frames: pd.DataFrame,
    selected: pd.DataFrame,
    preparation: Preparation,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
    detector: LazyDetector | None = None,
) -> Prepared:
    """The prepared images of the selected frames and of their neutral faces, read from the cache or prepared now.

    Args:
        dataset_key: the dataset's fingerprint.
        frames: the whole frame table.
        selected: the rows of the frame table that the protocol uses.
        folder: the cache folder.
        progress: called with (number of prepared images, total number).
        detector: finds faces for preparation.mode=align in frames for which the dataset has no landmarks.

    Raises:
        FrameError: frames cannot be read and preparation.bad_frames is "error", or no face was found in some and
            preparation.no_face is "error". The text gives their number and names the first ones.
        FerbenchError: landmarks are needed and there is no detector.
    """
    frame_ids = needed_frames(frames, selected)
    settings = asdict(preparation)
    if preparation.mode != "align":
        detector = None
        settings = {k: v for k, v in settings.items() if k not in ("detector", "margin", "no_face")}
    key = digest([VERSION, dataset_key, frame_ids, settings, detector.key if detector else ""], 24)
    target = folder / "images" / key
    if not (target / "frames.json").is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        with lease(target.with_name(f".{key}.lease.json")):
            if not (target / "frames.json").is_file():
                _make(dataset, frame_ids, preparation, detector, target, progress)
    listed = json.loads((target / "frames.json").read_text(encoding="utf-8"))
    images = np.load(target / "images.npy", mmap_mode="r")
    return Prepared(images, listed["rows"], listed["bad"], tuple(listed["missed"]))


def _make(
    dataset: Dataset,
    frame_ids: Sequence[str],
    preparation: Preparation,
    detector: LazyDetector | None,
    target: Path,
    progress: Callable[[int, int], None],
) -> None:
    part = target.with_name(f".{target.name}.part")
    part.mkdir(parents=True, exist_ok=True)
    size = preparation.image_size
    shape = (len(frame_ids), size, size, 3)
    done, bad, missed = _progress(part / "chunks.jsonl")
    path = part / "images.npy"
    fresh = not done or not path.is_file()
    array = np.lib.format.open_memmap(path, "w+" if fresh else "r+", *(() if not fresh else (np.uint8, shape)))
    if fresh:
        done, bad, missed = set(), {}, []
    reader = _Reader(dataset, preparation, detector)
    # threads are enough: decoding, resizing and detection release the global interpreter lock
    with ThreadPoolExecutor(usable_cores()) as pool, (part / "chunks.jsonl").open("a", encoding="utf-8") as log:
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
    publish(part, target)


def _progress(path: Path) -> tuple[set[int], dict[str, str], list[str]]:
    """The progress of an interrupted preparation: first rows of finished chunks, bad frames with reasons, frames without a face."""
    done: set[int] = set()
    bad: dict[str, str] = {}
    missed: list[str] = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                chunk = json.loads(line)
            except json.JSONDecodeError:  # an incomplete last line
                continue
            done.add(chunk["start"])
            bad |= chunk["bad"]
            missed += chunk["missed"]
    return done, bad, missed


def _refuse(bad: dict[str, str], missed: Sequence[str], count: int, preparation: Preparation) -> None:
    """Raise FrameError if there are bad frames or missing faces and the settings say that this is an error."""
    if bad and preparation.bad_frames == "error":
        raise FrameError(
            f"{len(bad)} of {count} frames cannot be read: {enumerate_first(bad.values(), 3)}. Repair the copy, "
            "or leave them out with preparation.bad_frames=skip; every record then states their number.",
            bad,
        )
    if missed and preparation.no_face == "error":
        raise FrameError(
            f"In {len(missed)} of {count} frames no face was found: {enumerate_first(missed)}. Use preparation.no_face=resize "
            "to use them without alignment, or skip to leave them out; every record then states their number.",
            missed,
        )


class _Reader:
    """Reads and prepares frames.

    `read` returns for each frame (frame_id, prepared image or the reason why there is none, False if a face was looked for
    and not found).
    """

    def __init__(self, dataset: Dataset, preparation: Preparation, detector: LazyDetector | None) -> None:
        self.dataset = dataset
        self.preparation = preparation
        self.detector = detector
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
                with frame_errors(frame):
                    picture = self.dataset.picture(frame, self.preparation.image_size)
                return frame, square(picture, self.preparation), True
            if image is None:
                with frame_errors(frame):
                    image = self.dataset.image(frame)
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
        """(5, 2), landmarks from the dataset, else of the largest face that the detector finds; None if it finds none."""
        if isinstance(self.dataset, Landmarks):
            shipped = self.dataset.landmarks(frame)
            if shipped is not None:
                return shipped
        with self._lock:
            if self._detector is None:
                if self.detector is None:
                    raise FerbenchError(
                        "preparation=align needs a face detector for frames without landmarks, and none is installed: "
                        "pip install 'ferbench[faces]' brings one."
                    )
                self._detector = self.detector.make()
        faces = self._detector.detect(image)
        return max(faces, key=lambda face: face.size).landmarks if faces else None
