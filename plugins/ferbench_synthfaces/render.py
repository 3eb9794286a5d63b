"""Rendering of faces from factors: a shaded height field with painted features, in batches, on CPU or GPU.

A head is a smooth height field (skull, brow ridge, sockets, nose, cheeks, lips, chin, and the folds of action units), lit by one
lamp and the sky. Skin, brows, eyes with lids and iris, lips, teeth and mouth cavity, hair, beard and marks are painted on it. Edges
are smooth masks one pixel wide, which avoids rendering at a higher resolution.

Pixels are computed only with + - * /, square root, minimum, maximum and comparisons, for which IEEE arithmetic gives bitwise equal
results on every CPU. Equal seeds therefore give equal images; a GPU rounds some sums once less.

Coordinates: x to the right and y down, both from -1 to 1. (u, v) are these coordinates on the rotated head, where features are
drawn.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ferbench_synthfaces.features import paint_beard, paint_brows, paint_eye, paint_lips, paint_marks, paint_mouth
from ferbench_synthfaces.fields import Face, cosine, lump, rgb, root, sine
from ferbench_synthfaces.geometry import Shape, head, height, slope
from ferbench_synthfaces.surroundings import paint_glasses, surroundings


def render(factors: Mapping[str, np.ndarray], size: int, device: str = "auto") -> np.ndarray:
    """Render B frames.

    Args:
        factors: columns of the frame table by name, each (B,).
        size: width and height, in pixels.
        device: of torch; auto for a GPU if there is one.

    Returns:
        (B, size, size, 3), uint8, RGB.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    face = Face(factors, size, torch.device(device))
    with torch.no_grad():
        image = _draw(face, size)
        return (image * 255 + 0.5).clamp(0, 255).to(torch.uint8).cpu().numpy()


def _draw(f: Face, size: int) -> Tensor:
    who = f.who
    spacing = 2.0 / size
    line = (torch.arange(size, device=f.device, dtype=torch.float32) * 2 + 1) / size - 1
    px, py = line.view(1, 1, -1), line.view(1, -1, 1)
    cos, sin = cosine(f("roll")), sine(f("roll"))
    scale = 1 / (1 + f("zoom"))
    x = (cos * px + sin * py - f("shift_x")) * scale
    y = (cos * py - sin * px - f("shift_y")) * scale
    edge = spacing * 0.75
    s = Shape(f)
    inside, depth = head(f, s, x, y)
    yaw, pitch = sine(f("yaw")), sine(f("pitch"))
    u = x / (1 - 0.12 * yaw * yaw) - 0.62 * yaw * (depth - 0.15)
    v = y - 0.55 * pitch * (depth - 0.15)
    z = height(f, s, u, v, depth)

    # light
    nx, ny = -slope(z, 2, spacing), -slope(z, 1, spacing)
    length = root(nx * nx + ny * ny + 1)
    lx, ly = f("light_x"), f("light_y") - 0.55
    lamp = ((nx * lx + ny * ly + 1) / (length * root(lx * lx + ly * ly + 1))).clamp(min=0)
    sky = 0.5 - 0.5 * ny / length
    strength = f("light_strength")
    shade = 0.14 + 0.22 * sky + (0.72 + 0.2 * strength) * lamp
    gloss = lamp * lamp
    gloss = gloss * gloss
    gloss = gloss * gloss

    # skin
    tone = 0.60 + 0.23 * who("skin")
    warm = 0.02 * who("skin_hue")
    skin = rgb((tone * 1.13 + 0.05 + warm).clamp(0, 1), tone * 0.88 + 0.005, tone * 0.74 - 0.02 - warm)
    blush = 0.10 * lump(u.abs(), v, 0.34, 0.16, 0.26, 0.22) + 0.10 * lump(u, v, 0.0, s.nose_tip, 0.14, 0.12)
    image = skin.expand(*x.shape[:1], *torch.broadcast_shapes(u.shape, v.shape)[1:], 3)
    image = image * (1 - blush[..., None] * torch.tensor([0.0, 0.55, 0.55], device=f.device))
    image = paint_marks(f, s, u, v, image)
    image = paint_beard(f, s, u, v, image)
    middle = f.middle(0.56)
    mouth, eyes, brows = (f.window(0.02, 1.0), middle), f.window(-0.36, 0.10), (f.window(-0.62, 0.02), f.middle(0.62))
    nose = (f.window(-0.1, 0.40), middle)
    image[:, *mouth] = paint_lips(f, s, u[:, *mouth], v[:, *mouth], image[:, *mouth], edge)
    image = image * shade[..., None] + (0.07 * gloss * (0.6 + 0.4 * tone))[..., None]
    nostril = lump(u[:, *nose].abs(), v[:, *nose], s.nose_half * 0.48, s.nose_tip + 0.052, 0.038, 0.022)
    image[:, *nose] *= 1 - 0.75 * nostril.clamp(max=0.8)[..., None]
    image[:, *mouth] = paint_mouth(f, s, u[:, *mouth], v[:, *mouth], image[:, *mouth], shade[:, *mouth], edge)
    for sign in (-1, 1):
        half = (eyes, f.half(sign))
        image[:, *half] = paint_eye(f, s, sign, u[:, *half], v[:, *half], image[:, *half], shade[:, *half], edge)
    image[:, *brows] = paint_brows(f, s, u[:, *brows], v[:, *brows], image[:, *brows], shade[:, *brows], edge)
    image = paint_glasses(f, s, u, v, image, edge)
    image = surroundings(f, s, x, y, u, v, image, inside, shade, edge)
    return finish(f, image, size).clamp(0, 1)


def finish(f: Face, image: Tensor, size: int) -> Tensor:
    """Add blur, exposure and sensor noise. The noise of a pixel is a hash of its position and of the frame's seed."""
    if float(f("blur").max()) > 0:
        for axis in (1, 2):
            ahead = torch.cat([image.narrow(axis, 1, size - 1), image.narrow(axis, size - 1, 1)], axis)
            behind = torch.cat([image.narrow(axis, 0, 1), image.narrow(axis, 0, size - 1)], axis)
            image = image + f("blur")[..., None] * (0.25 * ahead + 0.25 * behind - 0.5 * image)
    image = image * (1 + 0.25 * f("exposure"))[..., None]
    if float(f("noise").max()) > 0:
        place = torch.arange(size * size, device=f.device, dtype=torch.int64).view(1, size, size)
        h = place * 73856093 + (f("noise_seed").to(torch.int64) + 1) * 19349663
        for shift in (13, 7, 17):
            h = (h ^ (h >> shift)) * 1274126177 % 4294967291
        grain = (h % 65536).to(torch.float32) / 32768 - 1
        image = image + (f("noise") * grain)[..., None]
    return image
