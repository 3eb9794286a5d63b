"""The figures of a board: leakage against accuracy, curves in training, representations, critical differences."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ferbench.ranking.across import Across
from ferbench.ranking.board import Board
from ferbench.records import files
from ferbench.records.schema import Record
from ferbench.report.columns import REFERENCES
from ferbench.report.figures.style import COLOURS, DASHES, INK, SOFT, _bare, label, logarithmic, pyplot

MOST = 1500
"""Frames of a representation that are drawn; t-SNE of more takes long and shows no more."""

_BAR = 28
"""How many points the bar of the critical difference is above the axis: over the ranks' numbers."""


def leakage(board: Board, numbers: Mapping[str, int]) -> Any:
    """Identity leakage against accuracy, with intervals; up and to the left is better. None where no row has both.

    Args:
        numbers: of `numbered`.
    """
    rows = [r for r in board.rows if {"identity_leakage", "accuracy"} <= set(r.scores)]
    if not rows:
        return None
    figure, axis = pyplot().subplots(figsize=(7.2, 4.8))
    texts = []
    for row in rows:
        x, y = row.scores["identity_leakage"], row.scores["accuracy"]
        colour = COLOURS[numbers[row.name] % len(COLOURS)]
        spans = [np.nan_to_num(np.maximum([[s.mean - s.low], [s.high - s.mean]], 0)) for s in (x, y)]
        axis.errorbar(
            x.mean, 100 * y.mean, xerr=spans[0], yerr=100 * spans[1], color=colour, alpha=0.45, linewidth=1, zorder=2
        )
        fill = colour if row.complete else "white"
        axis.plot(x.mean, 100 * y.mean, "o", color=colour, markerfacecolor=fill, markersize=7, zorder=3)
        texts.append((x.mean, 100 * y.mean, row.name, colour))
    _lines(axis, board)
    axis.set_xlabel("identity leakage (0: none, 1: all) ← better")
    axis.set_ylabel("accuracy, % → better")
    axis.set_title(f"{board.dataset} · {board.protocol}", fontsize=10, color=INK)
    _bare(axis)
    figure.tight_layout()
    label(figure, axis, texts)
    return figure


