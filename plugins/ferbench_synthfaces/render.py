"""Faces from factors: smooth masks over a shaded head, in batches. float32 numpy.

Coordinates: x to the right, y down, both from -1 to 1; the head's centre is at (0, 0.05).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray


def render(factors: Mapping[str, Array], size: int) -> Array:
    """factors: columns of the frame table, each (B,). Gives (B, size, size, 3), uint8."""
    f = {name: np.asarray(values, np.float32)[:, None, None] for name, values in factors.items()}
    grid = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    x, y = grid[None, None, :], grid[None, :, None]
    x = x - 0.04 * f["yaw"]
    y = y - 0.03 * f["pitch"]
    soft = np.float32(2.5 / size)

    def inside(distance: Array) -> Array:
        return np.clip(0.5 - distance / (2 * soft), 0, 1)

    def au(number: int) -> Array:
        return f[f"au{number}"]

    def identity(name: str) -> Array:
        return f[f"id_{name}"]

    # head
    drop = 0.10 * au(26)
    half_width = 0.62 + 0.06 * identity("width") - 0.10 * np.clip(y, 0, 1) * (1.2 - identity("jaw"))
    half_height = 0.82 + 0.05 * identity("height") + 0.5 * drop
    radius = np.sqrt((x / half_width) ** 2 + ((y - 0.05 - 0.4 * drop) / half_height) ** 2)
    head = inside((radius - 1) * 0.6)
    depth = np.sqrt(np.clip(1 - radius**2, 0, 1))
    shade = 0.55 + 0.45 * depth + 0.18 * f["light"] * x
    tone = 0.62 + 0.22 * identity("skin")
    red = np.stack(np.broadcast_arrays(tone * 1.12, tone * (0.88 + 0.04 * identity("skin_hue")), tone * 0.74), -1)
    image = np.broadcast_to(
        np.asarray([0.35, 0.38, 0.42], np.float32), (*np.broadcast_shapes(x.shape, y.shape), 3)
    ).copy()
    image = _over(image, red * np.clip(shade, 0, 1.25)[..., None], head)

    # hair
    hair = head * inside(y + 0.55 + 0.1 * identity("hairline") + 0.15 * x**2)
    dark = 0.12 + 0.12 * (1 + identity("hair"))
    colour = np.stack(np.broadcast_arrays(dark * 1.2, dark * (0.9 + 0.1 * identity("hair_hue")), dark * 0.7), -1)
    image = _over(image, np.broadcast_to(colour, image.shape), hair)

    # eyes and brows, left and right
    raise_inner, raise_outer, lower = au(1), au(2), au(4)
    for side in (-1, 1):
        ex = side * (0.27 + 0.03 * identity("eye_distance"))
        ey = -0.10 + 0.03 * identity("eye_height")
        open_ = 0.065 + 0.012 * identity("eye_size") + 0.035 * au(5) - 0.025 * au(7) - 0.02 * au(6) - 0.02 * au(9)
        wide = 0.125 + 0.015 * identity("eye_size")
        u, v = (x - ex) / wide, (y - ey) / np.clip(open_, 0.012, 1)
        eye = inside((np.sqrt(u**2 + v**2) - 1) * 0.06)
        image = _over(image, np.asarray([0.93, 0.93, 0.92], np.float32), eye)
        iris = inside(np.sqrt((x - ex - 0.02 * f["yaw"]) ** 2 + (y - ey) ** 2) - 0.055) * eye
        iris_colour = np.stack(
            np.broadcast_arrays(
                0.2 + 0.1 * identity("iris"), 0.22 + 0.05 * identity("iris"), 0.25 - 0.1 * identity("iris")
            ),
            -1,
        )
        image = _over(image, np.broadcast_to(iris_colour, image.shape), iris)
        pupil = inside(np.sqrt((x - ex - 0.02 * f["yaw"]) ** 2 + (y - ey) ** 2) - 0.025) * eye
        image = _over(image, np.asarray([0.03, 0.03, 0.03], np.float32), pupil)
        inner = np.clip(1 - (side * (x - ex) + 0.15) / 0.3, 0, 1)
        by = ey - 0.17 - 0.02 * identity("brow_height") + 0.05 * identity("brow_tilt") * (inner - 0.5)
        by = by - 0.10 * raise_inner * inner - 0.10 * raise_outer * (1 - inner) + 0.09 * lower * (0.3 + 0.7 * inner)
        by = by + 0.05 * au(9) * inner - 0.03 * (1 - (2 * inner - 1) ** 2)
        thick = 0.022 + 0.008 * identity("brow_thickness")
        brow = inside(np.maximum(np.abs(y - by) - thick, np.abs(x - ex * (1 - 0.06 * lower)) - 0.17))
        image = _over(image, np.broadcast_to(colour, image.shape), 0.9 * brow)
    furrow = inside(np.abs(np.abs(x) - 0.05) - 0.008) * inside(np.abs(y + 0.22) - 0.07)
    image = _darken(image, 0.5 * lower * furrow)

    # nose
    ny = 0.22 + 0.04 * identity("nose_length") - 0.03 * au(9)
    nw = 0.09 + 0.02 * identity("nose_width") + 0.02 * au(9)
    nose = inside(np.abs(np.sqrt((x / nw) ** 2 + ((y - ny) / 0.06) ** 2) - 1) * 0.06 - 0.012) * inside(ny - y)
    image = _darken(image, 0.45 * nose)
    wrinkle = (
        inside(np.abs(np.sin((y + 0.02) * 45)) * 0.02 - 0.006)
        * inside(np.abs(x) - 0.07)
        * inside(np.abs(y - 0.02) - 0.08)
    )
    image = _darken(image, 0.6 * au(9) * wrinkle)
    fold_x = 0.17 + 0.25 * (y - 0.2) + 0.05 * au(12)
    fold = inside(np.abs(np.abs(x) - fold_x) - 0.010) * inside(np.abs(y - 0.32) - 0.13)
    image = _darken(image, 0.45 * np.clip(0.9 * au(12) + 0.8 * au(9) + 0.7 * au(10) + 0.5 * au(6), 0, 1) * fold)

    # mouth
    mw = 0.24 + 0.03 * identity("mouth_width") + 0.09 * au(12) + 0.09 * au(20) - 0.05 * au(23) - 0.07 * au(26)
    my = 0.50 + 0.03 * identity("mouth_height") + 0.4 * drop - 0.03 * au(17) - 0.02 * au(10)
    t = np.clip(np.abs(x) / mw, 0, 1)
    bend = -0.16 * au(12) + 0.12 * au(15) + 0.03 * au(20)
    middle = my + bend * t**2 - 0.4 * bend * 0.5
    profile = np.sqrt(np.clip(1 - t**2, 0, 1))
    gap = (0.03 * au(25) + 0.17 * au(26) + 0.03 * au(12) * au(25)) * profile
    full = (0.035 + 0.012 * identity("lip_fullness")) * (1 - 0.6 * au(23)) * (1 - 0.3 * au(20))
    upper = full * profile * (1 + 0.3 * au(10))
    reach = np.abs(x) - mw
    lips = inside(
        np.maximum(np.maximum(middle - gap * 0.4 - upper - y, y - middle - gap - 1.3 * full * profile), reach)
    )
    lip = np.stack(np.broadcast_arrays(tone * 0.95, tone * 0.52, tone * 0.50), -1)
    image = _over(image, np.broadcast_to(lip, image.shape), 0.9 * lips)
    cavity = inside(np.maximum(np.maximum(middle - gap * 0.4 - y, y - middle - gap), reach)) * (gap > 0.004)
    image = _over(image, np.asarray([0.18, 0.06, 0.07], np.float32), cavity)
    teeth = cavity * inside(y - middle + gap * 0.4 - np.minimum(0.05, 0.6 * gap + 0.4 * gap * au(12)))
    image = _over(image, np.asarray([0.92, 0.90, 0.85], np.float32), 0.95 * teeth)
    line = inside(np.maximum(np.abs(y - middle) - 0.008, reach))
    image = _darken(image, 0.6 * line * np.clip(1 - 30 * gap, 0, 1))
    chin = inside(np.abs(np.sqrt(x**2 + (y - my - 0.2) ** 2) - 0.10) - 0.012) * inside(y - my - 0.17)
    image = _darken(image, 0.45 * au(17) * chin)
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def _over(image: Array, colour: Any, mask: Array) -> Array:
    return image + (colour - image) * mask[..., None]


def _darken(image: Array, mask: Array) -> Array:
    return image * (1 - mask[..., None])
