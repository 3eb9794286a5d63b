"""Statistics of records: scores from confusion counts, and intervals by resampling subjects. numpy and scipy only.

Frames of one subject are not independent, and folds share training data; so intervals come from resampling subjects,
whose predictions are made by models that never saw them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Array = np.ndarray
DRAWS = 2000
"""Of the bootstrap."""

ALPHA = 0.05
"""Level at which a test rejects."""


def accuracy(tables: Array) -> Array:
    """Share of frames on the diagonal.

    >>> float(accuracy(np.array([[3, 1], [0, 4]])))
    0.875

    Args:
        tables: (..., C, C), confusion counts, rows true.

    Returns:
        (...), 0 to 1; 0 without frames.
    """
    result: np.ndarray = np.trace(tables, axis1=-2, axis2=-1) / np.maximum(tables.sum((-2, -1)), 1)
    return result


def balanced_accuracy(tables: Array) -> Array:
    """Mean recall over the classes that occur: (..., C, C), rows true -> (...), 0 to 1.

    >>> float(balanced_accuracy(np.array([[2, 2, 0], [0, 4, 0], [0, 0, 0]])))
    0.75
    """
    support = tables.sum(-1)
    recall = np.diagonal(tables, axis1=-2, axis2=-1) / np.maximum(support, 1)
    present = support > 0
    result: np.ndarray = (recall * present).sum(-1) / np.maximum(present.sum(-1), 1)
    return result


def macro_f1(tables: Array) -> Array:
    """Mean F1 = 2 TP / (true + predicted) over the classes that occur in labels or predictions: (..., C, C), rows true -> (...),
    0 to 1.

    >>> float(macro_f1(np.array([[1, 1], [1, 1]])))
    0.5
    """
    both = tables.sum(-1) + tables.sum(-2)
    f1 = 2 * np.diagonal(tables, axis1=-2, axis2=-1) / np.maximum(both, 1)
    present = both > 0
    result: np.ndarray = (f1 * present).sum(-1) / np.maximum(present.sum(-1), 1)
    return result


SCORES: dict[str, Callable[[Array], Array]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "macro_f1": macro_f1,
}


def resampled(subjects: int, draws: int = DRAWS, seed: int = 0) -> Array:
    """(draws, subjects): how often each subject is drawn, with replacement; the same for equal arguments.

    >>> resampled(5, draws=3).sum(axis=1).tolist()
    [5, 5, 5]
    """
    return np.random.default_rng(seed).multinomial(subjects, np.full(subjects, 1 / subjects), size=draws)


def bootstrap_by_subject(
    tables: Array, scores: Sequence[Callable[[Array], Array]], draws: int = DRAWS, level: float = 0.95, seed: int = 0
) -> list[tuple[float, float]]:
    """Percentile intervals of scores, subjects resampled with replacement (cluster bootstrap).

    >>> alike = np.array([[[3, 1], [0, 4]]] * 5)
    >>> bootstrap_by_subject(alike, [accuracy])
    [(0.875, 0.875)]

    Args:
        tables: (S, C, C), confusion counts of each subject.
        scores: each from (..., C, C) to (...).

    Returns:
        (low, high) of each score; NaN for fewer than two subjects, and for no draws.
    """
    subjects = len(tables)
    if subjects < 2 or not draws:
        return [(float("nan"), float("nan"))] * len(scores)
    drawn = np.tensordot(resampled(subjects, draws, seed).astype(float), tables, axes=1)
    found = [np.quantile(score(drawn), [(1 - level) / 2, (1 + level) / 2]) for score in scores]
    return [(float(low), float(high)) for low, high in found]


def mean_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """(low, high) of Student's t interval of a mean; NaN for fewer than two values.

    >>> mean_interval([0.5, 0.5])
    (0.5, 0.5)
    """
    from scipy import stats

    if len(values) < 2:
        return float("nan"), float("nan")
    spread = float(np.std(values, ddof=1)) / len(values) ** 0.5
    if spread == 0:
        return float(np.mean(values)), float(np.mean(values))
    low, high = stats.t.interval(level, len(values) - 1, loc=float(np.mean(values)), scale=spread)
    return float(low), float(high)


def paired_bootstrap_by_subject(
    ours: Array, theirs: Array, score: Callable[[Array], Array], draws: int = DRAWS, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of score(ours) - score(theirs): the same resampled subjects for both.

    >>> theirs = np.array([[[3, 1], [0, 4]]] * 5)
    >>> paired_bootstrap_by_subject(theirs + np.array([[1, -1], [0, 0]]), theirs, accuracy)
    (0.125, 0.125)

    Args:
        ours, theirs: (S, C, C), confusion counts of the same subjects in the same order.
        score: from (..., C, C) to (...).

    Returns:
        (low, high); NaN for fewer than two subjects.
    """
    subjects = len(ours)
    if subjects < 2:
        return float("nan"), float("nan")
    counts = resampled(subjects, draws, seed).astype(float)  # products of floats go through BLAS
    gaps = score(np.tensordot(counts, ours, axes=1)) - score(np.tensordot(counts, theirs, axes=1))
    low, high = np.quantile(gaps, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


EXACT = 20
"""Subjects up to which all 2^S sign flips are gone through; beyond, RESAMPLES of them are drawn."""

RESAMPLES = 9_999

AT_ONCE = 4_000_000
"""Sums of flipped differences that are held in memory at a time."""


def sign_flip_test(differences: Sequence[float] | Array, seed: int = 0) -> Array:
    """Two-sided p-values of paired differences under random swapping of the two methods, subject by subject: the share of sign
    flips whose sum is as far from 0, exact up to 20 subjects, else of 9,999 random ones with one added to both counts. All rows
    see the same flips: a board of a hundred methods is one matrix product, and a pair has the same p wherever it is printed.

    >>> float(sign_flip_test([2, 3, 1, 4]))  # two of sixteen flips are as far from 0
    0.125
    >>> sign_flip_test([[1, -1], [0, 0]]).tolist()
    [1.0, 1.0]

    Args:
        differences: (..., S), one a subject, as counts of right answers.

    Returns:
        (...), 0 to 1; 1 where all differences are 0, and for one subject; NaN for none.
    """
    d = np.asarray(differences, dtype=np.float32)
    subjects = d.shape[-1]
    if not subjects:
        return np.full(d.shape[:-1], np.nan)
    observed = np.abs(d.sum(-1))
    least = observed - 1e-4 * np.maximum(observed, 1)
    flips, added = (_all_flips(subjects), 0) if subjects <= EXACT else (_random_flips(subjects, seed), 1)
    beyond = np.full(observed.shape, added)
    for part in np.array_split(flips, -(-len(flips) * max(observed.size, 1) // AT_ONCE)):
        sums = np.tensordot(part.astype(np.float32), d, axes=(1, -1))
        beyond += (np.abs(sums) >= least).sum(axis=0)
    return beyond / (len(flips) + added)


def _all_flips(subjects: int) -> Array:
    """(2^(S - 1), S) of 1 and -1: those that leave the last subject as it is; the others mirror them, with the same distances."""
    return (1 - 2 * ((np.arange(2 ** (subjects - 1))[:, None] >> np.arange(subjects)) & 1)).astype(np.int8)


def _random_flips(subjects: int, seed: int) -> Array:
    """(RESAMPLES, S) of 1 and -1."""
    return np.random.default_rng(seed).integers(0, 2, (RESAMPLES, subjects), dtype=np.int8) * 2 - 1


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


def corrected_resampled_t(differences: Sequence[float] | Array, test_to_train: float) -> tuple[float, float]:
    """Nadeau and Bengio's corrected resampled t-test (Inference for the Generalization Error, Machine Learning 52, 2003): t =
    mean(d) / sqrt((1/n + n_test/n_train) var(d)), two-sided with n - 1 degrees of freedom. The second term stands for the
    training data that folds share; without it the test finds differences where there are none.

    >>> t, p = corrected_resampled_t([1.0, 2.0, 3.0], 1 / 9)
    >>> round(t, 6), round(p, 3)
    (3.0, 0.095)

    Args:
        differences: of a score, one a fold and seed.
        test_to_train: n_test / n_train.

    Returns:
        (t, p); (0, 1) where all differences are 0, NaN for fewer than two.
    """
    from scipy import stats

    d = np.asarray(differences, dtype=float)
    if len(d) < 2:
        return float("nan"), float("nan")
    variance = float(d.var(ddof=1))
    if variance == 0:
        return (0.0, 1.0) if not d.any() else (float(np.copysign(np.inf, d.mean())), 0.0)
    t = float(d.mean()) / ((1 / len(d) + test_to_train) * variance) ** 0.5
    return t, float(2 * stats.t.sf(abs(t), len(d) - 1))


def detectable(low: float, high: float, level: float = 0.95, power: float = 0.8) -> float:
    """The smallest true difference that data with an interval of this width would show in 8 of 10 studies: half the width is
    z(level) standard errors, and z(level) + z(power) of them are needed (normal approximation).

    >>> round(detectable(-1.96, 1.96), 2)
    2.8
    """
    from scipy import stats

    at_level = float(stats.norm.ppf((1 + level) / 2))
    return (high - low) / 2 / at_level * (at_level + float(stats.norm.ppf(power)))


def rank_intervals(scores: Array, level: float = 0.95) -> Array:
    """(draws, rows) of resampled scores -> (rows, 2): between which ranks each row lies; 1 is the highest score, equal ones
    share the better rank.

    >>> rank_intervals(np.array([[9, 5, 5]] * 20)).tolist()
    [[1, 1], [2, 2], [2, 2]]
    """
    ranks = 1 + (scores[:, None, :] > scores[:, :, None]).sum(axis=2)
    result: np.ndarray = np.quantile(ranks, [(1 - level) / 2, (1 + level) / 2], axis=0, method="nearest").T.astype(int)
    return result


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
