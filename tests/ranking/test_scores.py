"""Scores of confusion counts and their gradients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ferbench.ranking.scores import SCORES

TABLES = hnp.arrays(float, (4, 4), elements=st.sampled_from([0.0, 2.0, 3.0, 7.0, 30.0]))


def test_scores_work_on_stacks() -> None:
    tables = np.random.default_rng(0).integers(0, 9, (5, 4, 3, 3))
    for score in SCORES.values():
        assert score.value(tables).shape == (5, 4)
        assert score.value(tables)[2, 1] == pytest.approx(score.value(tables[2, 1]))


def test_no_counts_score_zero() -> None:
    assert all(float(score.value(np.zeros((3, 3)))) == 0 for score in SCORES.values())


@pytest.mark.parametrize("name", SCORES)
@settings(max_examples=60)
@given(table=TABLES)
def test_gradients_are_those_of_differences(name: str, table: np.ndarray) -> None:
    """Central differences of every count that is not 0. Of one that is 0, a class may come into being."""
    score, step = SCORES[name], 1e-5
    gradient = score.gradient(table)
    assert (gradient * table).sum() == pytest.approx(0, abs=1e-12), "the score is of shares, not of numbers"
    for place in np.argwhere(table > 0):
        change = np.zeros_like(table)
        change[tuple(place)] = step
        expected = (score.value(table + change) - score.value(table - change)) / (2 * step)
        assert gradient[tuple(place)] == pytest.approx(float(expected), abs=1e-6)


def test_frames_that_count() -> None:
    table = np.array([[8.0, 2.0], [0.0, 2.0]])
    assert SCORES["accuracy"].frames(table) == 12
    assert SCORES["balanced_accuracy"].frames(table) == pytest.approx(4 / (1 / 10 + 1 / 2))
    assert SCORES["macro_f1"].frames(np.zeros((2, 2))) == 0
