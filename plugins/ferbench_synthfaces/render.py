"""Faces from factors: a shaded height field with painted features, in batches, on CPU or GPU.

A head is a smooth height field (skull, brow ridge, sockets, nose, cheeks, lips, chin, and the folds that action units
make), lit by one lamp and the sky. On it are painted skin, brows, eyes with lids and iris, lips, teeth and mouth cavity,
hair, beard and marks. Edges are smooth masks one pixel wide, so nothing is drawn larger and reduced.

Only + - * /, square root, minimum, maximum and comparisons touch pixels: IEEE arithmetic gives the same bits on every
machine, and the same seed so gives the same image.

Coordinates: x to the right, y down, both from -1 to 1. (u, v) are the same on the turned head: features are drawn there.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

CHIN = 0.84


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


def render(factors: Mapping[str, np.ndarray], size: int, device: str = "cpu") -> np.ndarray:
    """factors: columns of the frame table, each (B,). Gives (B, size, size, 3), uint8."""
    face = Face(factors, size, torch.device(device))
    with torch.no_grad():
        image = _draw(face, size)
        return (image * 255 + 0.5).clamp(0, 255).to(torch.uint8).cpu().numpy()


# -- small functions


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


# -- geometry


class Shape:
    """Where things are, from identity and action units. y grows downwards: up is minus."""

    def __init__(self, f: Face) -> None:
        au, who = f.au, f.who
        lean = f("asymmetry")  # -1: only the left side of the image, 1: only the right, 0: both
        self.sides = ((1 - lean).clamp(0, 1), (1 + lean).clamp(0, 1))
        self.drop = 0.13 * au(26) + 0.03 * au(25)
        self.half_width = 0.64 + 0.045 * who("width")
        self.half_height = 0.86 + 0.04 * who("height") + 0.35 * self.drop
        self.centre = 0.02 + 0.35 * self.drop
        self.jaw = 0.17 - 0.09 * who("jaw")
        # eyes
        self.eye_x = 0.275 + 0.025 * who("eye_distance")
        self.eye_y = -0.13 + 0.02 * who("eye_height")
        self.eye_half = 0.125 + 0.012 * who("eye_size")
        size = 1 + 0.14 * who("eye_size")
        self.lid_up = size * (
            0.050 + 0.042 * au(5) - 0.016 * au(7) - 0.012 * au(6) - 0.016 * au(9) - 0.012 * au(4)
        ).clamp(min=0.008)
        self.lid_low = size * (0.042 + 0.006 * au(5) - 0.020 * au(7) - 0.022 * au(6) - 0.018 * au(9)).clamp(min=0.006)
        self.slant = 0.012 * who("eye_slant")
        # brows: heights of the inner end, the middle and the outer end
        base = self.eye_y - 0.165 - 0.02 * who("brow_height")
        tilt = 0.02 * who("brow_tilt")
        self.brow_inner = base + 0.055 + tilt - 0.130 * au(1) + 0.105 * au(4) + 0.035 * au(9)
        self.brow_middle = base - 0.03 - 0.045 * au(1) - 0.085 * au(2) + 0.075 * au(4) + 0.045 * au(9)
        self.brow_outer = base + 0.012 - tilt - 0.105 * au(2) + 0.025 * au(4) + 0.025 * au(1)
        self.brow_gap = 0.105 - 0.045 * au(4) - 0.012 * au(9)
        # nose
        self.nose_tip = 0.185 + 0.03 * who("nose_length") - 0.035 * au(9) - 0.012 * au(10)
        self.nose_half = 0.105 + 0.018 * who("nose_width") + 0.026 * au(9) + 0.012 * au(12)
        # mouth
        self.mouth_y = 0.455 + 0.02 * who("mouth_height") + 0.25 * self.drop - 0.03 * au(17) - 0.012 * au(12)
        self.mouth_half = (
            0.215 + 0.022 * who("mouth_width") + 0.10 * au(12) + 0.075 * au(20) + 0.02 * au(14) + 0.02 * au(15)
            - 0.055 * au(23) - 0.045 * au(26) * (1 - au(12)) * (1 - au(20)) - 0.02 * au(17)
        )  # fmt: skip
        pull = -0.115 * au(12) - 0.01 * au(14) - 0.015 * au(6) + 0.015 * au(20)
        self.corners = tuple(pull * side + 0.105 * au(15) - 0.026 for side in self.sides)
        full = (1 + 0.28 * who("lip_fullness")) * (1 - 0.62 * au(23)) * (1 - 0.25 * au(12)) * (1 - 0.2 * au(20))
        self.lip_up = 0.042 * full * (1 + 0.1 * au(10))
        self.lip_low = 0.060 * full * (1 + 0.25 * au(17))
        opening = 0.012 * au(25) + 0.062 * au(25) * au(12) + 0.034 * au(25) * au(20)
        self.gap_up = opening * 0.35 + 0.035 * au(26) + 0.055 * au(10) * (au(25) + au(9)).clamp(0, 1)
        self.gap_low = opening + 0.125 * au(26) + 0.01 * au(10)
        self.rise = 0.05 * au(10) + 0.04 * au(9)  # the upper lip is lifted, more in its middle


def _head(f: Face, s: Shape, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """(signed distance inside the outline, roughly in units of x; depth of the skull, 0..1)."""
    down = (y - 0.1).clamp(0, 1)
    narrow = 1 - s.jaw * down * down * 2.2 - 0.10 * down
    half = s.half_width * narrow
    radius = ((x / half) ** 2 + ((y - s.centre) / s.half_height) ** 2).clamp(min=1e-8).sqrt()
    depth = (1 - radius * radius).clamp(min=0).sqrt()
    return (1 - radius) * half, depth


def _height(f: Face, s: Shape, u: Tensor, v: Tensor, depth: Tensor) -> Tensor:
    """The height field of the face, in units of x, without the lips and lids that are painted."""
    au, who = f.au, f.who
    a = u.abs()
    z = 0.62 * depth
    z = z + 0.055 * lump(a, v, 0.22, s.brow_middle * 0.5 - 0.14, 0.30, 0.16) * (1 + 0.5 * au(4))  # brow ridge
    z = z - 0.075 * lump(a, v, s.eye_x, s.eye_y + 0.0, 0.22, 0.15)  # sockets
    z = z + 0.028 * lump(a, v, s.eye_x, s.eye_y + 0.005, 0.15, 0.10)  # eyeballs
    cheek = s.eye_y + 0.30 - 0.05 * au(6) - 0.03 * au(12)
    z = z + (0.035 + 0.012 * who("cheek") + 0.040 * au(12) + 0.025 * au(6)) * lump(a, v, 0.33, cheek, 0.22, 0.17)
    # nose: ridge, tip, wings
    along = ((v + 0.16) / (s.nose_tip + 0.16)).clamp(0, 1)
    ridge_half = 0.075 + 0.045 * along
    below = 1 - step(v - s.nose_tip - 0.03, 0.035)
    z = z + (0.055 + 0.115 * along * along) * ridge(u, ridge_half) * below * step(v + 0.22, 0.12)
    z = z + 0.075 * lump(u, v, 0.0, s.nose_tip, 0.085, 0.075)
    z = z + 0.055 * lump(a, v, s.nose_half - 0.02, s.nose_tip + 0.015, 0.062, 0.055)
    # muzzle and chin
    z = z + 0.045 * lump(u, v, 0.0, s.mouth_y, 0.34, 0.22)
    z = z + (0.05 + 0.03 * au(17)) * lump(u, v, 0.0, s.mouth_y + 0.235 - 0.02 * au(17), 0.17, 0.13)
    z = z - (0.030 + 0.02 * au(17)) * lump(u, v, 0.0, s.mouth_y + 0.125 + 0.6 * s.gap_low, 0.17, 0.05)
    low, high = f.window(-0.12, 1.1), f.window(-1.1, 0.36)
    z[:, low] += _lower_folds(f, s, u[:, low], v[:, low])
    z[:, high] += _upper_folds(f, s, u[:, high], v[:, high])
    return z


def _lower_folds(f: Face, s: Shape, u: Tensor, v: Tensor) -> Tensor:
    """Folds around nose, mouth and chin: grooves that action units (and age) press into the height field."""
    au, who = f.au, f.who
    a = u.abs()
    age = 0.5 + 0.5 * who("age")
    # nasolabial: from the wing of the nose to beside the corner of the mouth
    deep = (
        0.006 * age + 0.015 * au(12) + 0.030 * au(9) + 0.020 * au(10) + 0.005 * au(6) + 0.005 * au(20) + 0.005 * au(15)
    ).clamp(max=0.040)
    top, bottom = s.nose_tip - 0.05 - 0.03 * au(9), s.mouth_y + 0.02
    t = ((v - top) / (bottom - top)).clamp(0, 1)
    reach = (
        s.nose_half
        + 0.025
        + (s.mouth_half + 0.035 - s.nose_half + 0.02 * au(12)) * t * (1.25 - 0.25 * t)
        + 0.02 * au(12) * t
    )
    ends = step(v - top, 0.05) * (1 - step(v - bottom, 0.07))
    sided = torch.where(u < 0, s.sides[0], s.sides[1])
    z = -deep * (0.4 + 0.6 * sided) * ridge(a - reach, 0.055) * ends
    z = z + 0.6 * deep * ridge(a - reach - 0.075, 0.08) * ends  # the cheek bulges beside it
    # corners of the mouth: dimples (14), marionette lines (15), stretch (20), chin bosses (17)
    for side, corner, sign in zip(s.sides, s.corners, (-1, 1), strict=True):
        at_x, at_y = sign * (s.mouth_half + 0.03), s.mouth_y + corner
        z = z - (0.045 * au(14) + 0.02 * au(12)) * side * lump(u, v, at_x, at_y, 0.04, 0.06)
        z = z - 0.030 * au(15) * lump(u, v, sign * (s.mouth_half + 0.015), at_y + 0.06, 0.045, 0.10)
        z = z - 0.016 * au(20) * lump(u, v, at_x, at_y + 0.03, 0.035, 0.12)
    spot = (
        lump(a, v, 0.05, s.mouth_y + 0.21, 0.035, 0.03)
        + lump(a, v, 0.09, s.mouth_y + 0.25, 0.03, 0.03)
        + lump(u, v, 0.0, s.mouth_y + 0.25, 0.03, 0.03)
    )
    return z - 0.016 * au(17) * spot


def _upper_folds(f: Face, s: Shape, u: Tensor, v: Tensor) -> Tensor:
    """Wrinkles of the forehead, between the brows, over the nose and around the eyes."""
    au, who = f.au, f.who
    a = u.abs()
    age = 0.5 + 0.5 * who("age")
    z = torch.zeros_like(u)
    # between the brows, and over the root of the nose
    inner = s.brow_inner
    z = z - 0.032 * au(4) * ridge(a - 0.055, 0.022) * lump(u, v, 0.0, inner + 0.0, 1.0, 0.13)
    z = z - 0.020 * au(4) * ridge(u, 0.018) * lump(u, v, 0.0, inner - 0.02, 1.0, 0.09)
    z = z + 0.020 * au(4) * lump(a, v, 0.10, inner + 0.0, 0.06, 0.07)
    for k in range(3):
        line = -0.075 + 0.052 * k + 0.25 * a
        z = z - 0.022 * au(9) * ridge(v - line, 0.026) * lump(u, v, 0.0, -0.05, 0.14, 0.2)
    z = z - 0.014 * au(9) * ridge(v - 0.02 - 0.9 * (a - 0.10), 0.03) * lump(a, v, 0.13, 0.04, 0.09, 0.10)
    # forehead
    forehead = s.brow_middle - 0.10
    raised = (au(1) + au(2)) * 0.5
    for k in range(3):
        line = forehead - 0.075 * k + 0.10 * u * u
        wide = 0.20 + 0.26 * au(2)
        z = z - (0.017 * raised + 0.006 * age) * (1 - 0.2 * k) * ridge(v - line, 0.024) * (1 - step(a - wide, 0.12))
    # crow's feet, bags under the eyes
    outer = s.eye_x + s.eye_half
    for k in range(3):
        line = s.eye_y + 0.02 + (k - 1) * 0.75 * (a - outer)
        near = step(a - outer - 0.02, 0.02) * (1 - step(a - outer - 0.12, 0.03))
        z = z - (0.016 * au(6) + 0.004 * age) * ridge(v - line, 0.016) * near
    under = s.eye_y + s.lid_low + 0.035 + 0.35 * (a - s.eye_x) ** 2
    bag = 0.006 + 0.008 * age + 0.020 * au(6) + 0.014 * au(7) + 0.018 * au(9)
    return z - bag * ridge(v - under, 0.026) * lump(a, v, s.eye_x, s.eye_y + 0.1, 0.17, 0.2)


def _slope(z: Tensor, axis: int, spacing: float) -> Tensor:
    """Central differences, (B, H, W) -> the same."""
    ahead = torch.cat([z.narrow(axis, 1, z.shape[axis] - 1), z.narrow(axis, z.shape[axis] - 1, 1)], axis)
    behind = torch.cat([z.narrow(axis, 0, 1), z.narrow(axis, 0, z.shape[axis] - 1)], axis)
    return (ahead - behind) / (2 * spacing)


# -- painting


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
    inside, depth = _head(f, s, x, y)
    yaw, pitch = sine(f("yaw")), sine(f("pitch"))
    u = x / (1 - 0.12 * yaw * yaw) - 0.62 * yaw * (depth - 0.15)
    v = y - 0.55 * pitch * (depth - 0.15)
    z = _height(f, s, u, v, depth)

    # light
    nx, ny = -_slope(z, 2, spacing), -_slope(z, 1, spacing)
    length = (nx * nx + ny * ny + 1).sqrt()
    lx, ly = f("light_x"), f("light_y") - 0.55
    lamp = ((nx * lx + ny * ly + 1) / (length * (lx * lx + ly * ly + 1).sqrt())).clamp(min=0)
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
    image = _marks(f, s, u, v, image)
    image = _beard(f, s, u, v, image)
    middle = f.middle(0.56)
    mouth, eyes, brows = (f.window(0.02, 1.0), middle), f.window(-0.36, 0.10), (f.window(-0.62, 0.02), f.middle(0.62))
    nose = (f.window(-0.1, 0.40), middle)
    image[:, *mouth] = _lips(f, s, u[:, *mouth], v[:, *mouth], image[:, *mouth], edge)
    image = image * shade[..., None] + (0.07 * gloss * (0.6 + 0.4 * tone))[..., None]
    nostril = lump(u[:, *nose].abs(), v[:, *nose], s.nose_half * 0.48, s.nose_tip + 0.052, 0.038, 0.022)
    image[:, *nose] *= 1 - 0.75 * nostril.clamp(max=0.8)[..., None]
    image[:, *mouth] = _mouth(f, s, u[:, *mouth], v[:, *mouth], image[:, *mouth], shade[:, *mouth], edge)
    for sign in (-1, 1):
        half = (eyes, f.half(sign))
        image[:, *half] = _eye(f, s, sign, u[:, *half], v[:, *half], image[:, *half], shade[:, *half], edge)
    image[:, *brows] = _brows(f, s, u[:, *brows], v[:, *brows], image[:, *brows], shade[:, *brows], edge)
    image = _glasses(f, s, u, v, image, edge)
    return _surroundings(f, s, x, y, u, v, image, inside, shade, edge, size).clamp(0, 1)


def _marks(f: Face, s: Shape, u: Tensor, v: Tensor, image: Tensor) -> Tensor:
    """A mole, at a place of the subject's own."""
    who = f.who
    mole = lump(u, v, 0.42 * who("mole_x"), 0.2 + 0.28 * who("mole_y"), 0.026, 0.026) * step(who("mole"), 0.3)
    return image * (1 - 0.7 * mole[..., None])


