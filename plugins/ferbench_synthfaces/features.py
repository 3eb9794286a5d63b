"""Painting of features on the face: marks, beard, lips and mouth, eyes, brows."""

from __future__ import annotations

import torch
from torch import Tensor

from ferbench_synthfaces.fields import Face, lump, over, rgb, ridge, root, sine, step
from ferbench_synthfaces.geometry import Shape


def paint_marks(f: Face, s: Shape, u: Tensor, v: Tensor, image: Tensor) -> Tensor:
    """A mole, at a position that depends on the subject."""
    who = f.who
    mole = lump(u, v, 0.42 * who("mole_x"), 0.2 + 0.28 * who("mole_y"), 0.026, 0.026) * step(who("mole"), 0.3)
    return image * (1 - 0.7 * mole[..., None])


def paint_beard(f: Face, s: Shape, u: Tensor, v: Tensor, image: Tensor) -> Tensor:
    """Stubble or a beard, for subjects that have one."""
    grown = (f.who("beard") - 0.25).clamp(min=0) * 0.75
    if float(grown.max()) <= 0:
        return image
    cheek = step(v - 0.30 - 0.25 * (0.5 - u.abs()), 0.10)
    lip = ridge(v - (s.mouth_y - 0.105 - s.rise), 0.07) * (1 - step(u.abs() - 0.2, 0.06))
    chin = step(v - s.mouth_y - 0.11 - s.gap_low, 0.06) * (1 - step(u.abs() - 0.30, 0.08))
    area = (torch.maximum(torch.maximum(cheek * step(u.abs() - 0.30, 0.10), lip), chin)).clamp(0, 1)
    return over(image, hair_colour(f), grown * area)


def hair_colour(f: Face) -> Tensor:
    """Colour of hair, brows and beard, (B, 1, 1, 3)."""
    dark = 0.09 + 0.17 * (1 + f.who("hair")) * (0.5 + 0.5 * f.who("hair_light").clamp(0, 1))
    hue = f.who("hair_hue")
    return rgb(dark * (1.15 + 0.15 * hue), dark * 0.92, dark * (0.72 - 0.12 * hue))


class Mouth:
    """Curves of the mouth as functions of u: upper and lower edge of the opening, and outer edges of the lips."""

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


def paint_lips(f: Face, s: Shape, u: Tensor, v: Tensor, image: Tensor, edge: float) -> Tensor:
    """Both lips."""
    m = Mouth(s, u)
    tone = 0.60 + 0.23 * f.who("skin")
    colour = rgb(tone * 0.92 + 0.03, tone * 0.50 + 0.01, tone * 0.46 + 0.02)
    mask = step(torch.minimum(torch.minimum(v - m.upper, m.lower - v), m.reach + 0.01), edge * 1.5)
    upper = step(m.top - v, edge * 2)
    shaded = colour * (1 - 0.22 * upper[..., None])
    return over(image, shaded, 0.85 * mask)


def paint_mouth(f: Face, s: Shape, u: Tensor, v: Tensor, image: Tensor, shade: Tensor, edge: float) -> Tensor:
    """The inside of an open mouth (upper teeth, lower teeth if the jaw is up, tongue, cavity), or the line of a closed one."""
    au = f.au
    m = Mouth(s, u)
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


def paint_eye(f: Face, s: Shape, sign: int, u: Tensor, v: Tensor, image: Tensor, shade: Tensor, edge: float) -> Tensor:
    """One eye: white, iris, pupil, a highlight, lashes, the rim of the lower lid and the crease of the upper lid."""
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
    r = root(gaze * gaze + (v - s.eye_y + 0.006) ** 2)
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


def paint_brows(f: Face, s: Shape, u: Tensor, v: Tensor, image: Tensor, shade: Tensor, edge: float) -> Tensor:
    """Both brows."""
    colour = hair_colour(f) * (0.55 + 0.45 * shade)[..., None]
    width = 0.31
    a = u.abs()
    t = ((a - s.brow_gap) / width).clamp(0, 1)
    line = s.brow_inner * (1 - t) ** 2 + 2 * (s.brow_middle - 0.012) * t * (1 - t) + s.brow_outer * t * t
    thick = (0.026 + 0.009 * f.who("brow_thickness")) * (1 - 0.65 * t * t) + 0.003
    body = step(thick - (v - line).abs(), edge * 1.4)
    ends = step(a - s.brow_gap, 0.022) * (1 - step(a - s.brow_gap - width, 0.02))
    hairs = 0.86 + 0.14 * ridge(((a * 46 + v * 30) % 1.0) - 0.5, 0.5)
    return over(image, colour, (0.92 * body * ends * hairs).clamp(0, 1))
