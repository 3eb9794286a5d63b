"""What all figures share: colours, axes, labels, and files that carry the ids of their trials."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ferbench.ranking.board import Board

INK, SOFT, PAPER = "#222222", "#8a8a8a", "#ffffff"
WORSE, BETTER, UNCLEAR = "#b3402e", "#2e6fb3", SOFT
"""Of a difference whose interval is below 0, above it, or holds it."""

COLOURS = (
    "#1f5fa8", "#b3402e", "#2e8b57", "#8a5fb3", "#c98a1b", "#3aa5a5", "#b8578f", "#6b7a1e", "#555555", "#d0653b", "#4a73d1",
)  # fmt: skip
DASHES = ("-", "--", ":")
"""Of curves, where there are more rows than colours."""

FORMATS = ("png", "pdf", "svg")


def pyplot() -> Any:
    """matplotlib, without a display, with letters as letters in PDF and SVG, and without mathematics in names that have a '$'."""
    import matplotlib

    matplotlib.use("Agg", force=False)
    matplotlib.rcParams["pdf.fonttype"] = 42
    matplotlib.rcParams["svg.fonttype"] = "none"
    matplotlib.rcParams["text.parse_math"] = False
    import matplotlib.pyplot as plt

    return plt


def save(figure: Any, folder: Path, name: str, trials: Sequence[str]) -> bytes:
    """Write folder/name as PNG, PDF and SVG, each with the ids of its trials; gives the PNG.

    Raises:
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for ending in FORMATS:
            write(figure, folder / f"{name}.{ending}", trials, bbox_inches="tight")
    finally:
        pyplot().close(figure)
    return (folder / f"{name}.png").read_bytes()


def write(figure: Any, target: Path, trials: Sequence[str], **settings: Any) -> None:
    """Write a figure, with the ids of its trials in it; the file is the old one or the new one, never half of it.

    Raises:
        OSError, ValueError: the file cannot be written, or its ending is of no picture.
    """
    source = f"ferbench trials {' '.join(trials)}"
    ending = target.suffix.lower()
    key = "Keywords" if ending in (".pdf", ".svg") else "Source"
    draft = target.with_name(f".{target.stem}.draft{target.suffix}")
    try:
        figure.savefig(draft, dpi=150, metadata={key: [source] if ending == ".svg" else source}, **settings)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _bare(axis: Any) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(color="#e8e8e8", linewidth=0.7)
    axis.set_axisbelow(True)
    axis.tick_params(colors=INK, length=3)


def logarithmic(axis: Any) -> None:
    """Make the y axis logarithmic, with plain numbers; those of matplotlib are mathematics, which `pyplot` turns off."""
    from matplotlib.ticker import LogFormatter

    class Plain(LogFormatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:g}" if super().__call__(x, pos) else ""

    axis.set_yscale("log")
    axis.yaxis.set_major_formatter(Plain())
    axis.yaxis.set_minor_formatter(Plain(minor_thresholds=(2, 0.4)))


def numbered(boards: Sequence[Board]) -> dict[str, int]:
    """A number for each name of a row, which gives it the same colour in the figures of all boards."""
    return {name: number for number, name in enumerate(dict.fromkeys(r.name for board in boards for r in board.rows))}


def label(figure: Any, axis: Any, texts: Sequence[tuple[float, float, str, str]]) -> None:
    """Names beside their points, each where it covers no other name and no point: the first free of twelve places."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    points = [axis.transData.transform((x, y)) for x, y, _, _ in texts]
    taken: list[Any] = []
    offsets = [
        (9, 9, "left"), (9, -9, "left"), (-9, 9, "right"), (-9, -9, "right"), (9, 0, "left"), (-9, 0, "right"),
        (0, 13, "center"), (0, -13, "center"), (9, 22, "left"), (9, -22, "left"), (-9, 22, "right"), (-9, -22, "right"),
    ]  # fmt: skip
    for x, y, name, colour in texts:
        for dx, dy, side in offsets:
            text = axis.annotate(
                name, (x, y), xytext=(dx, dy), textcoords="offset points", ha=side, va="center", fontsize=9, color=colour,
                zorder=4,
            )  # fmt: skip
            box = text.get_window_extent(renderer)
            free = not any(box.overlaps(other) for other in taken) and not any(box.contains(*p) for p in points)
            if free or (dx, dy, side) == offsets[-1]:
                taken.append(box)
                break
            text.remove()
