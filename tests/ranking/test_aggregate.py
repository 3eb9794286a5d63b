"""Averages, intervals, ranks; what is incomplete or unlike is never ranked together."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ferbench.ranking.aggregate import BoardQuery, boards
from ferbench.records.schema import FAILED, Outcome
from tests.made_records import Make


def test_means_over_all_test_frames_and_seeds(make: Make) -> None:
    records = [
        make(fold=f, seed=s, right=r)
        for (f, s), r in zip(itertools.product((0, 1), (0, 1)), (8, 6, 10, 4), strict=True)
    ]
    (board,) = boards(records)
    (row,) = board.rows
    assert row.scores["accuracy"].mean == pytest.approx(0.7)
    assert row.scores["macro_f1"].mean == pytest.approx((2 * 0.7 / 1.7 + 0) / 2)
    assert (row.done, row.planned, row.rank) == (4, 4, 1)


def test_other_metrics_are_averaged_over_folds(make: Make) -> None:
    (board,) = boards(
        [make(fold=0, metrics={"identity_leakage": 0.2}), make(fold=1, metrics={"identity_leakage": 0.4})]
    )
    score = board.rows[0].scores["identity_leakage"]
    assert score.mean == pytest.approx(0.3)
    assert score.low < 0.2 < 0.4 < score.high


def test_a_metric_that_could_not_be_measured_is_left_out_of_the_mean(make: Make) -> None:
    (board,) = boards(
        [make(fold=0, metrics={"identity_leakage": None}), make(fold=1, metrics={"identity_leakage": 0.4})]
    )
    assert board.rows[0].scores["identity_leakage"].mean == 0.4
    assert math.isnan(board.rows[0].scores["identity_leakage"].low)


def test_the_best_complete_row_is_first_and_incomplete_ones_have_no_rank(make: Make) -> None:
    folds = range(4)
    records = [make(name, f, right, folds=4) for name, right in (("low", 5), ("high", 9)) for f in folds]
    (board,) = boards([*records, make("partial", 0, 10, folds=4)])
    assert [(r.method, r.rank) for r in board.rows] == [("high", 1), ("low", 2), ("partial", None)]
    assert board.rows[2].missing == [(0, 1, 0), (0, 2, 0), (0, 3, 0)]


def test_a_missing_seed_makes_a_row_incomplete(make: Make) -> None:
    (board,) = boards([make(fold=f, seed=s) for f, s in ((0, 0), (1, 0), (0, 1))])
    assert (board.rows[0].done, board.rows[0].planned, board.rows[0].rank) == (3, 4, None)


def test_ranking_by_leakage_puts_the_lowest_first(make: Make) -> None:
    records = [make(m, f, metrics={"identity_leakage": v}) for m, v in (("leaks", 0.9), ("tight", 0.1)) for f in (0, 1)]
    (board,) = boards(records, query=BoardQuery(metric="identity_leakage"))
    assert [r.method for r in board.rows] == ["tight", "leaks"]


@pytest.mark.parametrize("unlike", [{"dataset": "other"}, {"steps": 20}, {"folds": 3}])
def test_unlike_records_are_unlike_boards(make: Make, unlike: dict[str, object]) -> None:
    assert len(boards([make(), make("n", **unlike)])) == 2


@pytest.mark.parametrize("unlike", [{"version": 2}, {"variant": "no_head"}, {"settings": {"lr": 1}}])
def test_unlike_methods_are_never_averaged(make: Make, unlike: dict[str, object]) -> None:
    (board,) = boards([make(), make(**unlike)])
    assert len(board.rows) == 2


def test_one_dataset_only(make: Make) -> None:
    assert [b.dataset for b in boards([make(), make(dataset="other")], query=BoardQuery(dataset="other"))] == ["other"]


def test_failures_are_counted_beside_what_is_done(make: Make) -> None:
    failed = Outcome(make(fold=1).trial, FAILED, "it broke")
    never = Outcome(make("never").trial, FAILED, "it broke")
    (board,) = boards([make(fold=0)], [failed, never])
    assert [(r.method, r.done, r.failed, r.rank) for r in board.rows] == [("m", 1, 1, None), ("never", 0, 1, None)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(6)))
def test_the_order_of_records_does_not_count(make: Make, order: list[int]) -> None:
    records = [make(m, f, r) for m, r in (("a", 3), ("b", 7), ("c", 7)) for f in (0, 1)]
    ours, theirs = boards(records), boards([records[i] for i in order])
    assert [[(r.method, r.rank, r.scores["accuracy"]) for r in b.rows] for b in ours] == [
        [(r.method, r.rank, r.scores["accuracy"]) for r in b.rows] for b in theirs
    ]
