"""What the figures of boards promise."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import rankdata

from ferbench.ranking.ablations import ablations
from ferbench.ranking.across import Across
from ferbench.ranking.aggregate import boards
from ferbench.ranking.board import Board
from ferbench.records import files
from ferbench.report.figures.ablations import figure as ablations_figure
from ferbench.report.figures.board import critical_differences, curves, leakage
from ferbench.report.figures.style import UNCLEAR, WORSE, numbered
from tests.made_records import Make


def test_a_method_has_one_colour_in_the_figures_of_all_boards(make: Make) -> None:
    better = {"one": {"m": 9, "n": 6}, "two": {"m": 5, "n": 8, "new": 7}}
    records = [
        make(method, fold, right, dataset=dataset)
        for dataset, methods in better.items()
        for method, right in methods.items()
        for fold in (0, 1)
    ]
    first, second = boards(records)
    numbers = numbered([first, second])

    def colours(board: Board) -> dict[str, str]:
        figure = leakage(board, numbers)
        found = {text.get_text(): text.get_color() for text in figure.axes[0].texts}
        plt.close(figure)
        return {row.name: found[row.name] for row in board.rows}

    assert (first.rows[0].name, second.rows[0].name) == ("m", "n")
    assert colours(first).items() <= colours(second).items()
    assert len(set(colours(second).values())) == 3


@pytest.mark.parametrize(("folds", "corrected", "colour"), [(3, 0.0625, UNCLEAR), (4, 0.0156, WORSE)])
def test_the_chart_of_ablations_tells_apart_what_its_table_does(
    make: Make, folds: int, corrected: float, colour: str
) -> None:
    """Six and eight subjects: p alone is 0.03 and 0.008, which Holm doubles for two variants."""
    rights = {"full": 9, "less": 6, "much less": 3}
    records = [
        make("m", fold, right, folds=folds, variant=name) for name, right in rights.items() for fold in range(folds)
    ]
    (table,) = ablations(records)
    assert [v.corrected for v in table.variants[1:]] == pytest.approx([corrected, corrected], abs=1e-4)
    assert all(v.difference is not None and v.difference.clear for v in table.variants[1:])
    figure = ablations_figure(table)
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 2 and line.get_linewidth() == 2]
    plt.close(figure)
    assert [line.get_color() for line in lines] == [colour, colour]


@pytest.mark.parametrize(("first", "last", "wanted"), [(30.0, 0.02, {"0.1", "1", "10"}), (0.8, 0.3, {"0.4", "0.6"})])
def test_the_labels_of_a_logarithmic_axis_are_numbers(
    make: Make, tmp_path: Path, first: float, last: float, wanted: set[str]
) -> None:
    record = make()
    losses = [(step, "training", first * (last / first) ** (step / 9)) for step in range(10)]
    files.write_losses(tmp_path, files.losses_table(losses, "training"))
    (board,) = boards([record])
    figure = curves(board, {record.trial.id: tmp_path}, numbered([board]))
    figure.canvas.draw()
    low, high = figure.axes[-1].get_ylim()
    shown = [
        label.get_text()
        for label in figure.axes[-1].get_yticklabels(which="both")
        if label.get_text() and low <= label.get_position()[1] <= high
    ]
    plt.close(figure)
    assert wanted <= set(shown), shown
    assert all(low * 0.99 <= float(text) <= high * 1.01 for text in shown), shown


@pytest.mark.parametrize(("methods", "difference"), [(3, 1.2), (11, 4.3), (11, 10.7), (25, 8.0)])
def test_the_texts_of_critical_differences_do_not_overlap(methods: int, difference: float) -> None:
    scores = np.random.default_rng(0).random((4, methods)) + 0.1 * np.arange(methods)
    ranks = rankdata(-scores, axis=1).mean(axis=0)
    names = tuple(f"method_{number}" for number in range(methods))
    figure = critical_differences(Across("accuracy", names, ("a", "b", "c", "d"), scores, ranks, 9.0, 0.01, difference))
    figure.canvas.draw()
    (axis,) = figure.axes
    low, high = axis.get_xlim()
    shown = [tick for tick in axis.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    boxes = [t.get_window_extent() for t in [*axis.texts, axis.title, *(tick.label2 for tick in shown)] if t.get_text()]
    plt.close(figure)
    assert len(boxes) > methods + 2
    overlaps = [(a, b) for n, a in enumerate(boxes) for b in boxes[:n] if a.overlaps(b)]
    assert not overlaps