def _beard(f: Face, s: Shape, u: Tensor, v: Tensor, image: Tensor) -> Tensor:
    """Stubble to beard, for those who have it."""
    grown = (f.who("beard") - 0.25).clamp(min=0) * 0.75
    if float(grown.max()) <= 0:
        return image
    cheek = step(v - 0.30 - 0.25 * (0.5 - u.abs()), 0.10)
    lip = ridge(v - (s.mouth_y - 0.105 - s.rise), 0.07) * (1 - step(u.abs() - 0.2, 0.06))
    chin = step(v - s.mouth_y - 0.11 - s.gap_low, 0.06) * (1 - step(u.abs() - 0.30, 0.08))
    area = (torch.maximum(torch.maximum(cheek * step(u.abs() - 0.30, 0.10), lip), chin)).clamp(0, 1)
    return over(image, _hair_colour(f), grown * area)


def _hair_colour(f: Face) -> Tensor:
    dark = 0.09 + 0.17 * (1 + f.who("hair")) * (0.5 + 0.5 * f.who("hair_light").clamp(0, 1))
    hue = f.who("hair_hue")
    return rgb(dark * (1.15 + 0.15 * hue), dark * 0.92, dark * (0.72 - 0.12 * hue))


class _Mouth:
    """Curves of the mouth over u: upper and lower edge of the opening, outer edges of the lips."""

    def __init__(self, s: Shape, u: Tensor) -> None:
        t = (u / s.mouth_half).clamp(-1.3, 1.3)
        self.reach = s.mouth_half - u.abs()
        bow = (1 - t * t).clamp(min=0)
        soft = bow * (1.4 - 0.4 * bow)
        corner = torch.where(u < 0, s.corners[0], s.corners[1])
        middle = s.mouth_y + corner * (t * t * 1.25 - 0.25)
        lift = s.rise * bow
        self.top = middle - s.gap_up * soft - lift * 0.75
        self.bottom = middle + s.gap_low * soft - 0.2 * lift
        cupid = 1 - 0.22 * lump(u, u * 0, 0.0, 0.0, 0.075, 1.0) + 0.10 * ridge(u.abs() - 0.075, 0.07)
        self.upper = self.top - (s.lip_up * soft * cupid + 0.004)
        self.lower = self.bottom + s.lip_low * soft + 0.004


