"""Augmentation of a batch, image by image: ours, torchvision's and kornia's, if installed. `python benchmarks/transforms.py`.

Crop, colours, blur and erasing of 64 images of 96 x 96 on one CPU core, medians of TIMES, taken in turn.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec

import torch
from torchvision.transforms import v2

from ferbench.blocks.transforms import Blur, ColourJitter, CropResize, Erase

IMAGES, SIZE, TIMES = 64, 96, 12


def ways() -> dict[str, Callable[[torch.Tensor], object]]:
    ours = [CropResize(), ColourJitter(), Blur(p=1.0), Erase()]
    theirs = v2.Compose(
        [
            v2.RandomResizedCrop(SIZE, (0.5, 1.0)),
            v2.ColorJitter(0.4, 0.4, 0.4),
            v2.GaussianBlur(7, (0.1, 1.5)),
            v2.RandomErasing(0.5),
        ]
    )

    def by_us(images: torch.Tensor) -> torch.Tensor:
        for transform in ours:
            images = transform(images)
        return images

    found: dict[str, Callable[[torch.Tensor], object]] = {
        "ours": by_us,
        "torchvision, image by image": lambda images: torch.stack([theirs(image) for image in images]),
        "torchvision, one draw for all": theirs,
    }
    if find_spec("kornia") is not None:
        from kornia import augmentation as K

        found["kornia"] = K.AugmentationSequential(
            K.RandomResizedCrop((SIZE, SIZE), (0.5, 1.0)),
            K.ColorJitter(0.4, 0.4, 0.4, p=1.0),
            K.RandomGaussianBlur((7, 7), (0.1, 1.5), p=1.0),
            K.RandomErasing(p=0.5),
        )
    return found


def main() -> None:
    torch.set_num_threads(1)
    images = torch.rand(IMAGES, 3, SIZE, SIZE)
    seconds: dict[str, list[float]] = {name: [] for name in ways()}
    for _ in range(TIMES + 1):
        for name, way in ways().items():
            start = time.perf_counter()
            way(images)
            seconds[name].append(time.perf_counter() - start)
    for name, taken in seconds.items():
        print(f"{name:<30} {1000 * statistics.median(taken[1:]):.0f} ms")  # the first one warms up


if __name__ == "__main__":
    main()
