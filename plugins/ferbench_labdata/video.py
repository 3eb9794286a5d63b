"""Base class of datasets of video files, which are read with PyAV (extra `video`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ferbench import FerbenchError, FrameError, NoSuch
from ferbench.cores import usable_cores
from ferbench_labdata.base import LabDataset, Sequence_
from ferbench_labdata.files import check_size, content_fingerprint, remembered


def need_av() -> Any:
    """Import and return the module av.

    Raises:
        FerbenchError: it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise FerbenchError(
            "Videos are read with PyAV, which is missing here: pip install 'ferbench[video]'."
        ) from error
    return av


class Videos(LabDataset):
    """A dataset in which each sequence is a video. frame_id: 'sequence/index', with the index in display order from 000."""

    def video(
        self, name: str, subject: str, expression: str | None, path: Path, factors: Mapping[str, Any]
    ) -> Sequence_:
        """The sequence of a video, without its frames, which `counted` adds."""
        return Sequence_(name, subject, expression, [("", path)], factors)

    def counted(self, sequences: Sequence[Sequence_]) -> list[Sequence_]:
        """The sequences with all frames of their videos. Videos without frames are an error, or left out (see `refuse`)."""
        counts = frame_counts([s.frames[0][1] for s in sequences])
        empty = [str(s.frames[0][1]) for s, count in zip(sequences, counts, strict=True) if not count]
        self.refuse(empty, f"{{count}} video{{s}} of {self.name} cannot be read or {{are}} empty: {{items}}.")
        return [
            Sequence_(s.name, s.subject, s.expression, [(f"{i:03d}", s.frames[0][1]) for i in range(n)], s.factors)
            for s, n in zip(sequences, counts, strict=True)
            if n
        ]

    def image(self, frame_id: str) -> np.ndarray:
        (image,) = self.images([frame_id])
        if isinstance(image, FrameError):
            raise image
        return image

    def picture(self, frame_id: str, least: int) -> Image.Image:
        return Image.fromarray(self.image(frame_id))

    def images(self, frame_ids: list[str]) -> list[np.ndarray | FrameError]:
        """As `BatchImages.images`; each video is opened only once."""
        wanted: dict[Path, list[str]] = {}
        for frame_id in frame_ids:
            if frame_id not in self._files:
                raise NoSuch("frame", frame_id, self.name)
            wanted.setdefault(self._files[frame_id], []).append(frame_id)
        found: dict[str, np.ndarray | FrameError] = {}
        with ThreadPoolExecutor(usable_cores()) as pool:
            for decoded in pool.map(_decode, wanted.keys(), wanted.values()):
                found |= decoded
        return [found[frame_id] for frame_id in frame_ids]

    def fingerprint(self) -> str:
        labels = "".join(f"{s.name} {s.expression}\n" for s in self._sequences)
        files = [(s.name, s.frames[0][1]) for s in self._sequences]
        return content_fingerprint(files, extra=f"{self.name}\n{labels}")


def frame_counts(paths: Iterable[Path]) -> list[int]:
    """Number of frames of each video; 0 if it cannot be read. The result is kept by `remembered`."""
    return _of_each("frames", paths, _count)


def frame_sizes(paths: Iterable[Path]) -> list[tuple[int, int]]:
    """(width, height) of the frames of each video; (0, 0) if it cannot be read. The result is kept by `remembered`."""
    return [(width, height) for width, height in _of_each("sizes", paths, _size)]


def _of_each(what: str, paths: Iterable[Path], fact: Callable[[Path], Any]) -> list[Any]:
    listed = list(paths)
    need_av()

    def work() -> str:
        with ThreadPoolExecutor(usable_cores()) as pool:
            return json.dumps(list(pool.map(fact, listed)))

    return list(json.loads(remembered(what, [(str(path), path) for path in listed], work)))


def _count(path: Path) -> int:
    """Count the packets of a video without decoding. The count in a header is often missing (FLV) or wrong."""
    av = need_av()
    try:
        with av.open(str(path)) as container:
            return sum(1 for packet in container.demux(video=0) if packet.size)
    except (av.FFmpegError, IndexError, OSError, ValueError):
        return 0


def _size(path: Path) -> tuple[int, int]:
    av = need_av()
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            return stream.width, stream.height
    except (av.FFmpegError, IndexError, OSError, ValueError):
        return 0, 0


def _decode(path: Path, frame_ids: Sequence[str]) -> dict[str, np.ndarray | FrameError]:
    """Decode frames of one video; the last part of a frame_id is the index. Returns images or errors by frame_id."""
    av = need_av()
    indices = {int(frame_id.rpartition("/")[2]): frame_id for frame_id in frame_ids}
    found: dict[str, np.ndarray | FrameError] = {}
    reason = "ends before it"
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            check_size(path, (stream.width, stream.height), frame_ids[0])
            for index, frame in enumerate(container.decode(stream)):
                if index in indices:
                    found[indices[index]] = frame.to_ndarray(format="rgb24")
                    if len(found) == len(indices):
                        break
    except FrameError as error:
        return dict.fromkeys(frame_ids, error)
    except (av.FFmpegError, IndexError, OSError, ValueError) as error:
        missing = not path.exists()
        reason = "is missing" if missing else "is empty" if path.stat().st_size == 0 else f"is damaged ({error})"
    for index, frame_id in indices.items():
        if frame_id not in found:
            found[frame_id] = FrameError(f"{path} {reason} (frame {index})", [frame_id])
    return found