def _lips(f: Face, s: Shape, u: Tensor, v: Tensor, image: Tensor, edge: float) -> Tensor:
    m = _Mouth(s, u)
    tone = 0.60 + 0.23 * f.who("skin")
    colour = rgb(tone * 0.92 + 0.03, tone * 0.50 + 0.01, tone * 0.46 + 0.02)
    mask = step(torch.minimum(torch.minimum(v - m.upper, m.lower - v), m.reach + 0.01), edge * 1.5)
    upper = step(m.top - v, edge * 2)
    shaded = colour * (1 - 0.22 * upper[..., None])
    return over(image, shaded, 0.85 * mask)


def _mouth(f: Face, s: Shape, u: Tensor, v: Tensor, image: Tensor, shade: Tensor, edge: float) -> Tensor:
    """What the parted lips show: teeth above, teeth below when the jaw is up, tongue, dark; the line of a closed mouth."""
    au = f.au
    m = _Mouth(s, u)
    gap = m.bottom - m.top
    wet = ridge(v - (m.bottom + 0.45 * s.lip_low), 0.6 * s.lip_low + 0.004) * ridge(u, 0.6 * s.mouth_half)
    image = image + (0.10 * wet * step(m.reach - 0.02, edge) * (1 - 0.6 * au(23)))[..., None]
    hollow = step(torch.minimum(torch.minimum(v - m.top, m.bottom - v), m.reach), edge) * step(gap - 0.012, 0.008)
    deep = ((v - m.top) / gap.clamp(min=0.02)).clamp(0, 1)
    dark = rgb(f.zero + 0.20, f.zero + 0.055, f.zero + 0.06)
    image = over(image, dark.expand_as(image), hollow)
    tongue = lump(u, v, 0.0, s.mouth_y + s.gap_low * 0.95, s.mouth_half * 0.62 + 0.01, s.gap_low * 0.62 + 0.01)
    image = over(
        image, rgb(f.zero + 0.55, f.zero + 0.22, f.zero + 0.22).expand_as(image), hollow * (0.75 * tongue).clamp(0, 1)
    )
    shown = (0.75 * au(12) + 0.8 * au(10) + 0.55 * au(20) + 0.35 * au(26)).clamp(0.25, 1)
    above = step(shown * 0.085 - (v - m.top), 0.012)
    below = step(0.045 * (au(20) + 0.5 * au(10)).clamp(0, 1) - (m.bottom - v), 0.012) * step(0.15 - gap, 0.03)
    narrow = step(0.86 * s.mouth_half - u.abs(), 0.05)
    between = 1 - 0.22 * ridge(u.abs() - 0.035, 0.006) - 0.22 * ridge(u.abs() - 0.10, 0.006) - 0.12 * ridge(u, 0.006)
    ivory = rgb(f.zero + 0.95, f.zero + 0.92, f.zero + 0.85) * ((0.50 + 0.45 * shade) * between)[..., None]
    image = over(image, ivory, hollow * torch.maximum(above, below) * narrow * (1 - 0.35 * deep))
    closed = ridge(v - 0.5 * (m.top + m.bottom), 0.017) * step(m.reach + 0.015, 0.02) * (1 - step(gap - 0.012, 0.008))
    image = image * (1 - (0.62 * closed)[..., None])
    rim = ridge(v - m.top, 0.014) * step(m.reach, 0.02) * step(gap - 0.012, 0.008)
    image = image * (1 - 0.35 * rim[..., None])
    for corner, sign in zip(s.corners, (-1, 1), strict=True):
        end = lump(u, v, sign * s.mouth_half, s.mouth_y + corner, 0.04, 0.03)
        image = image * (1 - 0.25 * end[..., None])
    under = lump(u, v, 0.0, s.mouth_y + s.gap_low + s.lip_low + 0.03, 0.15, 0.032)
    return image * (1 - 0.20 * under[..., None])


