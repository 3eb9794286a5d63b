"""The cache of prepared images: frames are read and cropped or aligned once, and stored as one uint8 array on disk.

The name of the array's folder is a digest of all that its pixels depend on: the dataset's fingerprint, the frames, the
preparation settings and the detector. The array is written chunk by chunk into a hidden folder, which is renamed when it is
complete. An interrupted preparation continues with the next chunk. One process prepares the images and the others wait for
it. The SHA-256 of each chunk is kept, and compared where a process first uses the array. This module uses numpy and Pillow, not
torch.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ferbench.config.schema import Preparation
from ferbench.cores import usable_cores
from ferbench.data.align import align
from ferbench.data.frames import needed_frames
from ferbench.data.images import _as_it_is, frame_errors, square
from ferbench.errors import FerbenchError, FrameError, enumerate_first
from ferbench.files import draft_of, move, publish
from ferbench.hashing import digest
from ferbench.interfaces.dataset import BatchImages, Dataset, Landmarks, Pictures
from ferbench.interfaces.detector import Detector
from ferbench.records.index import Stamp, stamp
from ferbench.records.lease import lease
from ferbench.records.seals import CHANGED, seal, unseal

VERSION = 2
"""Version of the preparation. Raise it when a change of the code gives other pixels for the same frame and settings."""

CHUNK = 256
"""Number of frames after which the progress is saved."""

IMAGES, FRAMES, CHUNKS = "images.npy", "frames.json", "chunks.jsonl"

_whole: dict[Path, Stamp | None] = {}
"""Arrays that this process has compared with their checksums, and found whole."""


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
    tell: Callable[[str], None] = lambda sentence: None,
    clip: int = 0,
) -> Prepared:
    """The prepared images of the selected frames, of their neutral faces and of their clips, read from the cache or prepared now.

    Args:
        dataset_key: the dataset's fingerprint.
        frames: the whole frame table.
        selected: the rows of the frame table that the protocol uses.
        folder: the cache folder.
        progress: called with (number of prepared images, total number).
        detector: finds faces for preparation.mode=align in frames for which the dataset has no landmarks.
        tell: called with a sentence if prepared images are damaged, and are prepared again.
        clip: number of frames of a clip; 0 for none.

    Raises:
        FrameError: frames cannot be read and preparation.bad_frames is "error", or no face was found in some and
            preparation.no_face is "error". The text gives their number and names the first ones.
        FerbenchError: landmarks are needed and there is no detector, or the images cannot be written.
    """
    frame_ids = needed_frames(frames, selected, clip)
    settings = asdict(preparation)
    if preparation.mode != "align":
        detector = None
        settings = {k: v for k, v in settings.items() if k not in ("detector", "margin", "no_face")}
    key = digest([VERSION, dataset_key, frame_ids, settings, detector.key if detector else ""], 24)
    target = folder / "images" / key
    found = _stored(target)
    if isinstance(found, Prepared):
        return found
    with _written_in_words(folder):
        target.parent.mkdir(parents=True, exist_ok=True)
        with lease(target.with_name(f".{key}.lease.json")):
            found = _stored(target)
            if isinstance(found, Prepared):
                return found
            if target.exists():
                tell(f"the prepared images in {target} are damaged ({found}) and are prepared again")
                hidden = draft_of(target)
                move(target, hidden)
                shutil.rmtree(hidden, ignore_errors=True)
            _make(dataset, frame_ids, preparation, detector, target, progress)
    found = _stored(target)
    if not isinstance(found, Prepared):
        raise FerbenchError(f"The prepared images in {target} cannot be read: {found}.")
    return found


def _stored(target: Path) -> Prepared | str:
    """The images in a folder, or why they cannot be used."""
    try:
        listed = unseal((target / FRAMES).read_text(encoding="utf-8"))
        images = np.load(target / IMAGES, mmap_mode="r")
        if (of := listed.get("of", target.name)) != target.name:
            return f"it is {of}"
        now = stamp(str(target / IMAGES))
        if _whole.get(target) != now:
            _compare(images, listed.get("chunks"))
            _whole[target] = now
        return Prepared(images, listed["rows"], listed["bad"], tuple(listed["missed"]))
    except FileNotFoundError as error:
        return f"it has no {Path(error.filename).name}"
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        return str(error)


def _compare(images: np.ndarray, sums: Sequence[str] | None) -> None:
    """Raise ValueError if the array is not what was written. `sums`: SHA-256 of its chunks; None for arrays of earlier versions."""
    if sums is None:
        return
    with ThreadPoolExecutor(usable_cores()) as pool:
        found = list(pool.map(lambda start: _sha256(images[start : start + CHUNK]), range(0, len(images), CHUNK)))
    if found != list(sums):
        raise ValueError(f"{IMAGES}: {CHANGED}")


def _sha256(images: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()


@contextmanager
def _written_in_words(folder: Path) -> Iterator[None]:
    """Raise FerbenchError where images cannot be written."""
    try:
        yield
    except OSError as error:
        if error.filename is not None and not Path(os.fsdecode(error.filename)).is_relative_to(folder):
            raise  # of the dataset
        raise FerbenchError(
            f"The prepared images cannot be written to {folder}: {error.strerror or error}. Choose another folder with "
            "cache_dir=FOLDER; what is prepared is kept."
        ) from error


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
    path = part / IMAGES
    try:
        array = np.lib.format.open_memmap(path, "r+")
    except (OSError, ValueError, EOFError):
        array = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    done = _progress(part / CHUNKS, array)
    place = array.offset
    del array  # written through a file: a full disk would end a process that writes to a map
    bad: dict[str, str] = {}
    missed: list[str] = []
    reader = _Reader(dataset, preparation, detector)
    # threads are enough: decoding, resizing and detection release the global interpreter lock
    with (
        ThreadPoolExecutor(usable_cores()) as pool,
        (part / CHUNKS).open("a", encoding="utf-8") as log,
        path.open("r+b") as file,
    ):
        for start in range(0, len(frame_ids), CHUNK):
            chunk = frame_ids[start : start + CHUNK]
            if start not in done:
                pixels = np.zeros((len(chunk), *shape[1:]), np.uint8)
                done[start] = {"start": start, "bad": {}, "missed": []}
                for row, (frame, image, face) in enumerate(reader.read(chunk, pool)):
                    if isinstance(image, np.ndarray):
                        pixels[row] = image
                    else:
                        done[start]["bad"][frame] = image
                    if not face:
                        done[start]["missed"].append(frame)
                done[start]["sha256"] = _sha256(pixels)
                file.seek(place + start * pixels[0].nbytes)
                file.write(pixels.data)
                file.flush()
                os.fsync(file.fileno())
                log.write(json.dumps(done[start]) + "\n")
                log.flush()
            bad |= done[start]["bad"]
            missed += done[start]["missed"]
            progress(start + len(chunk), len(frame_ids))
    try:
        _refuse(bad, missed, len(frame_ids), preparation)
    except FrameError:
        shutil.rmtree(part)
        raise
    left_out = set(bad) | (set(missed) if preparation.no_face == "skip" else set())
    rows = {frame: row for row, frame in enumerate(frame_ids) if frame not in left_out}
    sums = [done[start]["sha256"] for start in range(0, len(frame_ids), CHUNK)]
    listed = {"rows": rows, "bad": bad, "missed": missed, "chunks": sums, "of": target.name}
    (part / FRAMES).write_text(seal(json.dumps(listed)), encoding="utf-8")
    (part / CHUNKS).unlink()
    publish(part, target)


def _progress(path: Path, images: np.ndarray) -> dict[int, dict[str, Any]]:
    """The finished chunks of an interrupted preparation, by their first row: bad frames with reasons, frames without a face, and
    the SHA-256 of the pixels, which is that of `images`."""
    done: dict[int, dict[str, Any]] = {}
    if not path.is_file():
        return done
    for line in path.read_bytes().splitlines():
        with suppress(ValueError, KeyError, TypeError):  # an incomplete last line
            chunk = json.loads(line)
            if chunk["sha256"] == _sha256(images[chunk["start"] : chunk["start"] + CHUNK]):
                done[chunk["start"]] = chunk
    return done


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
