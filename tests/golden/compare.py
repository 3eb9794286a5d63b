"""Where values differ from those that are held, and by how much."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TOLERANCE = 1e-4
"""Of the largest number in its list. Float64 trainings of every method and variant differed by 1.4e-5 at most between AVX-512,
AVX2, SSE and one or two threads (a contrastive loss, which subtracts nearly equal distances), all others by less than 1e-6."""

TOLERANCES = {
    "float32": (5e-4, "float32, whose sums other kernels round otherwise; 1e-5 was seen"),
    "probe": (
        0.03,
        "a probe's solver stops within its own tolerance, and a frame near a boundary may fall on either side",
    ),
    "levels": (0.006, "a level of 255: Pillow may round otherwise in another version"),
}
"""By a part of the path: what is allowed there instead, and why."""

NOISE = 1e-9
"""A tensor whose first gradient is below this fraction of its stage's largest has no gradient but rounding: its movement says
nothing."""


def tolerance(path: str) -> tuple[float, str]:
    """(allowed difference as a fraction of the largest number of the list, the reason)."""
    parts = path.split("/")
    return next((TOLERANCES[part] for part in parts if part in TOLERANCES), (TOLERANCE, "float64"))


def differences(held: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """A line for each path that is new, gone, or has another value."""
    lines = [f"{path}: is new" for path in found if path not in held]
    lines += [f"{path}: is gone" for path in held if path not in found]
    for path in held:
        if path in found and not _noise(path, held):
            lines += _difference(path, held[path], found[path])
    return lines


def _difference(path: str, held: Any, found: Any) -> list[str]:
    if not isinstance(held, list) or not isinstance(found, list) or len(held) != len(found):
        return [] if held == found else [f"{path}: {_short(held)} is held, now it is {_short(found)}"]
    scale = max((abs(value) for value in held), default=0.0)
    gaps = [abs(a - b) / max(scale, 1e-12) for a, b in zip(held, found, strict=True)]
    allowed, reason = tolerance(path)
    worst = max(range(len(gaps)), key=gaps.__getitem__, default=0)
    if not gaps or gaps[worst] <= allowed:
        return []
    where = f"{path}[{worst}]" if len(gaps) > 1 else path
    return [
        f"{where}: {held[worst]:g} is held, now it is {found[worst]:g} (by {gaps[worst]:.1e}; allowed {allowed:g}, {reason})"
    ]


def _noise(path: str, held: Mapping[str, Any]) -> bool:
    stage, _, tensor = path.partition("/movement/")
    if not tensor:
        return False
    largest = max(value[0] for other, value in held.items() if other.startswith(f"{stage}/gradient/"))
    return held[f"{stage}/gradient/{tensor}"][0] < NOISE * largest


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 90 else f"{text[:87]}..."