def _eye(f: Face, s: Shape, sign: int, u: Tensor, v: Tensor, image: Tensor, shade: Tensor, edge: float) -> Tensor:
    """One eye: white, iris, pupil, a spark, lashes, the rim of the lower lid and the crease of the upper."""
    who = f.who
    iris_tone = 0.5 + 0.5 * who("iris")
    iris_colour = rgb(0.16 + 0.20 * (1 - iris_tone), 0.14 + 0.22 * iris_tone, 0.08 + 0.36 * iris_tone)
    w = sign * u - s.eye_x  # grows outwards
    t = (w / s.eye_half).clamp(-1.4, 1.4)
    bow = (1 - t * t).clamp(min=0)
    axis = s.eye_y - s.slant * t
    inner = 1 + 0.18 * t  # the lids meet lower towards the nose
    upper = axis - s.lid_up * bow * (1.35 - 0.35 * bow) * inner
    lower = axis + s.lid_low * bow * (1.2 - 0.2 * bow)
    reach = s.eye_half - w.abs()
    opened = step(torch.minimum(torch.minimum(v - upper, lower - v), reach), edge)
    below_lid = ((v - upper) / (s.lid_up * 0.9 + 0.01)).clamp(0, 1)
    white = (
        rgb(f.zero + 0.90, f.zero + 0.88, f.zero + 0.87) * ((0.45 + 0.5 * shade) * (0.62 + 0.38 * below_lid))[..., None]
    )
    gaze = w - sign * (0.02 * f("gaze") + 0.05 * sine(f("yaw")))
    r = (gaze * gaze + (v - s.eye_y + 0.006) ** 2).sqrt()
    radius = 0.056 + 0.003 * who("eye_size")
    iris = step(radius - r, edge)
    ring = 1 - 0.55 * ridge(r - radius, 0.018)
    white = over(
        white, iris_colour.expand_as(white) * (ring * (0.75 + 0.5 * (r / radius).clamp(0, 1)))[..., None], iris
    )
    pupil = step(0.024 - r, edge)
    white = white * (1 - 0.95 * pupil[..., None])
    spark = lump(gaze, v, 0.016 * sign, s.eye_y - 0.026, 0.014, 0.014)
    white = white + (0.85 * spark)[..., None]
    image = over(image, white, opened)
    lashes = ridge(v - upper + 0.004, 0.020) * step(reach + 0.012, 0.012)
    image = image * (1 - 0.80 * lashes[..., None])
    rim = ridge(v - lower - 0.003, 0.012) * step(reach, 0.012)
    image = image * (1 - 0.32 * rim[..., None])
    fold = upper - 0.030 - 0.012 * f.au(5) + 0.012 * f.au(4)
    crease = ridge(v - fold, 0.014) * step(reach - 0.012, 0.02)
    image = image * (1 - (0.34 * crease)[..., None])
    socket = lump(w, v, -0.10, s.eye_y - 0.05, 0.11, 0.10)
    return image * (1 - (0.08 + 0.16 * f.au(4))[..., None] * socket[..., None])


