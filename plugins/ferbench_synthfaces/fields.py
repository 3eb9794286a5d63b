"""The factors of a batch as tensors, and the smooth functions with which everything is drawn.

They use only + - * /, square root, minimum, maximum and comparisons, for which IEEE arithmetic gives bitwise equal results on
every machine.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor


class Face:
    """The factors of a batch of B faces. `face("yaw")` is the factor of that name, (B, 1, 1); missing ones are 0."""

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
        """Rows of pixels that can contain a feature between two heights of the head, however the heads are turned. Drawing is
        restricted to them to save time. Features are 0 outside, so that a larger window gives the same pixels."""
        return self._pixels(top - self.margin, bottom + self.margin)

    def middle(self, reach: float) -> slice:
        """Columns of pixels within the distance `reach` from the middle of the head."""
        return self._pixels(-reach - self.margin, reach + self.margin)

    def half(self, sign: int) -> slice:
        """Columns of pixels of the image-left (-1) or image-right (1) half of the head."""
        return self._pixels(-1, self.margin) if sign < 0 else self._pixels(-self.margin, 1)

    def _pixels(self, low: float, high: float) -> slice:
        def index(x: float) -> int:
            return min(max(int((x + 1) / 2 * self.size), 0), self.size)

        return slice(index(low), max(index(high) + 1, index(low) + 1))

    def __call__(self, name: str) -> Tensor:
        return self.values.get(name, self.zero)

    def au(self, number: int) -> Tensor:
        """Intensity of an action unit, (B, 1, 1), 0 to 1."""
        return self(f"au{number}")

    def who(self, name: str) -> Tensor:
        """An identity coefficient, (B, 1, 1), -1 to 1."""
        return self(f"id_{name}")


def step(distance: Tensor, width: float | Tensor) -> Tensor:
    """0 for distance < -width, 1 for distance > width, smooth in between."""
    t = (distance / (2 * width) + 0.5).clamp(0, 1)
    return t * t * (3 - 2 * t)


def root(x: Tensor) -> Tensor:
    """The square root, rounded as IEEE asks. torch leaves that of float32 on CPUs to MKL, whose last bit depends on the CPU; from
    float64, which has more than twice the digits, it is rounded right."""
    return x.double().sqrt().float()


def lump(u: Tensor, v: Tensor, x: Tensor | float, y: Tensor | float, a: Tensor | float, b: Tensor | float) -> Tensor:
    """A smooth hill: 1 at (x, y), and 0 outside the ellipse with half axes a and b."""
    t = (1 - ((u - x) / a) ** 2 - ((v - y) / b) ** 2).clamp(min=0)
    return t * t


def ridge(distance: Tensor, width: Tensor | float) -> Tensor:
    """A smooth ridge: 1 at distance 0, and 0 for distances beyond `width`."""
    t = (1 - (distance / width) ** 2).clamp(min=0)
    return t * t


def over(image: Tensor, colour: Tensor, mask: Tensor) -> Tensor:
    """Blend `colour` (..., 3) over `image` (..., 3) with the opacity `mask` (...), 0 to 1."""
    return image + (colour - image) * mask[..., None]


def rgb(red: Tensor, green: Tensor, blue: Tensor) -> Tensor:
    """A colour from its components: (B, 1, 1) each -> (B, 1, 1, 3)."""
    return torch.stack([red, green, blue], -1)


def sine(angle: Tensor) -> Tensor:
    """Sine by its power series, which is bitwise equal on all machines. angle: radians, between -pi/2 and pi/2."""
    square = angle * angle
    return angle * (1 - square / 6 * (1 - square / 20 * (1 - square / 42)))


def cosine(angle: Tensor) -> Tensor:
    """Cosine by its power series, see `sine`."""
    square = angle * angle
    return 1 - square / 2 * (1 - square / 12 * (1 - square / 30))
