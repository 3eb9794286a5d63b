"""Corrections for many tests, and tests over many datasets. numpy and scipy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Array = np.ndarray

ALPHA = 0.05
"""Level at which a test rejects."""


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (Scandinavian Journal of Statistics 6, 1979): the i-th smallest of m (from 0) is
    multiplied by m - i; never smaller than the one before, nor above 1. NaN stays NaN and does not count.

    >>> holm([0.25, 0.03125])
    [0.25, 0.0625]
    """
    found = [float("nan")] * len(p_values)
    order = sorted((i for i, p in enumerate(p_values) if p == p), key=lambda i: p_values[i])
    highest = 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, p_values[index] * (len(order) - place)))
        found[index] = highest
    return found


def mean_ranks(scores: Array) -> Array:
    """(datasets, methods) of scores, more is better -> (methods,): mean rank over datasets, 1 the best, ties averaged.

    >>> mean_ranks([[0.9, 0.8, 0.8], [0.7, 0.9, 0.6]]).tolist()
    [1.5, 1.75, 2.75]
    """
    from scipy import stats

    result: np.ndarray = stats.rankdata(-np.asarray(scores, dtype=float), axis=1).mean(0)
    return result


def friedman(scores: Array) -> tuple[float, float]:
    """(chi squared, p) of Friedman's test that all methods are alike: (datasets, methods), corrected for ties (scipy). NaN for
    fewer than three methods or two datasets; (0, 1) where every dataset ties all methods.

    >>> friedman([[0.9, 0.8, 0.7], [0.6, 0.5, 0.4]])[0]
    4.0
    """
    from scipy import stats

    scores = np.asarray(scores, dtype=float)
    if scores.shape[0] < 2 or scores.shape[1] < 3:
        return float("nan"), float("nan")
    if (scores == scores[:, :1]).all():
        return 0.0, 1.0
    found = stats.friedmanchisquare(*scores.T)
    return float(found.statistic), float(found.pvalue)


def critical_difference(methods: int, datasets: int, alpha: float = ALPHA) -> float:
    """By how much two mean ranks have to differ (Nemenyi, as Demsar, JMLR 7, 2006): q sqrt(k (k + 1) / (6 N)), q the quantile of
    the studentised range over sqrt(2).

    >>> round(critical_difference(methods=4, datasets=14), 3)
    1.254
    """
    from scipy import stats

    q = float(stats.studentized_range.ppf(1 - alpha, methods, np.inf)) / 2**0.5
    result: float = q * (methods * (methods + 1) / (6 * datasets)) ** 0.5
    return result