def _brows(f: Face, s: Shape, u: Tensor, v: Tensor, image: Tensor, shade: Tensor, edge: float) -> Tensor:
    colour = _hair_colour(f) * (0.55 + 0.45 * shade)[..., None]
    width = 0.31
    a = u.abs()
    t = ((a - s.brow_gap) / width).clamp(0, 1)
    line = s.brow_inner * (1 - t) ** 2 + 2 * (s.brow_middle - 0.012) * t * (1 - t) + s.brow_outer * t * t
    thick = (0.026 + 0.009 * f.who("brow_thickness")) * (1 - 0.65 * t * t) + 0.003
    body = step(thick - (v - line).abs(), edge * 1.4)
    ends = step(a - s.brow_gap, 0.022) * (1 - step(a - s.brow_gap - width, 0.02))
    hairs = 0.86 + 0.14 * ridge(((a * 46 + v * 30) % 1.0) - 0.5, 0.5)
    return over(image, colour, (0.92 * body * ends * hairs).clamp(0, 1))


def _glasses(f: Face, s: Shape, u: Tensor, v: Tensor, image: Tensor, edge: float) -> Tensor:
    """Frames around the eyes, a bridge, and a little glare."""
    worn = f("glasses")
    if float(worn.max()) <= 0:
        return image
    w, h = u.abs() - s.eye_x, v - s.eye_y - 0.01
    across, up = (w / 0.19) ** 2, (h / 0.14) ** 2
    r = (across * across + up * up).sqrt().sqrt()
    rim = ridge((r - 1) * 0.16, 0.022)
    bridge = ridge(h + 0.02, 0.018) * step(s.eye_x - 0.17 - u.abs(), edge)
    temple = ridge(h + 0.02, 0.018) * step(u.abs() - s.eye_x - 0.18, edge)
    glare = step(1 - r, 0.05) * ridge(w + h * 0.8 - 0.03, 0.035) * 0.16
    image = image + (worn * glare)[..., None]
    return image * (1 - 0.9 * (worn * torch.maximum(torch.maximum(rim, bridge), temple))[..., None])


