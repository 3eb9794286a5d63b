"""Intervals of scores and the test of a difference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ferbench.ranking import intervals
from ferbench.ranking.answers import Answers
from ferbench.ranking.board import Difference
from ferbench.ranking.intervals import difference_of, effective_frames, score_of, smallest_p, wilson
from ferbench.ranking.sample import counted
from ferbench.ranking.scores import SCORES

ACCURACY = SCORES["accuracy"]


def answers(right: list[int], frames: int = 10) -> Answers:
    """One training that tested a subject for each number: so many of `frames` right."""
    counts = np.array([[[[r, frames - r], [0, 0]] for r in right]], dtype=float)
    return Answers({(0, 0): (tuple(f"P{i}" for i in range(len(right))), (0,), counts)})


@given(st.integers(0, 30), st.integers(1, 30))
def test_wilsons_interval_is_scipys(right: int, wrong: int) -> None:
    theirs = stats.binomtest(right, right + wrong).proportion_ci(method="wilson")
    assert wilson(right / (right + wrong), right + wrong, 1e12) == pytest.approx((theirs.low, theirs.high), abs=1e-6)


@given(st.lists(st.integers(0, 10), min_size=2, max_size=12))
def test_an_interval_is_never_empty_and_never_outside(right: list[int]) -> None:
    for score in SCORES.values():
        found = score_of(counted(answers(right), score))
        assert 0 <= found.low <= found.mean <= found.high <= 1
        assert found.high - found.low > 0.01
    other = difference_of(counted(answers(right), ACCURACY), counted(answers(right[::-1]), ACCURACY))
    if len(right) > 5:
        assert -1 <= other.low < other.high <= 1
    else:
        assert math.isnan(other.low), "the test cannot reject"
    assert 0 < other.p <= 1


def test_subjects_that_differ_make_an_interval_wide() -> None:
    alike, unlike = (score_of(counted(answers(right), ACCURACY)) for right in ([7, 8, 7, 8] * 5, [10, 5, 10, 5] * 5))
    assert alike.mean == unlike.mean == 0.75
    assert unlike.high - unlike.low > 1.5 * (alike.high - alike.low)


def test_all_right_is_as_good_as_so_many_frames() -> None:
    """20 subjects of 10 frames, none wrong: Wilson's interval of 200 of 200 with t of 19 degrees of freedom."""
    found = score_of(counted(answers([10] * 20), ACCURACY))
    square = float(stats.t.ppf(0.975, 19)) ** 2
    assert (found.low, found.high) == pytest.approx((200 / (200 + square), 1))


def test_seeds_are_not_more_frames() -> None:
    """The same answers in every one of three trainings: the interval is that of one."""
    once = answers([9, 8, 10, 7, 9])
    names, _, counts = once.folds[0, 0]
    thrice = Answers({(0, 0): (names, (0, 1, 2), np.repeat(counts, 3, axis=0))})
    a, b = score_of(counted(once, ACCURACY)), score_of(counted(thrice, ACCURACY))
    assert (b.low, b.high) == pytest.approx((a.low, a.high))


def test_one_subject_has_no_interval() -> None:
    assert math.isnan(score_of(counted(answers([8]), ACCURACY)).low)
    alone = difference_of(counted(answers([8]), ACCURACY), counted(answers([5]), ACCURACY))
    assert alone.mean == pytest.approx(0.3)
    assert math.isnan(alone.p)
    assert not alone.clear


def test_without_trainings_it_is_students_test_of_subjects() -> None:
    """Equal numbers of frames: the standard error is that of the mean of the differences, and one frame more."""
    ours, theirs = [9, 8, 10, 7, 9, 6, 8, 9], [7, 8, 8, 7, 6, 6, 7, 9]
    found = difference_of(counted(answers(ours), ACCURACY), counted(answers(theirs), ACCURACY))
    gaps = (np.array(ours) - theirs) / 10
    error = stats.sem(gaps)
    assert found.mean == pytest.approx(gaps.mean())
    assert found.error**2 == pytest.approx(error**2 + 1 / 80**2)
    assert found.freedom == pytest.approx(7)
    assert found.p == pytest.approx(2 * stats.t.sf(gaps.mean() / found.error, 7))
    assert (found.high - found.low) / 2 == pytest.approx(stats.t.ppf(0.975, 7) * found.error)


def test_no_p_value_is_smaller_than_that_of_a_sign_test() -> None:
    for subjects in (4, 8, 12):
        found = difference_of(counted(answers([10] * subjects), ACCURACY), counted(answers([1] * subjects), ACCURACY))
        assert found.p == stats.binomtest(subjects, subjects).pvalue == smallest_p(subjects)
        assert found.clear is (subjects > 5)
        assert math.isnan(found.low) is (subjects <= 5), "an interval never says more than the test"
        assert math.isinf(intervals.detectable(found)) is (subjects <= 5)


def test_swapping_the_methods_changes_the_sign_only() -> None:
    a, b = answers([9, 8, 10, 7, 8, 8]), answers([7, 8, 8, 7, 9, 7])
    there, back = (
        difference_of(counted(a, ACCURACY), counted(b, ACCURACY)),
        difference_of(counted(b, ACCURACY), counted(a, ACCURACY)),
    )
    assert (back.mean, back.low, back.high, back.p) == pytest.approx((-there.mean, -there.high, -there.low, there.p))


def test_equal_rows_may_differ_on_the_next_frame() -> None:
    same = difference_of(counted(answers([9, 8, 10, 7]), ACCURACY), counted(answers([9, 8, 10, 7]), ACCURACY))
    assert (same.mean, same.p) == (0, 1)
    assert same.error == pytest.approx(1 / 40)


def test_the_detectable_difference_by_simulation() -> None:
    """Student's t with 12 degrees of freedom, a true difference of that size: about 80 % are found."""
    difference = Difference(0.0, error=1.0, freedom=12.0)
    random = np.random.default_rng(0)
    drawn = random.normal(intervals.detectable(difference), 1, 200_000) / np.sqrt(random.chisquare(12, 200_000) / 12)
    assert (np.abs(drawn) > stats.t.ppf(0.975, 12)).mean() == pytest.approx(0.8, abs=0.015)
    assert intervals.detectable(difference, pairs=10) > intervals.detectable(difference)


def test_the_luck_that_would_overturn_a_finding() -> None:
    """With that standard deviation between trainings added to the variance, the interval reaches 0."""
    found = Difference(0.1, error=0.02, freedom=30.0, trainings=10)
    limit = intervals.overturned_by(found)
    assert stats.t.ppf(0.975, 30) * (0.02**2 + limit**2 / 10) ** 0.5 == pytest.approx(0.1)
    assert intervals.overturned_by(Difference(0.01, error=0.02, freedom=30.0, trainings=10)) == 0


def test_the_effective_number_of_frames() -> None:
    assert effective_frames(0.8, 0.8 * 0.2 / 50, 100) == pytest.approx(50)
    assert effective_frames(0.8, 0.0, 100) == 200
    assert effective_frames(1.0, 0.0, 100) == 100
