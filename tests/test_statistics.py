"""Scores of confusion counts and their intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ferbench.statistics import SCORES, accuracy, bootstrap_by_subject, mean_interval


def subjects(count: int, rate: float, seed: int = 0, frames: int = 18) -> np.ndarray:
    """(S, 2, 2): each subject has a rate of its own, so that its frames are not independent."""
    random = np.random.default_rng(seed)
    right = random.binomial(frames, random.beta(4 * rate, 4 * (1 - rate), count))
    return np.stack([[[r, frames - r], [0, 0]] for r in right])


def test_scores_work_on_stacks() -> None:
    tables = np.random.default_rng(0).integers(0, 9, (5, 4, 3, 3))
    for score in SCORES.values():
        assert score(tables).shape == (5, 4)
        assert score(tables)[2, 1] == pytest.approx(score(tables[2, 1]))


def test_no_counts_score_zero() -> None:
    assert all(float(score(np.zeros((3, 3)))) == 0 for score in SCORES.values())


def test_the_interval_holds_the_estimate_and_is_wider_than_the_binomial_one() -> None:
    tables = subjects(40, 0.8)
    low, high = bootstrap_by_subject(tables, accuracy)
    point = float(accuracy(tables.sum(0)))
    binomial = stats.binomtest(int(tables[:, 0, 0].sum()), int(tables.sum())).proportion_ci(method="wilson")
    assert low < point < high
    assert high - low > 1.5 * (binomial.high - binomial.low)


def test_the_interval_agrees_with_scipys_bootstrap() -> None:
    """All subjects have as many frames, so the score is the mean over subjects, which scipy can resample."""
    tables = subjects(30, 0.7)
    rates = tables[:, 0, 0] / 18
    theirs = stats.bootstrap((rates,), np.mean, method="percentile", n_resamples=4000, rng=1).confidence_interval
    low, high = bootstrap_by_subject(tables, accuracy, draws=4000)
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_one_subject_has_no_interval() -> None:
    assert all(map(math.isnan, bootstrap_by_subject(subjects(1, 0.8), accuracy)))


def test_the_mean_interval_agrees_with_scipy() -> None:
    values = [0.5, 0.7, 0.65, 0.8]
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean_interval(values) == pytest.approx((theirs.low, theirs.high))
    assert mean_interval([0.4, 0.4]) == (0.4, 0.4)
    assert all(map(math.isnan, mean_interval([0.4])))
