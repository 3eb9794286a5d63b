"""Ranks that are shared, intervals of ranks, and what a board could have shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from ferbench.ranking import statistics
from ferbench.ranking.aggregate import BoardQuery, boards
from ferbench.ranking.compare import compare
from ferbench.records.schema import Record
from ferbench.records.store import Store
from ferbench.report.columns import footnotes, rank

Make = Callable[..., Record]


def study(make: Make, **right: list[int]) -> list[Record]:
    return [make(m, f, r, folds=len(column)) for m, column in right.items() for f, r in enumerate(column)]


def test_rows_that_the_data_do_not_tell_apart_share_a_rank(make: Make) -> None:
    (board,) = boards(study(make, a=[9, 9, 8, 9, 9, 9], b=[9, 8, 9, 9, 8, 9], c=[5, 4, 5, 5, 5, 4]))
    assert [(row.method, rank(row)) for row in board.rows] == [("a", "=1"), ("b", "=1"), ("c", "3")]
    assert (board.rows[2].rank_low, board.rows[2].rank_high) == (3, 3)
    assert board.rows[0].rank_low == 1
    assert board.rows[0].rank_high in (1, 2)
    assert len(footnotes(board)) == 2


def test_four_subjects_can_tell_nothing_apart(make: Make) -> None:
    """The smallest p of four sign flips is 1/8."""
    (board,) = boards(study(make, a=[10, 10], b=[1, 1]))
    assert [rank(row) for row in board.rows] == ["=1", "=1"]


def test_one_row_is_first_and_alone(make: Make) -> None:
    (board,) = boards(study(make, a=[9, 9]))
    assert (rank(board.rows[0]), board.detectable, footnotes(board)) == ("1", None, [])


def test_by_another_metric_no_tie_is_told(make: Make) -> None:
    (board,) = boards(study(make, a=[9, 9], b=[9, 9]), query=BoardQuery(metric="identity_leakage"))
    assert [rank(row) for row in board.rows] == ["1", "2"]


def test_ablations_are_shown_on_request(make: Make) -> None:
    records = [*study(make, a=[9, 9]), make("a", 0, 5, variant="less"), make("a", 1, 5, variant="less")]
    assert [len(boards(records, query=BoardQuery(include_ablations=wanted))[0].rows) for wanted in (True, False)] == [
        2,
        1,
    ]


def test_the_difference_to_a_baseline(make: Make) -> None:
    (board,) = boards(study(make, a=[9, 8, 9], b=[6, 6, 6]), query=BoardQuery(baseline="b"))
    gap = board.rows[0].against
    assert gap is not None
    assert gap.mean == pytest.approx(8 / 30)
    assert gap.low > 0.2
    assert board.rows[1].against is None


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, 10), min_size=5, max_size=5), min_size=2, max_size=5))
def test_ranks_never_rise_above_their_place(make: Make, columns: list[list[int]]) -> None:
    (board,) = boards(study(make, **{f"m{i}": column for i, column in enumerate(columns)}))
    ranks = [row.rank or 0 for row in board.rows]
    assert ranks[0] == 1
    assert ranks == sorted(ranks)
    assert all(r <= place for place, r in enumerate(ranks, 1))
    assert all(rank(row).startswith("=") == (ranks.count(row.rank or 0) > 1) for row in board.rows)


@pytest.mark.parametrize(("subjects", "close"), [(8, 1e-12), (25, 0.02)])
def test_many_tests_at_once_agree_with_scipys_one_at_a_time(subjects: int, close: float) -> None:
    """To the digit where all flips are gone through, and within chance where they are drawn."""
    d = np.random.default_rng(0).integers(-5, 7, (6, subjects)).astype(float)
    for p, row in zip(statistics.sign_flip_test(d), d, strict=True):
        theirs = stats.permutation_test(
            (row,), lambda x, axis: x.sum(axis=axis), permutation_type="samples", vectorized=True,
            n_resamples=9_999, rng=np.random.default_rng(0),
        )  # fmt: skip
        assert p == pytest.approx(theirs.pvalue, abs=close)


def test_a_pair_has_the_same_p_alone_and_among_others() -> None:
    d = np.random.default_rng(1).integers(-5, 7, (6, 25))
    assert statistics.sign_flip_test(d).tolist() == [float(statistics.sign_flip_test(row)) for row in d]


def test_the_board_and_the_comparison_have_the_same_p(make: Make) -> None:
    """Two rows: Holm's correction of one pair leaves its p as it is."""
    for theirs in ([8, 7, 9, 8, 7], [8, 8, 8, 9, 8], [6, 5, 6, 6, 5]):
        records = study(make, a=[9, 9, 8, 9, 9], b=theirs)
        (board,), (pair,) = boards(records), compare(records, "a", "b")
        assert (pair.p < statistics.ALPHA) is not board.rows[1].tied


def test_rank_intervals_by_hand() -> None:
    """Row 0 is first in all draws; rows 1 and 2 change places in half of them; equal scores share the better rank."""
    scores = np.array([[9, 5, 4], [9, 4, 5], [9, 5, 5]] * 20)
    assert statistics.rank_intervals(scores).tolist() == [[1, 1], [2, 3], [2, 3]]


def test_the_options(ferbench: Callable[..., Any], make: Make, tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.prepare()
    records = study(make, a=[9, 9, 8, 9, 9], b=[5, 4, 5, 5, 5])
    records += [make("a", f, 6, variant="less", folds=5) for f in range(5)]
    for record in records:
        store.write(record.trial.id, lambda _, record=record: record)  # type: ignore[misc]
    plain = ferbench("leaderboard", tmp_path)
    assert "less" not in plain.out
    assert "less" in ferbench("leaderboard", tmp_path, "--include-ablations").out
    shown = ferbench("leaderboard", tmp_path, "--baseline", "b").out
    assert "to b" in shown
    assert "+40.0 [" in shown
    assert "no method among the records 'c'" in ferbench("leaderboard", tmp_path, "--baseline", "c").err
    text = ferbench("leaderboard", tmp_path, "--baseline", "b", "--format", "markdown").out
    assert "| +40.0 [" in text
    assert "would often go unseen here" in text


def test_only_ablations(ferbench: Callable[..., Any], make: Make, tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.prepare()
    record = make("a", 0, 6, variant="less")
    store.write(record.trial.id, lambda _: record)
    done = ferbench("leaderboard", tmp_path)
    assert (done.status, "add --include-ablations" in done.err) == (2, True)
