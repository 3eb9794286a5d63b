"""Intervals and tests of scores and differences, from a variance and its degrees of freedom. numpy and scipy only."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ferbench.ranking.board import Difference, Score
from ferbench.ranking.sample import Sample, components_of
from ferbench.ranking.statistics import ALPHA

Array = np.ndarray
LEVEL, POWER = 0.95, 0.8


def wilson(value: float, frames: float, freedom: float, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval of a share, with a quantile of Student's t: (low, high), within [0, 1] and never empty.

    >>> [round(bound, 4) for bound in wilson(0.5, 20, 1e9)]
    [0.2993, 0.7007]

    Args:
        value: the share, 0 to 1.
        frames: number of independent frames that it comes from, more than 0.
        freedom: degrees of freedom of the variance that `frames` was derived from.
    """
    from scipy import stats

    square = float(stats.t.ppf((1 + level) / 2, freedom)) ** 2 / frames
    middle = (value + square / 2) / (1 + square)
    half = math.sqrt(square * value * (1 - value) + square**2 / 4) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def effective_frames(value: float, variance: float, frames: float) -> float:
    """How many independent frames would give a score of this variance: value (1 - value) / variance.

    Args:
        value: the score, 0 to 1. At 0 and at 1 nothing is known of the variance, and the frames count as they are.
        variance: of the score.
        frames: how many frames there are; no more than twice as many are assumed.
    """
    if not 0 < value < 1:
        return frames
    return min(value * (1 - value) / max(variance, 1e-300), 2 * frames)


def score_of(sample: Sample) -> Score:
    """A row's value with its 95 % interval for subjects and trainings as samples: of a share of frames Wilson's on the effective
    number of frames, of other metrics Student's t. NaN for fewer than two subjects."""
    from scipy import stats

    if len(sample.subjects) < 2 or sample.frames <= 0:
        return Score(sample.value)
    variance = components_of([sample]).of_row(0)
    freedom = float(variance.freedom)
    if sample.share:
        frames = effective_frames(sample.value, float(variance.total), sample.frames)
        return Score(sample.value, *wilson(sample.value, frames, freedom))
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * math.sqrt(float(variance.total) + _frame(sample) ** 2)
    return Score(sample.value, max(sample.low, sample.value - half), min(sample.high, sample.value + half))


def difference_of(ours: Sample, theirs: Sample) -> Difference:
    """ours minus theirs with its interval and its test; the two have to be alike (`Sample.unlike`)."""
    if len(ours.subjects) < 2:
        return Difference(ours.value - theirs.value)
    (difference,) = differences([ours, theirs], np.array([0]), np.array([1]))
    return difference


def differences(samples: Sequence[Sample], first: Array, second: Array) -> list[Difference]:
    """samples[first] - samples[second] for pairs of rows that are alike, with intervals and tests.

    Args:
        first, second: (P,), rows of each pair.
    """
    from scipy import stats

    found = components_of(samples)
    scores, span = np.array([sample.value for sample in samples]), samples[0].high - samples[0].low
    means = scores[first] - scores[second]
    variance = found.of_differences(first, second)
    errors = np.sqrt(variance.total + _frame(samples[0]) ** 2)
    trainings = found.trainings / found.shared if found.shared else float(found.trainings)
    half = stats.t.ppf((1 + LEVEL) / 2, variance.freedom) * errors
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(means == 0, 0, np.abs(means) / errors)
    p_values = np.maximum(2 * stats.t.sf(ratios, variance.freedom), smallest_p(found.subjects))
    if smallest_p(found.subjects) >= ALPHA:  # the test cannot reject, so that an interval would say more than the test
        half = np.full(len(means), np.nan)
    return [
        Difference(
            mean=float(means[i]),
            low=float(np.maximum(-span, means[i] - half[i])),
            high=float(np.minimum(span, means[i] + half[i])),
            p=float(min(p_values[i], 1.0)),
            error=float(errors[i]),
            freedom=float(variance.freedom[i]),
            luck=math.sqrt(float(variance.luck[i]) * trainings) if found.measures_luck else math.nan,
            covers_luck=found.measures_luck or found.own_trainings,
            trainings=trainings,
            subjects=found.subjects,
        )
        for i in range(len(means))
    ]


def _frame(sample: Sample) -> float:
    """What one frame adds to a value, which is not known more exactly: rows that agree on all frames may differ on the next.
    0 where the metric has no finite range."""
    span = sample.high - sample.low
    return span / max(sample.frames, 1) if math.isfinite(span) else 0.0


def smallest_p(subjects: int) -> float:
    """The smallest p-value that so many subjects can give: 2 / 2^S, that of a sign test where all differ in the same direction. No
    test may claim more than that, whatever it assumes about the distribution of differences.

    >>> smallest_p(8)
    0.0078125
    """
    return float(2.0 ** (1 - subjects))


def detectable(difference: Difference, pairs: int = 1) -> float:
    """The smallest true difference that 8 of 10 such studies would show, if so many pairs are tested (Bonferroni): the sum of the
    quantiles of t for the level and for the power, times the standard error. Infinite where so few subjects cannot show any."""
    from scipy import stats

    if difference.subjects and smallest_p(difference.subjects) * pairs >= ALPHA:
        return math.inf
    level = 1 - (1 - LEVEL) / pairs
    quantiles = stats.t.ppf([(1 + level) / 2, POWER], difference.freedom)
    return float(quantiles.sum() * difference.error)


def overturned_by(difference: Difference) -> float:
    """How large the standard deviation of the difference between two trainings would have to be, where it is not measured, for the
    interval to reach 0; 0 where it reaches 0 in any case."""
    from scipy import stats

    quantile = float(stats.t.ppf((1 + LEVEL) / 2, difference.freedom))
    missing = (difference.mean / quantile) ** 2 - difference.error**2
    return math.sqrt(missing * difference.trainings) if missing > 0 else 0.0
