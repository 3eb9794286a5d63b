"""Checks of datasets."""

from __future__ import annotations

import numpy as np

from ferbench.cards import DatasetCard
from ferbench.interfaces.dataset import BatchImages, Dataset, check_frames


def dataset_frames(card: DatasetCard, dataset: Dataset) -> None:
    """The frame table is valid and reproducible, and contains what the card says that the dataset provides.

    Return the columns that `Dataset.frames` lists, sort what a file system lists, and state in `provides` only what the frames
    have.
    """
    frames = check_frames(dataset.frames(), card)
    assert frames.equals(check_frames(dataset.frames(), card)), "frames() returns a different table the second time"
    if "neutral" in card.provides:
        assert (frames["phase"] == "neutral").any(), "the card provides 'neutral', but no frame has that phase"
    if "subject" in card.provides:
        assert frames["subject"].nunique() > 1, "the card provides 'subject', but there is only one subject"


def dataset_images(card: DatasetCard, dataset: Dataset) -> None:
    """Images are (H, W, 3), uint8, and depend on the frame_id only, whether they are read singly or many at once.

    Return (H, W, 3) arrays of uint8 in RGB, and keep nothing between calls that changes an image.
    """
    chosen = dataset.frames()["frame_id"].iloc[[0, -1]].tolist()
    images = [dataset.image(frame) for frame in chosen]
    for image in images:
        assert image.dtype == np.uint8, f"an image is of type {image.dtype}"
        assert image.ndim == 3, f"an image has the shape {image.shape}"
        assert image.shape[2] == 3, f"an image has the shape {image.shape}"
    again = [dataset.image(frame) for frame in reversed(chosen)][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(images, again, strict=True)), (
        "an image depends on which images were read before"
    )
    if isinstance(dataset, BatchImages):
        both = dataset.images(chosen)
        same = [isinstance(b, np.ndarray) and np.array_equal(a, b) for a, b in zip(images, both, strict=True)]
        assert all(same), "images() differs from image()"


def dataset_fingerprint(card: DatasetCard, dataset: Dataset) -> None:
    """The fingerprint is reproducible.

    Hash the content of the files in a fixed order, and neither paths nor times.
    """
    assert dataset.fingerprint() == dataset.fingerprint(), "the fingerprint changes from one call to the next"
