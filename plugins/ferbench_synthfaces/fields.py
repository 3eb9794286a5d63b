"""The factors of a batch as tensors, and the smooth functions that everything is drawn with.

Only + - * /, square root, minimum, maximum and comparisons: IEEE arithmetic gives the same bits on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor


class Face:
    """The factors of a batch, each (B, 1, 1), by attribute-like access; missing ones are 0."""

    def __init__(self, factors: Mapping[str, np.ndarray], size: int, device: torch.device) -> None:
        self.device = device
        self.values = {
            name: torch.from_numpy(np.ascontiguousarray(column, np.float32)).to(device).view(-1, 1, 1)
            for name, column in factors.items()
        }
        self.count = len(next(iter(self.values.values())))
        self.zero = torch.zeros((self.count, 1, 1), device=device)
        self.size = size
        turned = max(
            float(abs(columns).max()) for columns in (factors.get(n, np.zeros(1)) for n in ("roll", "pitch", "yaw"))
        )
        self.margin = 0.06 + 1.1 * turned

    def window(self, top: float, bottom: float) -> slice:
        """Rows of pixels in which a feature between two heights of the head can be, however the heads are turned. What is
        drawn in it is nothing outside, so a larger window gives the same pixels."""
        return self._pixels(top - self.margin, bottom + self.margin)

    def middle(self, reach: float) -> slice:
        """Columns within `reach` of the middle of the head."""
        return self._pixels(-reach - self.margin, reach + self.margin)

    def half(self, sign: int) -> slice:
        """Columns of the left (-1) or right (1) half of the head."""
        return self._pixels(-1, self.margin) if sign < 0 else self._pixels(-self.margin, 1)

    def _pixels(self, low: float, high: float) -> slice:
        def index(x: float) -> int:
            return min(max(int((x + 1) / 2 * self.size), 0), self.size)

        return slice(index(low), max(index(high) + 1, index(low) + 1))

    def __call__(self, name: str) -> Tensor:
        return self.values.get(name, self.zero)

    def au(self, number: int) -> Tensor:
        return self(f"au{number}")

    def who(self, name: str) -> Tensor:
        return self(f"id_{name}")


def step(distance: Tensor, width: float | Tensor) -> Tensor:
    """0 where distance < -width, 1 where distance > width, smooth between."""
    t = (distance / (2 * width) + 0.5).clamp(0, 1)
    return t * t * (3 - 2 * t)


def lump(u: Tensor, v: Tensor, x: Tensor | float, y: Tensor | float, a: Tensor | float, b: Tensor | float) -> Tensor:
    """A smooth hill of height 1 at (x, y) that ends on the ellipse of half axes a, b."""
    t = (1 - ((u - x) / a) ** 2 - ((v - y) / b) ** 2).clamp(min=0)
    return t * t


def ridge(distance: Tensor, width: Tensor | float) -> Tensor:
    """A smooth ridge of height 1 along distance = 0."""
    t = (1 - (distance / width) ** 2).clamp(min=0)
    return t * t


def over(image: Tensor, colour: Tensor, mask: Tensor) -> Tensor:
    """Paint `colour` (.., 3) where the mask is 1."""
    return image + (colour - image) * mask[..., None]


def rgb(red: Tensor, green: Tensor, blue: Tensor) -> Tensor:
    """(B, 1, 1) each -> (B, 1, 1, 3)."""
    return torch.stack([red, green, blue], -1)


def sine(angle: Tensor) -> Tensor:
    """For angles within a right angle, by its series: the same bits everywhere."""
    square = angle * angle
    return angle * (1 - square / 6 * (1 - square / 20 * (1 - square / 42)))


def cosine(angle: Tensor) -> Tensor:
    square = angle * angle
    return 1 - square / 2 * (1 - square / 12 * (1 - square / 30))
