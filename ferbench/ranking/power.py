"""How many seeds a study needs: the smallest difference that it would show, from the variances of an earlier one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ferbench.ranking.answers import repeats_of
from ferbench.ranking.intervals import LEVEL, POWER, smallest_p
from ferbench.ranking.sample import Sample, components_of
from ferbench.ranking.statistics import ALPHA
from ferbench.ranking.variance import contrast

MOST_SEEDS = 100


@dataclass(frozen=True)
class Spread:
    """Standard deviations of the difference of two methods, in the unit of the metric.

    Attributes:
        subject: between subjects, whatever is trained.
        rest: of one subject between trainings, beyond what all subjects of a training share.
        luck: between trainings.
    """

    subject: float
    rest: float
    luck: float

    def detectable(self, subjects: int, folds: int, seeds: int) -> float:
        """The smallest difference that 8 of 10 such studies would show, tested with subjects and trainings as samples. Infinite
        where luck is not measured, with one seed and several subjects a fold, and where so few subjects cannot show any.

        Args:
            folds: at most as many as subjects; as many are leave-one-subject-out.
        """
        from scipy import stats

        if smallest_p(subjects) >= ALPHA or (seeds == 1 and folds < subjects):
            return math.inf
        of_subjects = self.subject**2 / subjects + self.rest**2 / (subjects * seeds)
        luck = self.luck**2 / (folds * seeds)
        variance = of_subjects + luck
        if folds == subjects:
            freedom = float(subjects - 1)
        else:
            trainings = luck + self.rest**2 / (subjects * seeds)
            noise = of_subjects**2 / (subjects - 1) + trainings**2 / (folds * (seeds - 1))
            freedom = max(1.0, variance**2 / noise) if noise > 0 else math.inf
        return float(stats.t.ppf([(1 + LEVEL) / 2, POWER], freedom).sum() * variance**0.5)

    def seeds_for(self, difference: float, subjects: int, folds: int) -> int | None:
        """The smallest number of seeds with which a study would show a difference; None if MOST_SEEDS do not."""
        return next((n for n in range(1, MOST_SEEDS + 1) if self.detectable(subjects, folds, n) <= difference), None)


ASSUMED = Spread(subject=0.053, rest=0.082, luck=0.010)
"""Of accuracy: medians over the pairs of eleven methods on synthfaces in docs/results.md, 60 subjects, 3 folds, 3 seeds."""


def spread_of(samples: Sequence[Sample]) -> Spread | None:
    """The spread of an earlier study: the median over the pairs of its rows; None if it has one seed, one subject or one row."""
    if len(samples) < 2 or len(samples[0].subjects) < 2:
        return None
    found = components_of(samples)
    if not found.measures_luck:
        return None
    pairs = np.triu_indices(len(samples), 1)
    of_subjects, of_trainings, of_rest = (contrast(m, *pairs) for m in (found.subject, found.training, found.rest))
    repeats = repeats_of(samples[0].folds)
    rest = np.maximum(of_rest, 0) * found.subjects * repeats / found.shared
    luck = np.maximum(of_trainings - of_rest, 0) * found.trainings / found.shared
    subject = np.maximum(of_subjects * found.subjects - (rest + luck) / repeats, 0)
    return Spread(*(float(np.median(values)) ** 0.5 for values in (subject, rest, luck)))
