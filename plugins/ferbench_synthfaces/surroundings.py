"""Everything around and in front of the face: background, neck, clothes, ears, hair, glasses, fringe, hand, mask."""

from __future__ import annotations

import torch
from torch import Tensor

from ferbench_synthfaces.features import hair_colour
from ferbench_synthfaces.fields import Face, lump, over, rgb, ridge, root, step
from ferbench_synthfaces.geometry import Shape


def surroundings(
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
) -> Tensor:
    """Background, neck, clothes, ears, hair, and occlusions."""
    who = f.who
    hue = f("background")
    level = 0.45 + 0.35 * f("background_level")
    base = rgb(level * (1 + 0.12 * hue), level, level * (1 - 0.12 * hue))
    canvas = base * (1.05 - 0.20 * (0.5 + 0.5 * y) + 0.06 * hue * x)[..., None]
    hair = hair_colour(f)
    # long hair falls behind the head
    long = who("hair_length")
    back = root((x / (s.half_width + 0.13)) ** 2 + ((y + 0.05) / 0.98) ** 2)
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
    crown = root((x / (s.half_width + volume)) ** 2 + ((y - s.centre) / (s.half_height + volume)) ** 2)
    cap = step(1 - crown, edge * 2) * step(top - v, 0.03)
    sideburn = (
        step(x.abs() - s.half_width + 0.07 - 0.05 * long, 0.02)
        * step(0.02 + 0.35 * long - y, 0.06)
        * step(1 - crown, edge * 2)
    )
    bald = step(who("hair_volume") + 0.80, 0.05)
    canvas = over(canvas, hair * lit[..., None], torch.maximum(cap, 0.9 * sideburn) * bald)
    return covers(f, s, x, y, u, v, canvas, hair * lit[..., None], edge)


def covers(
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


def paint_glasses(f: Face, s: Shape, u: Tensor, v: Tensor, image: Tensor, edge: float) -> Tensor:
    """Glasses: rims, bridge, temples and a slight glare."""
    worn = f("glasses")
    if float(worn.max()) <= 0:
        return image
    w, h = u.abs() - s.eye_x, v - s.eye_y - 0.01
    across, up = (w / 0.19) ** 2, (h / 0.14) ** 2
    r = root(root(across * across + up * up))
    rim = ridge((r - 1) * 0.16, 0.022)
    bridge = ridge(h + 0.02, 0.018) * step(s.eye_x - 0.17 - u.abs(), edge)
    temple = ridge(h + 0.02, 0.018) * step(u.abs() - s.eye_x - 0.18, edge)
    glare = step(1 - r, 0.05) * ridge(w + h * 0.8 - 0.03, 0.035) * 0.16
    image = image + (worn * glare)[..., None]
    return image * (1 - 0.9 * (worn * torch.maximum(torch.maximum(rim, bridge), temple))[..., None])
