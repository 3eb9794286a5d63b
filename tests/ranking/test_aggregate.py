"""Averages, intervals, ranks; what is incomplete or unlike is never ranked together."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from ferbench.errors import FerbenchError
from ferbench.ranking.aggregate import BoardQuery, boards
from ferbench.ranking.compare import compare
from ferbench.records.schema import FAILED, Outcome, Record
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
    assert math.isnan(score.low), "no interval: the records do not hold it by subject"


def test_a_metric_by_subject_has_an_interval_and_ranks(make: Make) -> None:
    """Means over subjects and folds; the contributions of subjects are those of a mean of 16 values."""

    def record(method: str, fold: int, leaks: tuple[float, float]) -> Record:
        names = (f"P{2 * fold}", f"P{2 * fold + 1}")
        made = make(method, fold, folds=8, metrics={"identity_leakage": sum(leaks) / 2})
        return dataclasses.replace(made, by_subject={"identity_leakage": dict(zip(names, leaks, strict=True))})

    random = np.random.default_rng(0)
    tight, leaky = random.normal(0.1, 0.05, (8, 2)), random.normal(0.6, 0.1, (8, 2))
    records = [record(m, f, tuple(v[f])) for m, v in (("tight", tight), ("leaky", leaky)) for f in range(8)]
    (board,) = boards(records, query=BoardQuery(metric="identity_leakage"))
    assert [(row.method, row.rank, row.tied) for row in board.rows] == [("tight", 1, False), ("leaky", 2, False)]
    score = board.rows[1].scores["identity_leakage"]
    half = stats.t.ppf(0.975, 15) * (stats.sem(leaky.ravel()) ** 2 + (2 / 160) ** 2) ** 0.5
    assert (score.mean, score.low, score.high) == pytest.approx(
        (leaky.mean(), leaky.mean() - half, leaky.mean() + half)
    )
    (pair,) = compare(records, "tight", "leaky", metric="identity_leakage")
    assert pair.difference.p < 1e-4
    assert pair.words().startswith("These trainings of tight have a better identity leakage than those of leaky, by 0.")
    with pytest.raises(FerbenchError, match="expression_probe of tight and leaky on made cannot be compared"):
        compare(records, "tight", "leaky", metric="expression_probe")


def test_records_measured_by_two_versions_are_said_to_be(make: Make) -> None:
    records = [make("old"), dataclasses.replace(make("new"), provenance={"evaluators": {"leakage": 2}})]
    (board,) = boards(records)
    assert board.notes[0].startswith("Some records of old were measured by an older version of the evaluator 'leakage'")


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


def test_a_failure_with_a_seed_that_nobody_else_ran_counts_against_nobody(make: Make) -> None:
    records = [make(m, f) for m in ("a", "b") for f in (0, 1)]
    (board,) = boards(records, [Outcome(make("a", 0, seed=7).trial, FAILED, "no luck")])
    assert [(row.complete, row.rank) for row in board.rows] == [(True, 1), (True, 1)]
    assert board.notes == [
        "a · fold 0 · seed 7 failed; no finished trial has its seed, so that it does not count against any row."
    ]
    (board,) = boards(records[1:], [Outcome(records[0].trial, FAILED, "no luck")])
    assert [row.complete for row in board.rows] == [True, False], "a seed that others have"


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


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(6)))
def test_the_order_of_records_does_not_count(make: Make, order: list[int]) -> None:
    records = [make(m, f, r) for m, r in (("a", 3), ("b", 7), ("c", 7)) for f in (0, 1)]
    ours, theirs = boards(records), boards([records[i] for i in order])
    assert [[(r.method, r.rank, r.scores["accuracy"]) for r in b.rows] for b in ours] == [
        [(r.method, r.rank, r.scores["accuracy"]) for r in b.rows] for b in theirs
    ]


@pytest.mark.parametrize(("name", "value"), [("sampling", "class_balanced"), ("clip_norm", 1.0), ("accumulate", 2)])
def test_two_ways_of_training_have_boards_of_their_own_which_say_so(make: Make, name: str, value: object) -> None:
    """Fold 0 with one and fold 1 with the other would otherwise make one row."""

    def other_way(record: Record) -> Record:
        identity = dataclasses.replace(record.trial.identity, trainer={**record.trial.identity.trainer, name: value})
        return dataclasses.replace(record, trial=dataclasses.replace(record.trial, id="b", identity=identity))

    usual, other = boards([make(fold=0, right=2), other_way(make(fold=1, right=8))])
    assert name not in usual.setting
    assert f", {name} {value}, " in other.setting
    assert [board.rows[0].done for board in (usual, other)] == [1, 1]
    assert [board.rows[0].scores["accuracy"].mean for board in (usual, other)] == [0.2, 0.8]
