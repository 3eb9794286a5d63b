"""What golden runs work on: synthfaces' frames at 32 px, whose pixels are the same on every machine, through the data path."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ferbench import DatasetCard, Task
from ferbench.config.schema import Augment
from ferbench.data.batches import Batches, Images, Labels
from ferbench.data.frames import needed_frames, neutral_frames
from ferbench.interfaces.dataset import Dataset
from ferbench.interfaces.method import Batch
from ferbench.protocols.select import select
from ferbench.registry.loader import load_registry

SIZE = 32
BATCH = 16
SEED = 0
CPU = torch.device("cpu")


@functools.cache
def synthfaces() -> tuple[DatasetCard, Dataset, pd.DataFrame, pd.DataFrame]:
    """(card, dataset, its frame table, the selected frames): four subjects, seven expressions, three frames of each."""
    card = load_registry().get(DatasetCard, "synthfaces")
    dataset = card.load()(card.settings(subjects=4, takes=1, image_size=SIZE))
    frames = dataset.frames()
    return card, dataset, frames, select(frames, card, "auto")


@functools.cache
def pixels() -> tuple[np.ndarray, dict[str, int]]:
    """((N, S, S, 3), uint8; the row of each frame_id)."""
    _, dataset, frames, selected = synthfaces()
    names = needed_frames(frames, selected)
    return np.stack([dataset.image(name) for name in names]), {name: row for row, name in enumerate(names)}


def task() -> Task:
    card, _, _, selected = synthfaces()
    return Task(card.expressions, tuple(sorted(selected["subject"].unique())), SIZE, SEED)


def batches(neutral: bool, augment: Augment | None = None) -> Batches:
    """The batches of a training, as a trial makes them; `neutral`: with neutral faces."""
    _, _, frames, selected = synthfaces()
    array, rows = pixels()
    own = task()

    def codes(values: pd.Series, names: tuple[str, ...]) -> torch.Tensor:
        return torch.tensor([names.index(value) for value in values])

    labels = Labels(
        rows=torch.tensor([rows[name] for name in selected["frame_id"]]),
        expression=codes(selected["expression"], own.expressions),
        subject=codes(selected["subject"], own.subjects),
        neutral=torch.tensor([rows[name] for name in neutral_frames(frames, selected)]) if neutral else None,
    )
    return Batches(Images(array, CPU), labels, augment or Augment(), BATCH, (SEED, "golden"))


def batch(step: int, neutral: bool = False) -> Batch:
    """A batch in float64, not augmented: every pixel is one of 256 levels, the same on every machine."""
    drawn = batches(neutral, Augment(0, 0, 0, 0, 0, 0))(step)

    def levels(images: Tensor) -> Tensor:
        return ((images.double() + 1) * 127.5).round() / 127.5 - 1

    return Batch(
        levels(drawn.images), drawn.expression, drawn.subject, None if drawn.neutral is None else levels(drawn.neutral)
    )
