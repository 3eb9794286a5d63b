"""Components of variance against the textbook's two-way layout, and what they are for: a known truth."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.studies import World
from ferbench.ranking.intervals import difference_of, score_of
from ferbench.ranking.sample import counted
from ferbench.ranking.scores import SCORES
from ferbench.ranking.variance import Group, components

ACCURACY = SCORES["accuracy"]


def test_one_fold_is_the_layout_of_the_textbook() -> None:
    """One fold of S subjects and R trainings with values x: mean squares of subjects, trainings and residuals by loops. The
    variance of the mean is (MS_subject + (1 - 1/S) (MS_training - MS_rest)) / (S R), where the factor takes back what
    MS_subject holds of trainings already."""
    random = np.random.default_rng(0)
    size, repeats = 7, 4
    x = random.normal(size=(repeats, size)) + 3 * random.normal(size=(repeats, 1)) + random.normal(size=(1, size))
    ms_subject = sum(repeats * (x[:, i].mean() - x.mean()) ** 2 for i in range(size)) / (size - 1)
    ms_training = sum(size * (x[t].mean() - x.mean()) ** 2 for t in range(repeats)) / (repeats - 1)
    ms_rest = sum(
        (x[t, i] - x[t].mean() - x[:, i].mean() + x.mean()) ** 2 for t in range(repeats) for i in range(size)
    ) / ((repeats - 1) * (size - 1))
    u = (x - x.mean()) / x.size
    found = components([Group(np.arange(size), u[None])], size)
    cells = size * repeats
    assert found.subject[0, 0] == pytest.approx(ms_subject / cells)
    assert found.training[0, 0] == pytest.approx((1 - 1 / size) * ms_training / cells)
    assert found.rest[0, 0] == pytest.approx((1 - 1 / size) * ms_rest / cells)
    variance = found.of_row(0)
    assert variance.luck == pytest.approx((1 - 1 / size) * (ms_training - ms_rest) / cells)
    uncertain = (
        ms_subject**2 / (size - 1)
        + ((1 - 1 / size) * ms_training) ** 2 / (repeats - 1)
        + ((1 - 1 / size) * ms_rest) ** 2 / ((repeats - 1) * (size - 1))
    )
    total = ms_subject + (1 - 1 / size) * (ms_training - ms_rest)
    assert variance.freedom == pytest.approx(total**2 / uncertain), "Satterthwaite"


def test_a_difference_is_that_of_the_differences() -> None:
    random = np.random.default_rng(1)
    u = random.normal(size=(3, 2, 6))
    u -= u.mean((1, 2), keepdims=True)
    members = np.arange(6)
    rows = components([Group(members, u)], 6)
    alone = components([Group(members, (u[2] - u[0])[None])], 6).of_row(0)
    pair = rows.of_differences(np.array([2]), np.array([0]))
    for name in ("total", "luck", "freedom"):
        assert float(getattr(pair, name)[0]) == pytest.approx(float(getattr(alone, name))), name


def test_luck_of_folds_that_ran_once_is_that_of_the_others() -> None:
    random = np.random.default_rng(2)
    groups = [Group(np.arange(3 * g, 3 * g + 3), random.normal(size=(1, 2, 3))) for g in range(4)]
    once = Group(np.arange(12, 15), random.normal(size=(1, 1, 3)))
    without, together = components(groups, 15), components([*groups, once], 15)
    assert together.training[0, 0] == pytest.approx(without.training[0, 0] * 9 / 8)


@pytest.mark.parametrize(
    ("folds", "seeds", "measured", "own"), [(1, 1, False, False), (3, 2, True, False), (6, 1, False, True)]
)
def test_when_luck_is_measured(folds: int, seeds: int, measured: bool, own: bool) -> None:
    one, other = World(6, folds, seeds).study(np.random.default_rng(0), [0.9, 0.8])
    found = difference_of(counted(one, ACCURACY), counted(other, ACCURACY))
    assert (found.luck == found.luck) is measured, "NaN where it is not"
    assert found.covers_luck is (measured or own)


def test_equal_methods_are_told_apart_as_often_as_the_level_says() -> None:
    """Luck of 0.4 in the logit makes a test by subject alone reject in a quarter of the studies (benchmarks/size_and_power.py).
    400 studies: at most 5 % and two standard errors."""
    random = np.random.default_rng(3)
    world = World(80, 10, 3, luck=0.4)
    told = [
        difference_of(*(counted(found, ACCURACY) for found in world.study(random, [0.9, 0.9]))).clear
        for _ in range(400)
    ]
    assert np.mean(told) < 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5


@pytest.mark.parametrize("name", SCORES)
def test_intervals_hold_the_truth_where_classes_are_unequal(name: str) -> None:
    """400 studies, half of the subjects show half of the expressions: 95 % within three standard errors."""
    random = np.random.default_rng(4)
    world = World(31, accuracy=0.85, subject=1.0, sparse=0.5)
    truth = world.truth(0.85)[name]
    found = [score_of(counted(world.study(random, [0.85])[0], SCORES[name])) for _ in range(400)]
    held = np.mean([score.low <= truth <= score.high for score in found])
    assert held == pytest.approx(0.95, abs=3 * (0.05 * 0.95 / 400) ** 0.5)
