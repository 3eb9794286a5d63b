"""What the figures of boards promise."""

from __future__ import annotations

import matplotlib.pyplot as plt

from ferbench.ranking.aggregate import boards
from ferbench.ranking.board import Board
from ferbench.report.figures.board import leakage
from ferbench.report.figures.style import numbered
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