def _surroundings(
    f: Face,
    s: Shape,
    x: Tensor,
    y: Tensor,
    u: Tensor,
    v: Tensor,
    image: Tensor,
    inside: Tensor,
    shade: Tensor,
    edge: float,
    size: int,
) -> Tensor:
    """Background, neck, clothes, ears, hair, and what covers the face."""
    who = f.who
    hue = f("background")
    level = 0.45 + 0.35 * f("background_level")
    base = rgb(level * (1 + 0.12 * hue), level, level * (1 - 0.12 * hue))
    canvas = base * (1.05 - 0.20 * (0.5 + 0.5 * y) + 0.06 * hue * x)[..., None]
    hair = _hair_colour(f)
    # long hair falls behind the head
    long = who("hair_length")
    back = ((x / (s.half_width + 0.13)) ** 2 + ((y + 0.05) / 0.98) ** 2).sqrt()
    falls = torch.maximum(step(1 - back, edge * 2), step(s.half_width + 0.14 - x.abs(), 0.03) * step(y, 0.05))
    canvas = over(
        canvas, hair * (0.65 + 0.15 * (0.5 + 0.5 * f("light_x") * x))[..., None], falls * step(long - 0.15, 0.02)
    )
    tone = 0.60 + 0.23 * who("skin")
    skin = rgb((tone * 1.10 + 0.04).clamp(0, 1), tone * 0.84, tone * 0.68)
    neck = step(0.36 - x.abs() + 0.12 * step(y - 0.9, 0.1), 0.02) * step(y - 0.55, 0.02)
    canvas = over(canvas, skin * (0.62 - 0.18 * step(0.98 - y, 0.12) + 0.10 * f("light_x") * x)[..., None], neck)
    cloth = step(y - 0.93 + 0.10 * x * x - 0.10 * lump(x, y, 0.0, 0.95, 0.4, 1.0), 0.02)
    canvas = over(
        canvas, rgb(0.30 + 0.2 * who("hair_hue"), 0.32 - 0.1 * who("iris"), 0.36 + 0.15 * who("skin_hue")), cloth
    )
    ear = ((x.abs() - s.half_width + 0.005) / 0.075) ** 2 + ((y - 0.02) / 0.16) ** 2
    canvas = over(
        canvas,
        skin * (0.78 - 0.25 * lump(x.abs(), y, s.half_width + 0.02, 0.02, 0.05, 0.11))[..., None],
        step(1 - ear, 0.25),
    )
    head = step(inside, edge)
    canvas = over(canvas, image, head)
    # hair on the skull
    top = -0.65 - 0.09 * who("hairline") + 0.32 * u * u + 0.05 * who("parting") * u
    strands = 0.95 + 0.10 * ridge(((u * 9 + v * 3 + 0.6 * u * v) % 1.0) - 0.5, 0.5)
    lit = (0.55 + 0.40 * shade + 0.12 * (f("light_x") * x - y * 0.3)).clamp(0.3, 1.3) * strands
    volume = 0.05 + 0.05 * who("hair_volume").clamp(-0.6, 1)
    crown = ((x / (s.half_width + volume)) ** 2 + ((y - s.centre) / (s.half_height + volume)) ** 2).sqrt()
    cap = step(1 - crown, edge * 2) * step(top - v, 0.03)
    sideburn = (
        step(x.abs() - s.half_width + 0.07 - 0.05 * long, 0.02)
        * step(0.02 + 0.35 * long - y, 0.06)
        * step(1 - crown, edge * 2)
    )
    bald = step(who("hair_volume") + 0.80, 0.05)
    canvas = over(canvas, hair * lit[..., None], torch.maximum(cap, 0.9 * sideburn) * bald)
    return _finish(f, s, _covers(f, s, x, y, u, v, canvas, hair * lit[..., None], edge), size)


