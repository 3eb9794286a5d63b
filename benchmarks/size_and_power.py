"""Size and power of the test of a difference, and the errors of whole boards: `python benchmarks/size_and_power.py [STUDIES]`.

Size: how often two equal methods are told apart at p < 0.05 when trainings differ by luck (standard deviation of the logit of a
training). Power: how often two methods are told apart whose true difference is the detectable difference that such studies state,
8 of 10 by definition. Boards: how often a board of equal methods tells any two apart, and whether a board of two groups of methods
tells the groups apart. In percent of the studies; the seed is 0.
"""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
from studies import World

from ferbench.ranking.board import Board, Row
from ferbench.ranking.intervals import detectable, difference_of
from ferbench.ranking.sample import counted
from ferbench.ranking.scores import SCORES
from ferbench.ranking.ties import tie

SCORE = SCORES["accuracy"]
DESIGNS = ((80, 10, 1), (80, 10, 3), (80, 10, 5), (30, 1, 1), (30, 1, 3), (31, 31, 1), (31, 31, 3), (12, 3, 3))
"""(subjects, folds, seeds)."""

LUCK = (0.0, 0.1, 0.2, 0.4)


def told_apart(world: World, gap: float, studies: int, random: np.random.Generator) -> tuple[float, float]:
    """(share of studies with p < 0.05, median of the detectable differences)."""
    found = []
    for _ in range(studies):
        both = world.study(random, [world.accuracy + gap / 2, world.accuracy - gap / 2])
        found.append(difference_of(*(counted(answers, SCORE) for answers in both)))
    return float(np.mean([d.clear for d in found])), float(np.median([detectable(d) for d in found]))


def print_size(studies: int, random: np.random.Generator) -> None:
    print(
        "| subjects, folds, seeds | "
        + " | ".join(f"size at luck {luck}" for luck in LUCK)
        + " | detectable | power there |"
    )
    print("|---|" + "---|" * (len(LUCK) + 2))
    for subjects, folds, seeds in DESIGNS:
        cells, sizes = [], {}
        for luck in LUCK:
            world = World(subjects, folds, seeds, luck=luck)
            share, sizes[luck] = told_apart(world, 0.0, studies, random)
            cells.append(f"{100 * share:.1f}")
        world, gap = World(subjects, folds, seeds, luck=0.2), sizes[0.2]
        power, _ = told_apart(world, gap, studies, random)
        print(
            f"| {subjects}, {folds}, {seeds} | {' | '.join(cells)} | {100 * gap:.1f} | {100 * power:.0f} |", flush=True
        )


def board(world: World, accuracies: list[float], random: np.random.Generator) -> list[Row]:
    """The ranked rows of one study."""
    samples = [counted(answers, SCORE) for answers in world.study(random, accuracies)]
    order = sorted(range(len(samples)), key=lambda i: -samples[i].value)
    rows = [Row(f"m{i}", 1, "full", "net", world.folds, tuple(range(world.seeds))) for i in order]
    tie(Board("simulated", "folds", "", rows), rows, [samples[i] for i in order])
    for row in rows:
        assert row.rank is not None
        assert row.rank_low is not None
        assert row.rank_high is not None
        assert row.rank_low <= row.rank <= row.rank_high
    assert all(upper.rank <= lower.rank for upper, lower in pairwise(rows))  # type: ignore[operator]
    return rows


def print_boards(studies: int, random: np.random.Generator) -> None:
    print(
        "\n| methods | subjects, folds, seeds | luck | boards | equal methods told apart | ranks of two groups, 8 points apart |"
    )
    print("|---|---|---|---|---|---|")
    for methods in (5, 33, 100):
        for subjects, folds, seeds, luck in (
            (80, 10, 3, 0.2),
            (80, 10, 1, 0.0),
            (31, 31, 1, 0.2),
            (10, 5, 1, 0.0),
            (8, 2, 1, 0.0),
        ):
            world, count = World(subjects, folds, seeds, luck=luck), max(studies // methods, 60)
            wrong = np.mean([any(row.rank != 1 for row in board(world, [0.9] * methods, random)) for _ in range(count)])
            half = methods // 2
            rows = board(world, [0.92] * half + [0.84] * (methods - half), random)
            ranks = ", ".join(str(rank) for rank in sorted({row.rank for row in rows if row.rank is not None})[:4])
            cells = f"{methods} | {subjects}, {folds}, {seeds} | {luck} | {count} | {100 * wrong:.1f}"
            print(f"| {cells} | {ranks} |", flush=True)


def main(studies: int = 2000) -> None:
    random = np.random.default_rng(0)
    print_size(studies, random)
    print_boards(studies, random)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
