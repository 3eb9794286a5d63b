"""Training images a second, with flip and affine, against torchvision's ImageFolder and a DataLoader of 2 workers.

Goal: over 5 times as many (the printed ratio is of times, under 0.2).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from ferbench.config.schema import Augment
from ferbench.data.batches import Batches, Images, Labels
from ferbench_synthfaces.dataset import SynthFaces
from ferbench_synthfaces.plugin import SynthFacesSettings

SIZE, BATCH, COUNT = 96, 64, 1024


def test_input(paired: Callable[..., float], tmp_path: Path) -> None:
    dataset = SynthFaces(SynthFacesSettings(subjects=22, image_size=128))
    frames = dataset.frames().iloc[:COUNT]
    images = dataset.images(frames["frame_id"].tolist())
    array = np.empty((COUNT, SIZE, SIZE, 3), np.uint8)
    for index, (image, expression) in enumerate(zip(images, frames["expression"], strict=True)):
        folder = tmp_path / expression
        folder.mkdir(exist_ok=True)
        picture = Image.fromarray(image)
        picture.save(folder / f"{index}.jpg", quality=90)
        array[index] = np.asarray(picture.resize((SIZE, SIZE)))

    transform = transforms.Compose(
        [
            transforms.Resize((SIZE, SIZE)),
            transforms.RandomHorizontalFlip(),
            transforms.RandomAffine(8, (0.05, 0.05), (0.92, 1.08), interpolation=transforms.InterpolationMode.BILINEAR),
            transforms.ToTensor(),
            transforms.Normalize((0.5,) * 3, (0.5,) * 3),
        ]
    )
    loader = DataLoader(
        ImageFolder(str(tmp_path), transform), BATCH, shuffle=True, num_workers=2, persistent_workers=True
    )
    rows = torch.arange(COUNT)
    ours_batches = Batches(
        Images(array, torch.device("cpu")),
        Labels(rows, rows % 6, rows % 22),
        Augment(brightness=0, contrast=0),
        BATCH,
        (0,),
    )

    def ours() -> None:
        for step in range(COUNT // BATCH):
            ours_batches(step)

    def theirs() -> None:
        for _ in loader:
            pass

    paired(
        f"{COUNT} images at {SIZE} px with flip and affine: ferbench / ImageFolder and DataLoader",
        ours,
        theirs,
        rounds=5,
    )