def _lines(axis: Any, board: Board) -> None:
    """Floors and ceiling of the leakage, of the first row that has them."""
    for name, words in REFERENCES.items():
        score = next((row.scores[k] for row in board.rows if (k := f"identity_leakage/{name}") in row.scores), None)
        if score is not None:
            axis.axvline(score.mean, color=SOFT, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
            axis.annotate(
                words, (score.mean, 0.02), xycoords=axis.get_xaxis_transform(), rotation=90, fontsize=8, color=SOFT,
                ha="right", va="bottom",
            )  # fmt: skip


def curves(board: Board, where: Mapping[str, Path], numbers: Mapping[str, int]) -> Any:
    """Test accuracy in training, the mean over the trials of each row, and the loss that each method minimises. None without
    records. The test_curve are never used.

    Args:
        numbers: of `numbered`.
    """
    test_curve, falls = {}, {}
    for row in board.rows:
        tables = [table for trial in row.trials if (table := _losses(where[trial])) is not None]
        if not tables:
            continue
        stage = tables[0]["stage"].iloc[-1]
        seen = [t.loc[t["loss"] == files.TEST_ACCURACY].set_index("step")["value"] for t in tables]
        if all(len(s) for s in seen):
            test_curve[row.name] = 100 * pd.concat(seen, axis=1).mean(axis=1)
        own = [
            t[(t["stage"] == stage) & (t["loss"] != files.TEST_ACCURACY) & ~t["loss"].str.contains("/")] for t in tables
        ]
        name = own[0]["loss"].iloc[-1]
        falls[row.name] = pd.concat([t.loc[t["loss"] == name].set_index("step")["value"] for t in own], axis=1).mean(
            axis=1
        )
    if not falls:
        return None
    panels = [(falls, "training loss of the last stage")]
    panels = [(test_curve, "test accuracy, % (looked at, never used)"), *panels] if test_curve else panels
    figure, axes = pyplot().subplots(1, len(panels), figsize=(4.6 * len(panels) + 2, 4.2), squeeze=False)
    for axis, (drawn, words) in zip(axes[0], panels, strict=True):
        for row in board.rows:
            if row.name in drawn:
                number = numbers[row.name]
                curve = drawn[row.name]
                smooth = curve.rolling(max(1, len(curve) // 40), min_periods=1).mean()
                place = (smooth.index + 1) / (smooth.index.max() + 1)
                dash = DASHES[number // len(COLOURS) % len(DASHES)]
                axis.plot(place, smooth, dash, color=COLOURS[number % len(COLOURS)], label=row.name, linewidth=1.4)
        axis.set_ylabel(words)
        axis.set_xlabel("part of the last stage")
        _bare(axis)
    logarithmic(axes[0][-1])
    axes[0][-1].legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.02))
    figure.suptitle(f"{board.dataset} · {board.protocol}", fontsize=10, color=INK)
    figure.tight_layout()
    return figure


def _losses(folder: Path) -> pd.DataFrame | None:
    try:
        return files.read_losses(folder)
    except (OSError, ValueError):
        return None


def representations(name: str, folder: Path, record: Record) -> Any:
    """t-SNE of a trial's representation of its test frames, twice: by expression and by identity. Where the left picture shows
    clusters and the right one none, the two are apart. None for fewer than ten frames."""
    from sklearn.manifold import TSNE
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    files.check(
        folder, record.files, [name for name in (files.EMBEDDINGS, files.PREDICTIONS) if (folder / name).is_file()]
    )
    features = files.read_array(folder, files.EMBEDDINGS)
    frames, _ = files.read_predictions(folder, record.expressions)
    if features is None:
        raise OSError(f"{folder} has no embeddings")
    if len(features) > MOST:
        chosen = np.random.default_rng(0).choice(len(features), MOST, replace=False)
        features, frames = features[chosen], frames.iloc[chosen]
    if len(features) < 10:
        return None
    standard = StandardScaler().fit_transform(features)
    with threadpool_limits(
        1
    ):  # its threads wait for one another in a busy loop: slower by far where others use the cores
        places = TSNE(perplexity=min(30, (len(features) - 1) / 3), init="pca", random_state=0).fit_transform(standard)
    figure, axes = pyplot().subplots(1, 2, figsize=(10.2, 4.6))
    for axis, column, title in zip(axes, ("expression", "subject"), ("by expression", "by identity"), strict=True):
        levels, codes = np.unique(frames[column].to_numpy(dtype=str), return_inverse=True)
        colours = [COLOURS[i % len(COLOURS)] for i in codes]
        if column == "subject":
            map_ = pyplot().get_cmap("turbo")
            colours = [map_((i * 7 % len(levels)) / max(len(levels) - 1, 1)) for i in codes]
        axis.scatter(*places.T, c=colours, s=9, linewidths=0)
        axis.set_title(f"{title} ({len(levels)})", fontsize=10, color=INK)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[:].set_color("#d0d0d0")
        if column == "expression":
            dots = [
                axis.plot([], [], "o", color=COLOURS[i % len(COLOURS)], markersize=5)[0] for i in range(len(levels))
            ]
            axis.legend(
                dots, levels, fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(-0.02, -0.02), ncols=4
            )
    figure.suptitle(
        f"{name}: {len(features)} test frames of strangers, fold {record.trial.fold}, t-SNE", fontsize=10, color=INK
    )
    figure.tight_layout()
    return figure


def critical_differences(found: Across) -> Any:
    """Mean ranks over datasets; methods that a bar joins are not told apart (scikit-posthocs)."""
    import scikit_posthocs as posthocs
    from matplotlib.transforms import offset_copy

    ranks = pd.Series(found.ranks, index=list(found.methods))
    p_values = posthocs.posthoc_nemenyi_friedman(pd.DataFrame(found.scores, columns=list(found.methods)))
    figure, axis = pyplot().subplots(figsize=(8, 1.6 + 0.22 * len(ranks)))
    posthocs.critical_difference_diagram(ranks, p_values, ax=axis)
    left, right = axis.get_xlim()
    words = f"critical difference: {found.difference:.2g} ranks"
    above = offset_copy(axis.get_xaxis_transform(), figure, y=_BAR, units="points")
    if fits := found.difference < right - left:
        axis.plot([left, left + found.difference], [1, 1], "|-", color=SOFT, transform=above, clip_on=False)
    end, words = (left + found.difference, f"  {words}") if fits else (left, f"{words}, more than there are")
    axis.text(end, 1, words, color=SOFT, fontsize=8, va="center", transform=above)
    axis.set_title(
        f"mean rank by {found.metric} over {len(found.datasets)} datasets", fontsize=10, color=INK, pad=_BAR + 14
    )
    figure.tight_layout()
    return figure
