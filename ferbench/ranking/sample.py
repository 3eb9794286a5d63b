"""What a row shows of a metric: its value, and what each subject and training contributes to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ferbench.cards import Metric
from ferbench.ranking.answers import Answers, ByFold, Fold, subjects_of
from ferbench.ranking.scores import SCORES, CountedScore
from ferbench.ranking.variance import Components, Group, components
from ferbench.records.schema import Record, Repetition

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Sample:
    """A metric of a row, with its parts.

    Attributes:
        value: the metric.
        low, high: its range.
        folds: for each fold the subjects (S_g names, sorted), the seeds (R_g) and the contributions (R_g, S_g): by how much each
            subject in each training raises the value above what it would be otherwise.
        frames: the number of different frames that count, as if all classes were alike.
        sizes: for each fold the numbers of frames (R_g, S_g, C) by true class, and of metrics by subject whether a subject counts.
        share: whether the value is a share of frames, as accuracy is.
    """

    value: float
    low: float
    high: float
    folds: ByFold
    frames: float
    sizes: Mapping[Fold, Array]
    share: bool = False

    @property
    def subjects(self) -> tuple[str, ...]:
        """All subjects, sorted."""
        return subjects_of(self.folds)

    def unlike(self, other: Sample) -> str:
        """Why two rows cannot be compared subject by subject, as the end of a sentence; empty if they can."""
        ours, theirs = ({fold: found[:2] for fold, found in sample.folds.items()} for sample in (self, other))
        if ours != theirs:
            return "were not tested on the same subjects, folds and seeds"
        if any(not np.array_equal(sizes, other.sizes[fold]) for fold, sizes in self.sizes.items()):
            return "were not tested on the same frames of their subjects"
        return ""


def counted(answers: Answers, score: CountedScore) -> Sample:
    """The sample of a score of confusion counts."""
    gradient = score.gradient(answers.pooled)
    weights = dict(zip(answers.subjects, _weights(answers, score), strict=True))
    folds = {}
    for fold, (names, seeds, counts) in answers.folds.items():
        by_class = (counts * gradient).sum(3)  # (R, S_g, C)
        folds[fold] = (names, seeds, (by_class * np.stack([weights[name] for name in names])).sum(2))
    return Sample(
        value=float(score.value(answers.pooled)),
        low=0.0,
        high=1.0,
        folds=folds,
        frames=answers.frames(score),
        sizes=answers.sizes,
        share=True,
    )


def _weights(answers: Answers, score: CountedScore) -> Array:
    """(S, C): by how much the contributions of a subject to a class are to be raised, because a subject with a large share of its
    frames draws the recall of the class towards itself: (1 - 1 / S) / (1 - share), as leaving the subject out would show (the
    jackknife). 1 where all subjects have as many frames. At most 2: of a class that one subject alone shows, no difference between
    subjects is known."""
    shown = answers.by_subject.sum(2)
    if not score.by_class:
        shown = np.repeat(shown.sum(1, keepdims=True), shown.shape[1], axis=1)
    share = shown / np.maximum(shown.sum(0), 1)
    result: np.ndarray = np.minimum((1 - 1 / len(shown)) / np.maximum(1 - share, 1e-9), 2)
    return result


def measured(records: Sequence[Record], metric: str, answers: Answers, card: Metric) -> Sample | None:
    """The sample of a metric that records hold by subject (`Record.by_subject`): the mean over trainings of the mean over
    subjects. None if a record lacks it.

    Args:
        records: of one row. answers: their answers on frames. card: the card of the metric.
    """
    if not records or any(not record.by_subject.get(metric) for record in records):
        return None
    found = {record.trial.repetition: record.by_subject[metric] for record in records}
    means = [float(np.mean(list(values.values()))) for values in found.values()]
    value = float(np.mean(means))
    if any(not set(record.by_subject[metric]) <= set(record.confusion) for record in records):
        return None
    folds, sizes = {}, {}
    for (assignment, fold), (names, seeds, _) in answers.folds.items():
        rows = []
        for seed in seeds:
            values = found[Repetition(assignment, fold, seed)]
            rows.append(
                [(values[name] - value) / (len(values) * len(found)) if name in values else 0.0 for name in names]
            )
        folds[assignment, fold] = (names, seeds, np.array(rows))
        counts = [[name in found[Repetition(assignment, fold, seed)] for name in names] for seed in seeds]
        shown = answers.sizes[assignment, fold]
        sizes[assignment, fold] = np.concatenate([shown, np.array(counts, dtype=float)[..., None]], axis=2)
    return Sample(value, card.low, card.high, folds, answers.frames(SCORES["accuracy"]), sizes)


def components_of(samples: Sequence[Sample]) -> Components:
    """The components of variance of rows that are alike (`Sample.unlike`)."""
    place = {name: number for number, name in enumerate(samples[0].subjects)}
    groups = []
    for fold, (names, _, _) in samples[0].folds.items():
        contributions = np.stack([sample.folds[fold][2] for sample in samples])
        groups.append(Group(np.array([place[name] for name in names]), contributions))
    return components(groups, len(place))


def columns_of(rows: Sequence[Mapping[str, float | None]]) -> dict[str, list[float]]:
    """The values of each name in rows that have it, without None, in the order of the names and of the rows.

    >>> columns_of([{"a": 1.0, "b": None}, {"a": 2.0}])
    {'a': [1.0, 2.0], 'b': []}
    """
    found: dict[str, list[float]] = {}
    names = dict.fromkeys(tuple(row) for row in rows)
    if len(names) == 1:
        columns = zip(*(row.values() for row in rows), strict=True)
        return {name: [v for v in values if v is not None] for name, values in zip(*names, columns, strict=True)}
    for row in rows:
        for name, value in row.items():
            values = found.setdefault(name, [])
            if value is not None:
                values.append(value)
    return found
