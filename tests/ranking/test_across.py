"""Friedman and Nemenyi, against Demsar's table of quantiles, formulas by hand and scikit-posthocs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferbench.ranking import statistics
from ferbench.ranking.across import across
from ferbench.ranking.aggregate import boards
from tests.made_records import Make

scikit_posthocs = pytest.importorskip("scikit_posthocs")


@pytest.mark.parametrize(("methods", "quantile"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_the_critical_values_of_demsar(methods: int, quantile: float) -> None:
    """Table 5 (a) of Demsar (JMLR 7, 2006), alpha = 0.05."""
    found = statistics.critical_difference(methods, 14)
    assert found == pytest.approx(quantile * (methods * (methods + 1) / (6 * 14)) ** 0.5, abs=0.001)


def test_friedman_by_its_formula() -> None:
    """Without ties: 12 N / (k (k + 1)) (sum of squared mean ranks - k (k + 1)^2 / 4)."""
    scores = np.random.default_rng(0).normal(size=(8, 4))
    ranks = statistics.mean_ranks(scores)
    chi2, _ = statistics.friedman(scores)
    assert chi2 == pytest.approx(12 * 8 / 20 * ((ranks**2).sum() - 4 * 25 / 4))
    assert ranks.mean() == pytest.approx(2.5)


@given(st.integers(3, 6), st.integers(2, 9), st.integers(0, 10))
def test_nemenyi_says_what_the_difference_says(methods: int, datasets: int, seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=(datasets, methods))
    ranks, difference = statistics.mean_ranks(scores), statistics.critical_difference(methods, datasets)
    p_values = scikit_posthocs.posthoc_nemenyi_friedman(scores).to_numpy()
    gaps = np.abs(ranks[:, None] - ranks[None])
    clear = np.abs(gaps - difference) > 1e-6
    assert ((p_values < 0.05) == (gaps > difference))[clear & (gaps > 0)].all()


def test_too_little_to_say() -> None:
    assert np.isnan(statistics.friedman(np.zeros((1, 4)))[0])
    assert np.isnan(statistics.friedman(np.zeros((4, 2)))[0])
    assert statistics.friedman(np.ones((4, 3))) == (0.0, 1.0)


def test_methods_that_are_complete_everywhere(make: Make) -> None:
    records = []
    for dataset in ("one", "two"):
        for number, method in enumerate("abc"):
            records += [make(method, fold, right=9 - number, dataset=dataset) for fold in (0, 1)]
        records.append(make("partial", 0, right=10, dataset=dataset))
    found = across(boards(records))
    assert found is not None
    assert found.methods == ("a", "b", "c")
    assert found.ranks.tolist() == [1, 2, 3]
    assert "2 datasets are few for this test" in found.words()
    assert across(boards(records)[:1]) is None
    lower = across(boards(records), higher=False)
    assert lower is not None
    assert lower.ranks.tolist() == [3, 2, 1]
