"""Conversion of a frame of any size to a square image."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from ferbench.config.schema import Preparation
from ferbench.cores import usable_cores
from ferbench.errors import FrameError
from ferbench.interfaces.dataset import BatchImages, Dataset


@contextlib.contextmanager
def frame_errors(frame: str) -> Iterator[None]:
    """A context in which an OSError of a dataset that opens files itself becomes a FrameError."""
    try:
        yield
    except OSError as error:
        raise FrameError(f"{frame}: {error}", [frame]) from error


def read_images(dataset: Dataset, frame_ids: Sequence[str]) -> Sequence[np.ndarray | FrameError]:
    """The images of frames, or why they cannot be read, many at once."""
    if isinstance(dataset, BatchImages):
        return dataset.images(list(frame_ids))

    def one(frame: str) -> np.ndarray | FrameError:
        try:
            with frame_errors(frame):
                return dataset.image(frame)
        except FrameError as error:
            return error

    with ThreadPoolExecutor(usable_cores()) as pool:
        return list(pool.map(one, frame_ids))


def _as_it_is(image: np.ndarray, frame: str, size: int) -> np.ndarray:
    """The image unchanged, for preparation.mode=none. Raises FrameError unless it is (size, size, 3)."""
    if image.shape[:2] != (size, size):
        raise FrameError(
            f"{frame} is {image.shape[1]} x {image.shape[0]} pixels; preparation=none takes images of "
            f"preparation.image_size={size} pixels without resizing them",
            [frame],
        )
    return image


def square(image: np.ndarray | Image.Image, preparation: Preparation) -> np.ndarray:
    """Make an image square as `preparation.fit` says, and resize it (bicubic, antialiased).

    Args:
        image: (H, W, 3), uint8, RGB, or a Pillow image in RGB.

    Returns:
        (S, S, 3), uint8, with S = preparation.image_size.
    """
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
