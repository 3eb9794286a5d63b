"""Scores of confusion counts and their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ferbench.ranking import statistics
from ferbench.ranking.statistics import SCORES, accuracy, bootstrap_by_subject, mean_interval


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
    ((low, high),) = bootstrap_by_subject(tables, [accuracy])
    point = float(accuracy(tables.sum(0)))
    binomial = stats.binomtest(int(tables[:, 0, 0].sum()), int(tables.sum())).proportion_ci(method="wilson")
    assert low < point < high
    assert high - low > 1.5 * (binomial.high - binomial.low)


def test_the_interval_agrees_with_scipys_bootstrap() -> None:
    """All subjects have as many frames, so the score is the mean over subjects, which scipy can resample."""
    tables = subjects(30, 0.7)
    rates = tables[:, 0, 0] / 18
    theirs = stats.bootstrap((rates,), np.mean, method="percentile", n_resamples=4000, rng=1).confidence_interval
    ((low, high),) = bootstrap_by_subject(tables, [accuracy], draws=4000)
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_one_subject_has_no_interval() -> None:
    assert all(map(math.isnan, bootstrap_by_subject(subjects(1, 0.8), [accuracy])[0]))


def test_the_mean_interval_agrees_with_scipy() -> None:
    values = [0.5, 0.7, 0.65, 0.8]
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean_interval(values) == pytest.approx((theirs.low, theirs.high))
    assert mean_interval([0.4, 0.4]) == (0.4, 0.4)
    assert all(map(math.isnan, mean_interval([0.4])))


# -- paired comparisons


def flips_by_hand(differences: Sequence[float]) -> float:
    """All 2^n sums."""
    observed = abs(sum(differences))
    sums = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in product((1, -1), repeat=len(differences))
    ]
    return sum(total >= observed - 1e-9 for total in sums) / len(sums)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-6, 6), min_size=1, max_size=9))
def test_the_sign_flip_test_goes_through_all_flips(differences: list[int]) -> None:
    assert statistics.sign_flip_test(differences) == pytest.approx(flips_by_hand(differences))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-6, 6), min_size=1, max_size=30))
def test_swapping_the_methods_leaves_the_p_value(differences: list[int]) -> None:
    p = statistics.sign_flip_test(differences)
    assert 0 < p <= 1
    if len(differences) <= 9:
        assert statistics.sign_flip_test([-d for d in differences]) == pytest.approx(p)


def test_identical_methods_give_p_of_one() -> None:
    assert statistics.sign_flip_test([0.0] * 12) == 1
    assert math.isnan(statistics.sign_flip_test([]))


def test_a_clear_difference_of_many_subjects() -> None:
    """40 subjects, all better: the smallest p that 9,999 draws can give."""
    assert statistics.sign_flip_test([1.0] * 40) == pytest.approx(2 / 10_000, abs=1.5e-4)
    assert statistics.sign_flip_test([1.0] * 10) == pytest.approx(2 / 2**10)


def test_holm_by_hand() -> None:
    """Four p-values, 0.01, 0.04, 0.03, 0.005: 0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 x 1, which may not be below 0.06."""
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    with_nan = statistics.holm([math.nan, 0.02])
    assert math.isnan(with_nan[0])
    assert with_nan[1] == pytest.approx(0.02)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_never_helps(p_values: list[float]) -> None:
    corrected = statistics.holm(p_values)
    assert all(c >= p for c, p in zip(corrected, p_values, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(corrected)[order]) >= 0).all()


def test_the_paired_interval_is_of_the_same_subjects() -> None:
    """Subjects differ widely and the methods by one frame each: the paired interval is a point, an unpaired one is wide."""
    right = np.arange(5, 45, 2)
    ours = np.array([[[r, 50 - r], [0, 0]] for r in right])
    theirs = np.array([[[r - 1, 51 - r], [0, 0]] for r in right])
    low, high = statistics.paired_bootstrap_by_subject(ours, theirs, statistics.accuracy)
    assert (low, high) == pytest.approx((1 / 50, 1 / 50))
    (alone,) = statistics.bootstrap_by_subject(ours, [statistics.accuracy])
    assert alone[1] - alone[0] > 0.1
    same = statistics.paired_bootstrap_by_subject(ours, ours, statistics.accuracy)
    assert same == (0, 0)
    assert all(map(math.isnan, statistics.paired_bootstrap_by_subject(ours[:1], theirs[:1], statistics.accuracy)))


def test_the_corrected_t_test_by_hand() -> None:
    """d = 1, 2, 3: mean 2, variance 1; with n_test / n_train = 1/9, t = 2 / sqrt(1/3 + 1/9) = 3."""
    t, p = statistics.corrected_resampled_t([1.0, 2.0, 3.0], 1 / 9)
    assert t == pytest.approx(3.0)
    assert p == pytest.approx(2 * stats.t.sf(3.0, 2))


def test_without_the_correction_it_is_students() -> None:
    d = np.random.default_rng(0).normal(0.3, 1, 12)
    assert statistics.corrected_resampled_t(d, 0.0) == pytest.approx(tuple(stats.ttest_1samp(d, 0)))


def test_degenerate_differences() -> None:
    assert statistics.corrected_resampled_t([0.0, 0.0], 0.1) == (0.0, 1.0)
    assert statistics.corrected_resampled_t([0.5, 0.5], 0.1) == (math.inf, 0.0)
    assert all(map(math.isnan, statistics.corrected_resampled_t([0.5], 0.1)))


def test_the_detectable_difference_by_simulation() -> None:
    """Means of noise with the standard error that an interval of -1.96 to 1.96 has: of that true size, 80 % are found."""
    size = statistics.detectable(-1.96, 1.96)
    drawn = np.random.default_rng(0).normal(size, 1, 200_000)
    assert (np.abs(drawn) > 1.96).mean() == pytest.approx(0.8, abs=0.005)