def _covers(
    f: Face, s: Shape, x: Tensor, y: Tensor, u: Tensor, v: Tensor, image: Tensor, hair: Tensor, edge: float
) -> Tensor:
    """Occlusions: a fringe over the brows, a hand at the chin, a mask over nose and mouth."""
    if float(f("fringe").max()) > 0:
        comb = -0.28 + 0.05 * ridge(((u * 7) % 1.0) - 0.5, 0.5) + 0.25 * u * u
        image = over(image, hair, f("fringe") * step(comb - v, 0.03) * step(v + 0.75, 0.05) * step(0.6 - u.abs(), 0.05))
    if float(f("mask").max()) > 0:
        cloth = step(v - 0.06 - 0.10 * u * u, edge) * step(0.80 - v, edge) * step(0.60 - u.abs(), 0.02)
        pleat = 0.92 + 0.08 * ridge(((v * 9) % 1.0) - 0.5, 0.5)
        blue = rgb(f.zero + 0.62, f.zero + 0.74, f.zero + 0.80) * (pleat * (1 - 0.3 * u * u))[..., None]
        image = over(image, blue, f("mask") * cloth)
    if float(f("hand").max()) > 0:
        side = torch.where(f("hand_side") < 0, f.zero - 1, f.zero + 1)
        tone = 0.58 + 0.23 * f.who("skin")
        skin = rgb((tone * 1.12 + 0.04).clamp(0, 1), tone * 0.86, tone * 0.70)
        for finger in range(4):
            cx = side * (0.10 + 0.125 * finger)
            tip = 0.30 + 0.05 * abs(finger - 1.5)
            along = step(y - tip - 1.2 * (x - cx) ** 2, edge) * step(0.068 - (x - cx).abs(), edge)
            round_ = (0.65 + 0.4 * ridge(x - cx, 0.085))[..., None]
            image = over(image, skin * round_, f("hand") * along)
    return image


def _finish(f: Face, s: Shape, image: Tensor, size: int) -> Tensor:
    """Blur, exposure and sensor noise. The noise of a pixel is a hash of its place and of the frame's seed."""
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
