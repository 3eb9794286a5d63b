"""The variance of scores and of their differences when subjects and trainings are both samples.

A claim about two methods is a claim about new subjects and new trainings. A subject is tested by the trainings of its fold only,
and by all of these: subjects and trainings are crossed within a fold. With the contributions u_it of a subject i and a training t
to a score, and folds g of S_g subjects and R_g trainings,

    subjects   S / (S - 1)  sum_i (sum_t u_it)^2
    trainings  sum_g  (1 - 1 / S_g)  R_g / (R_g - 1)  sum_t (T_t - mean T)^2  with T_t = sum_i u_it
    rest       sum_g  (1 - 1 / S_g)  R_g S_g  MS_g  with MS_g the mean square of what neither subject nor training explains

the variance of the score is subjects + max(0, trainings - rest). "subjects" holds the differences between subjects, the rest, and
what a single subject sees of luck; "trainings - rest" holds what the subjects of one training have in common beyond that. These are
the estimates of analysis of variance for a two-way layout with random effects, written for folds of unequal size; the degrees of
freedom are Satterthwaite's. benchmarks/size_and_power.py shows by simulation that tests with them keep their level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Group:
    """The subjects of one fold (of one assignment of subjects to folds), tested by the trainings of that fold.

    Attributes:
        subjects: (S_g,) indices of its subjects among all.
        contributions: (M, R_g, S_g): for each of M rows, of each subject and training to the row's score; each row's sum over all
            groups is 0.
    """

    subjects: Array
    contributions: Array


@dataclass(frozen=True, eq=False)
class Components:
    """Estimated variances and covariances of the scores of M rows on the same subjects and folds.

    Attributes:
        subjects: number of subjects.
        subject: (M, M), from sampling subjects, with what neither subject nor training explains.
        training: (M, M), "trainings" of the module's docstring. rest: (M, M). Both NaN if luck is not measured.
        training_freedom, rest_freedom: degrees of freedom of these two.
        trainings: number of trainings of each row.
        shared: the mean over trainings of 1 - 1 / S_g: the part of luck that "trainings - rest" holds.
        own_trainings: whether each subject was tested by trainings of its own, as with leave-one-subject-out. Then the differences
            between subjects contain all training luck.
    """

    subjects: int
    subject: Array
    training: Array
    rest: Array
    training_freedom: int
    rest_freedom: int
    trainings: int
    shared: float
    own_trainings: bool

    @property
    def measures_luck(self) -> bool:
        """Whether there are folds of several subjects with several trainings, so that training luck can be told from subjects."""
        return self.training_freedom > 0 and self.rest_freedom > 0

    def of_row(self, row: int) -> Variance:
        """The variance of one row's score."""
        return self._variance(self.subject[row, row], self.training[row, row], self.rest[row, row])

    def of_differences(self, first: Array, second: Array) -> Variance:
        """The variances of score[first] - score[second]; two (P,) arrays of rows -> arrays of (P,)."""
        parts = (contrast(matrix, first, second) for matrix in (self.subject, self.training, self.rest))
        return self._variance(*(np.maximum(part, 0) for part in parts))

    def _variance(self, subject: Array, training: Array, rest: Array) -> Variance:
        if self.measures_luck:
            luck = np.maximum(training - rest, 0)
            uncertain = np.where(luck > 0, training**2 / self.training_freedom + rest**2 / self.rest_freedom, 0)
        else:
            luck = uncertain = np.zeros_like(subject)
        total = subject + luck
        noise = subject**2 / max(self.subjects - 1, 1) + uncertain
        with np.errstate(divide="ignore"):
            freedom = np.where(noise > 0, total**2 / np.where(noise > 0, noise, 1), self.subjects - 1)
        return Variance(np.asarray(total), np.asarray(luck), np.maximum(freedom, 1))


@dataclass(frozen=True, eq=False)
class Variance:
    """Attributes:
    total: variance of a score or a difference. luck: the part of it from trainings; 0 where it is not measured.
    freedom: Satterthwaite's degrees of freedom of the total, at least 1.
    """

    total: Array
    luck: Array
    freedom: Array


def contrast(matrix: Array, first: Array, second: Array) -> Array:
    """The variances of differences of rows, from variances and covariances (M, M): two (P,) arrays of rows -> (P,). Estimates may
    be below 0 by rounding."""
    diagonal = np.diagonal(matrix)
    result: np.ndarray = diagonal[first] + diagonal[second] - 2 * matrix[first, second]
    return result


def components(groups: Sequence[Group], subjects: int) -> Components:
    """Estimate the components from contributions.

    Args:
        groups: all folds of all assignments.
        subjects: S, the number of subjects, at least 2.
    """
    rows = groups[0].contributions.shape[0]
    totals = np.zeros((rows, subjects))
    training, rest = np.zeros((rows, rows)), np.zeros((rows, rows))
    training_freedom = rest_freedom = trainings = measured = 0
    shared = 0.0
    for group in groups:
        u = group.contributions
        repeats, size = u.shape[1:]
        trainings += repeats
        shared += repeats * (1 - 1 / size)
        np.add.at(totals.T, group.subjects, u.sum(1).T)
        if repeats < 2 or size < 2:
            continue
        measured += repeats
        sums = u.sum(2)
        around = sums - sums.mean(1, keepdims=True)
        left = (u - u.mean(1, keepdims=True) - around[..., None] / size).reshape(rows, -1)
        share = 1 - 1 / size
        training += share * repeats / (repeats - 1) * around @ around.T
        rest += share * repeats * size / ((repeats - 1) * (size - 1)) * left @ left.T
        training_freedom += repeats - 1
        rest_freedom += (repeats - 1) * (size - 1)
    if measured:  # folds that ran once are as lucky as the others
        training, rest = training * trainings / measured, rest * trainings / measured
    own = all(len(group.subjects) == 1 for group in groups)
    subject = subjects / max(subjects - 1, 1) * totals @ totals.T
    return Components(
        subjects, subject, training, rest, training_freedom, rest_freedom, trainings, shared / trainings, own
    )
