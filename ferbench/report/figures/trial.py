"""The figures of one record: loss curves, confusion matrix, and synthesised faces where there are any.

Each file carries the trial's id in its metadata.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ferbench.files import draft_of
from ferbench.records import files
from ferbench.records.schema import Record
from ferbench.records.store import Store
from ferbench.report.figures.style import INK

DPI = 120


def draw(folder: Path, record: Record) -> list[Path]:
    """Draw the figures of the record in `folder` into folder/figures; gives their paths."""
    import matplotlib

    matplotlib.use("Agg", force=False)
    made = [
        _save(losses(files.read_losses(folder), record), folder, "losses", record),
        _save(confusion(record), folder, "confusion", record),
    ]
    grid = files.read_array(folder, files.SYNTHESIS_GRID)
    if grid is not None:
        frames, _ = files.read_predictions(folder, record.expressions)
        labels = [e for e in record.expressions if e in set(frames["expression"])]
        made.append(_save(synthesis(grid, labels, record), folder, "synthesis", record))
    return made


def draw_stored(results_dir: str | Path, trial: str) -> None:
    """Draw the figures of a stored trial, unless they are there: where it ran may have drawn them."""
    store = Store(results_dir)
    folder = store.path(trial)
    if not (folder / files.FIGURES).is_dir():
        draw(folder, store.load(trial))


def _save(figure: Any, folder: Path, name: str, record: Record) -> Path:
    import matplotlib.pyplot as plt

    target = folder / files.FIGURES / f"{name}.png"
    target.parent.mkdir(exist_ok=True)
    draft = draft_of(target)
    try:
        figure.savefig(
            draft, format="png", dpi=DPI, bbox_inches="tight", metadata={"Source": f"ferbench trial {record.trial.id}"}
        )
        draft.replace(target)
    finally:
        plt.close(figure)
        draft.unlink(missing_ok=True)
    return target


def losses(table: pd.DataFrame, record: Record) -> Any:
    """One panel a stage and optimiser group, every loss by name, smoothed; steps from 0."""
    import matplotlib.pyplot as plt

    table = table.assign(group=[name.partition("/")[0] for name in table["loss"]])
    panels = list(table.groupby(["stage", "group"], sort=False))
    figure, axes = plt.subplots(1, len(panels), figsize=(4.2 * len(panels), 3.2), squeeze=False)
    for axis, ((stage, group), part) in zip(axes[0], panels, strict=True):
        for name, curve in part.groupby("loss", sort=False):
            total = name == group
            window = max(1, len(curve) // 60)
            smooth = curve["value"].rolling(window, min_periods=1).mean()
            label = "sum" if total else str(name).partition("/")[2]
            axis.plot(curve["step"], smooth, label=label, lw=1.8 if total else 1.1, color=INK if total else None)
        axis.set_title(f"{stage}: {group}" if stage != group else stage, fontsize=10)
        axis.set_xlabel("step")
        axis.set_ylim(bottom=min(0.0, float(part["value"].min())))
        if part["loss"].nunique() > 1:
            axis.legend(fontsize=8, frameon=False)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].set_ylabel("loss")
    figure.suptitle(record.trial.label, fontsize=10)
    figure.tight_layout()
    return figure


def confusion(record: Record) -> Any:
    """Counts of test frames, shaded by the share of the true class."""
    import matplotlib.pyplot as plt

    counts = np.sum([np.asarray(t) for t in record.confusion.values()], axis=0)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    size = 1.6 + 0.55 * len(counts)
    figure, axis = plt.subplots(figsize=(size + 0.8, size))
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row in range(len(counts)):
        for column in range(len(counts)):
            dark = shares[row, column] > 0.55
            axis.text(
                column,
                row,
                str(counts[row, column]),
                ha="center",
                va="center",
                fontsize=9,
                color="white" if dark else INK,
            )
    axis.set_xticks(range(len(counts)), record.expressions, rotation=40, ha="right")
    axis.set_yticks(range(len(counts)), record.expressions)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    accuracy = np.trace(counts) / max(counts.sum(), 1)
    axis.set_title(f"{record.trial.label}\naccuracy {accuracy:.3f}", fontsize=10)
    return figure


def gap_of(size: int) -> int:
    """White pixels between the originals at the edges of a grid and what was made of them."""
    return max(2, size // 16)


def mosaic(grid: np.ndarray) -> np.ndarray:
    """(R, K, S, S, 3) -> one image, uint8; the corner stays white."""
    rows, columns, size = grid.shape[:3]
    gap = gap_of(size)
    canvas = np.full((rows * size + gap, columns * size + gap, 3), 255, np.uint8)
    for row in range(rows):
        for column in range(columns):
            if row or column:
                top, left = row * size + (gap if row else 0), column * size + (gap if column else 0)
                canvas[top : top + size, left : left + size] = grid[row, column]
    return canvas


def synthesis(grid: np.ndarray, expressions: list[str], record: Record) -> Any:
    """(R + 1, K + 1, S, S, 3): the expression of the row on the identity of the column; originals at the edges."""
    import matplotlib.pyplot as plt

    rows, columns, size = grid.shape[:3]
    gap = gap_of(size)
    figure, axis = plt.subplots(figsize=(0.95 * columns + 1, 0.95 * rows + 0.6))
    axis.imshow(mosaic(grid), interpolation="nearest")
    axis.set_yticks([size * (i + 1.5) + gap for i in range(len(expressions))], expressions)
    axis.set_xticks([])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.set_title(
        f"{record.trial.label}\nfirst column: test subjects; first row: training subjects; inside: made",
        fontsize=9,
    )
    return figure
