"""Ranks that are shared, intervals of ranks, and what a board could have shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks.studies import World
from ferbench.errors import FerbenchError
from ferbench.ranking.aggregate import BoardQuery, boards
from ferbench.ranking.board import Board, Row
from ferbench.ranking.compare import compare
from ferbench.ranking.sample import counted
from ferbench.ranking.scores import SCORES
from ferbench.ranking.ties import separable, tie
from ferbench.records.schema import Record
from ferbench.records.store import Store
from ferbench.report.columns import footnotes, rank

Make = Callable[..., Record]


def study(make: Make, **right: list[int]) -> list[Record]:
    return [make(m, f, r, folds=len(column)) for m, column in right.items() for f, r in enumerate(column)]


def test_rows_that_the_data_do_not_tell_apart_share_a_rank(make: Make) -> None:
    (board,) = boards(study(make, a=[9, 9, 8, 9, 9, 9], b=[9, 8, 9, 9, 8, 9], c=[5, 4, 5, 5, 5, 4]))
    assert [(row.method, rank(row)) for row in board.rows] == [("a", "=1"), ("b", "=1"), ("c", "3")]
    assert [(row.rank_low, row.rank_high) for row in board.rows] == [(1, 2), (1, 2), (3, 3)]
    (tied, size, seed) = footnotes(board)
    assert tied.startswith(
        "=: the data do not tell these from the others of their group (t-test of subjects and trainings, Holm"
    )
    assert "would often go unseen here" in size
    assert seed.startswith("One seed: training luck could not be measured")


def test_few_subjects_can_tell_few_rows_apart(make: Make) -> None:
    """Eight subjects, all in favour: the smallest p is 1/128, times 6 pairs 0.047, times 10 pairs 0.078."""
    right = {"a": [10] * 4, "b": [7] * 4, "c": [4] * 4, "d": [1] * 4}
    (board,) = boards(study(make, **right))
    assert [rank(row) for row in board.rows] == ["1", "2", "3", "4"]
    (board,) = boards(study(make, **right, e=[0] * 4))
    assert [rank(row) for row in board.rows] == ["=1"] * 5
    assert board.separable == 4
    assert any(
        note
        == "8 subjects can tell at most 4 rows apart: of 5 rows, no difference can be told from chance in 10 tests. "
        "Fewer rows or more subjects can."
        for note in footnotes(board)
    )
    (board,) = boards(study(make, a=[10, 10], b=[1, 1]))
    assert [rank(row) for row in board.rows] == ["=1", "=1"]
    assert any(note.startswith("4 subjects can tell no rows apart") for note in footnotes(board))


@pytest.mark.parametrize("subjects", range(6, 16))
def test_how_many_rows_can_be_told_apart(subjects: int) -> None:
    most = separable(subjects)
    smallest = stats.binomtest(subjects, subjects).pvalue
    assert smallest * most * (most - 1) / 2 < 0.05 <= smallest * most * (most + 1) / 2


@pytest.mark.parametrize("methods", [33, 100])
def test_two_groups_of_many_methods_come_out_as_such(methods: int) -> None:
    """80 subjects, 10 folds, 3 seeds and trainings that differ by luck; the groups are ten points apart."""
    half = methods // 2
    world = World(80, 10, 3, luck=0.1)
    found = world.study(np.random.default_rng(0), [0.93] * half + [0.83] * (methods - half))
    score = SCORES["accuracy"]
    order = sorted(range(methods), key=lambda i: -float(score.value(found[i].pooled)))
    rows = [Row(f"m{i}", 1, "full", "net", 10, (0, 1, 2)) for i in order]
    tie(Board("made", "folds", "", rows), rows, [counted(found[i], score) for i in order])
    assert {row.rank for row in rows[:half]} == {1}
    assert {row.rank for row in rows[half:]} == {half + 1}
    assert {row.rank_low for row in rows[:half]} == {1}
    assert {row.rank_high for row in rows[half:]} == {methods}


def test_one_row_is_first_and_alone(make: Make) -> None:
    (board,) = boards(study(make, a=[9, 9]))
    assert (rank(board.rows[0]), board.detectable, footnotes(board)) == ("1", None, [])


def test_by_a_metric_without_a_test_rows_are_ordered_and_not_ranked(make: Make) -> None:
    (board,) = boards(study(make, a=[9, 9], b=[9, 9]), query=BoardQuery(metric="identity_leakage"))
    assert [rank(row) for row in board.rows] == ["-", "-"]
    assert board.notes == [
        (
            "Rows are ordered by identity_leakage and not ranked: records do not hold it by subject, so that no test can say which "
            "differences are more than chance."
        )
    ]


def test_a_row_without_the_metric_does_not_keep_others_from_ranks(make: Make) -> None:
    leaks = {"a": 0.1, "b": 0.6, "c": None}
    records = []
    for record in study(make, a=[9] * 6, b=[9] * 6, c=[9] * 6):
        leak = leaks[record.trial.method]
        metrics = {**record.metrics, "identity_leakage": leak}
        values = {} if leak is None else {"identity_leakage": dict.fromkeys(record.subjects, leak)}
        records.append(dataclasses.replace(record, metrics=metrics, by_subject=values))
    (board,) = boards(records, query=BoardQuery(metric="identity_leakage"))
    assert {row.method: rank(row) for row in board.rows} == {"a": "1", "b": "2", "c": "-"}
    assert "Not ranked, since their records have no identity_leakage: c." in board.notes


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_f1", "sequence_accuracy"])
def test_every_score_of_counts_is_tested(make: Make, metric: str) -> None:
    (board,) = boards(study(make, a=[9] * 6, b=[4] * 6), query=BoardQuery(metric=metric))
    assert [rank(row) for row in board.rows] == ["1", "2"]


def test_other_frames_of_the_same_subjects_are_not_compared_without_a_word(make: Make) -> None:
    records = study(make, a=[9, 9, 9], b=[5, 5, 5])
    less = {subject: [[table[0][0] - 1, table[0][1]], table[1]] for subject, table in records[0].confusion.items()}
    (board,) = boards([dataclasses.replace(records[0], confusion=less), *records[1:]])
    assert [row.rank for row in board.rows] == [None, None]
    assert board.notes == [
        "b and a were not tested on the same frames of their subjects: rows of this board are not ranked."
    ]
    with pytest.raises(
        FerbenchError, match="a and b were not tested on the same frames of their subjects on made, and cannot"
    ):
        compare([dataclasses.replace(records[0], confusion=less), *records[1:]], "a", "b")


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
    assert gap.low > 0.19
    assert board.rows[1].against is None


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, 10), min_size=5, max_size=5), min_size=2, max_size=7))
def test_ranks_never_rise_above_their_place(make: Make, columns: list[list[int]]) -> None:
    (board,) = boards(study(make, **{f"m{i}": column for i, column in enumerate(columns)}))
    ranks = [row.rank or 0 for row in board.rows]
    assert ranks[0] == 1
    assert ranks == sorted(ranks)
    assert all(r <= place for place, r in enumerate(ranks, 1))
    assert all(rank(row).startswith("=") == (ranks.count(row.rank or 0) > 1) for row in board.rows)
    assert all((row.rank_low or 0) <= (row.rank or 0) <= (row.rank_high or 0) for row in board.rows)
    assert all((row.rank_low or 0) <= place <= (row.rank_high or 0) for place, row in enumerate(board.rows, 1))


def test_the_board_and_the_comparison_have_the_same_p(make: Make) -> None:
    """Two rows: Holm's correction of one pair leaves its p as it is."""
    for theirs in ([8, 7, 9, 8, 7], [8, 8, 8, 9, 8], [6, 5, 6, 6, 5]):
        records = study(make, a=[9, 9, 8, 9, 9], b=theirs)
        (board,) = boards(records, query=BoardQuery(baseline="b"))
        (pair,) = compare(records, "a", "b")
        assert board.rows[0].against is not None
        compared = dataclasses.asdict(pair.difference)  # NaN: luck, which one seed does not tell
        assert dataclasses.asdict(board.rows[0].against) == pytest.approx(compared, rel=0, abs=0, nan_ok=True)
        assert pair.difference.clear is not board.rows[1].tied


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
