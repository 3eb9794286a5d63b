"""Two methods on the same subjects: the numbers, and what the words say of them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferbench.cli.compare import histogram
from ferbench.errors import FerbenchError
from ferbench.ranking import intervals
from ferbench.ranking.compare import compare
from ferbench.records.schema import Record
from ferbench.records.store import Store

Make = Callable[..., Record]


def records(make: Make, ours: list[int], theirs: list[int]) -> list[Record]:
    folds = len(ours)
    return [
        make(name, fold, right, folds=folds, metrics={"accuracy": right / 10})
        for name, column in (("a", ours), ("b", theirs))
        for fold, right in enumerate(column)
    ]


def test_a_clear_difference(make: Make) -> None:
    (found,) = compare(records(make, [9, 8, 9, 9, 8], [6, 6, 6, 7, 5]), "a", "b")
    assert found.difference.mean == pytest.approx(0.26)
    assert found.difference.low > 0
    assert found.difference.p == pytest.approx(2 / 2**10), "no fewer than a sign test of ten subjects gives"
    assert len(found.subjects) == 10
    assert found.difference.clear
    words = found.words()
    assert words.startswith("These trainings of a recognise expressions better than those of b, by 26.0 points.")
    limit = 100 * intervals.overturned_by(found.difference)
    assert "Training luck could not be measured, because each fold was trained with one seed." in words
    assert f"varies by more than {limit:.1f} points (standard deviation), it may be luck" in words


def test_several_seeds_measure_luck(make: Make) -> None:
    """Nothing differs between seeds: luck is 0, and the claim is of the methods."""
    made = [
        make(name, fold, right - fold % 2, seed=seed, folds=4)
        for name, right in (("a", 9), ("b", 6))
        for fold in range(4)
        for seed in (0, 1)
    ]
    (found,) = compare(made, "a", "b")
    assert found.difference.luck == 0
    assert found.words() == (
        "a recognises expressions better than b here, by 30.0 points. Training luck is part of the interval: between two "
        "trainings the difference varies by 0.0 points (standard deviation)."
    )


def test_one_subject_says_nothing(make: Make) -> None:
    made = [
        dataclasses.replace(make(m, folds=1), confusion={"P0": [[r, 10 - r], [0, 0]]}) for m, r in (("a", 9), ("b", 5))
    ]
    assert compare(made, "a", "b")[0].words() == "a and b were tested on one subject; nothing can be concluded from it."


def test_the_other_way_round(make: Make) -> None:
    made = records(make, [9, 8, 9, 9, 8], [6, 6, 6, 7, 5])
    there, back = compare(made, "a", "b")[0], compare(made, "b", "a")[0]
    assert back.difference.mean == pytest.approx(-there.difference.mean)
    assert back.difference.p == pytest.approx(there.difference.p)
    assert back.words().startswith("These trainings of a recognise expressions better than those of b")


def test_no_difference_is_no_proof_of_equality(make: Make) -> None:
    (found,) = compare(records(make, [8, 6, 8, 6], [6, 8, 7, 7]), "a", "b")
    assert found.difference.p == 1
    assert not found.difference.clear
    size = re.findall(r"a true difference of less than ([\d.]+) points would often have gone unseen", found.words())
    assert float(size[0]) == pytest.approx(100 * intervals.detectable(found.difference), abs=0.06)
    assert intervals.detectable(found.difference) > (found.difference.high - found.difference.low) / 2


def test_the_recall_of_each_class(make: Make) -> None:
    (found,) = compare(records(make, [9, 9], [6, 6]), "a", "b")
    assert found.classes == [("a", 0.9, 0.6)], "no subject shows the other class"


def test_unlike_folds_are_no_comparison(make: Make) -> None:
    made = records(make, [9, 8, 9], [6, 6, 6])
    (found,) = compare(made[:-1], "a", "b")
    assert found.trials == 2, "the folds that both ran"
    with pytest.raises(
        FerbenchError, match=r"No board has a and b .*on other folds or seeds on made \(2 and 1 trials\)"
    ):
        compare([*made[:2], made[-1]], "a", "b")


@pytest.mark.parametrize(
    ("ours", "theirs", "sentence"),
    [
        ("a", "c", "no method among the records 'c'. Known: a, b"),
        ("a", "a", "'a' is compared with itself"),
        ("a/less", "b", "no method among the records 'a/less'"),
    ],
)
def test_names_that_are_none(make: Make, ours: str, theirs: str, sentence: str) -> None:
    with pytest.raises(FerbenchError, match=sentence):
        compare(records(make, [9, 8], [6, 6]), ours, theirs)


def test_a_variant_is_named_after_a_slash(make: Make) -> None:
    made = [make("a", fold, right, variant=v) for v, right in (("full", 9), ("less", 5)) for fold in (0, 1)]
    (found,) = compare(made, "a", "a/less")
    assert found.difference.mean == pytest.approx(0.4)


def test_one_screen(ferbench: Callable[..., Any], make: Make, tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.prepare()
    for record in records(make, [9, 8, 9, 9, 8], [6, 6, 6, 7, 5]):
        store.write(record.trial.id, lambda _, record=record: record)  # type: ignore[misc]
    done = ferbench("compare", "a", "b", tmp_path)
    assert done.status == 0, done.err
    assert "difference        +26.0 points [+2" in done.out
    assert "p 0.002\n" in done.out
    assert "a against b · made · folds (frames=all) · net\n" in done.out, "boards of two backbones have two headings"
    assert "32 px, data ffffffff; 5 trials each" in done.out
    assert "better on 10, equal on 0, worse on 0" in done.out
    assert "These trainings of a recognise expressions better than those of b" in done.out.replace("\n  ", " ")
    assert max(map(len, done.out.splitlines())) <= 100


def test_the_picture_of_subjects() -> None:
    assert histogram([0.0] * 5) == "-5 |          █          | +5 points"
    drawn = histogram([-1.0, 0.0, 0.0, 1.0])
    assert drawn == "-100 |▄         █         ▄| +100 points"
    assert len(histogram(list(np.linspace(-0.3, 0.3, 50)))) == len("-30 |") + 21 + len("| +30 points")
