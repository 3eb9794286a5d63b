"""The geometry of a head: positions of its parts, and its height field with the folds that action units cause."""

from __future__ import annotations

import torch
from torch import Tensor

from ferbench_synthfaces.fields import Face, lump, ridge, root, step


class Shape:
    """Positions and sizes of the parts of a face, from identity and action units. y points downwards."""

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


def head(f: Face, s: Shape, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """(signed distance to the outline, positive inside, approximately in units of x; depth of the skull, 0 to 1)."""
    down = (y - 0.1).clamp(0, 1)
    narrow = 1 - s.jaw * down * down * 2.2 - 0.10 * down
    half = s.half_width * narrow
    radius = root(((x / half) ** 2 + ((y - s.centre) / s.half_height) ** 2).clamp(min=1e-8))
    depth = root((1 - radius * radius).clamp(min=0))
    return (1 - radius) * half, depth


def height(f: Face, s: Shape, u: Tensor, v: Tensor, depth: Tensor) -> Tensor:
    """The height field of the face, in units of x, without lips and lids, which are painted."""
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
    """Folds around nose, mouth and chin that action units and age cause, as an addition to the height field."""
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
    """Wrinkles of the forehead, between the brows, on the nose and around the eyes, as an addition to the height field."""
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


def slope(z: Tensor, axis: int, spacing: float) -> Tensor:
    """Slope of a height field along an axis, by central differences: (B, H, W) -> (B, H, W)."""
    ahead = torch.cat([z.narrow(axis, 1, z.shape[axis] - 1), z.narrow(axis, z.shape[axis] - 1, 1)], axis)
    behind = torch.cat([z.narrow(axis, 0, 1), z.narrow(axis, 0, z.shape[axis] - 1)], axis)
    return (ahead - behind) / (2 * spacing)
