"""Simulated studies with a known truth: methods that differ by what is put in, subjects and trainings that differ by chance.

The logit of a right answer is

    level of the method + subject + subject x method + frame + expression + training

where subject, subject x method, frame and training are normal; wrong answers fall on the other expressions alike. Methods of equal
level are equally good for new subjects and new trainings, whatever one study shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from ferbench.ranking.answers import Answers

CLASSES = 6
EXPRESSIONS = np.linspace(0.6, -0.6, CLASSES)
"""By how much the logit of each expression lies above or below the others'."""


@dataclass(frozen=True)
class World:
    """What the studies are drawn from.

    Attributes:
        subjects, folds, seeds: of a study; trainings are folds times seeds.
        frames: of each subject and expression.
        accuracy: of a method, for new subjects and trainings.
        subject: standard deviation of the logit between subjects. own: between subjects for each method apart.
        frame: between frames.
        luck: between trainings of one method.
        sparse: the share of subjects that show the second half of the expressions; the others are shown by all.
    """

    subjects: int
    folds: int = 1
    seeds: int = 1
    frames: int = 1
    accuracy: float = 0.9
    subject: float = 0.5
    own: float = 0.3
    frame: float = 0.5
    luck: float = 0.0
    sparse: float = 1.0

    @property
    def spread(self) -> float:
        """Standard deviation of the logit of an answer, the level and the expression aside."""
        return float(np.sqrt(self.subject**2 + self.own**2 + self.frame**2 + self.luck**2))

    def level(self, accuracy: float) -> float:
        """The level of a method of this accuracy."""
        points, weights = np.polynomial.hermite_e.hermegauss(80)
        weights = weights / weights.sum()
        shares = np.where(np.arange(CLASSES) < CLASSES // 2, 1.0, self.sparse)

        def miss(level: float) -> float:
            right = (expit(level + self.spread * points[:, None] + EXPRESSIONS) * weights[:, None]).sum(0)
            return float((right * shares).sum() / shares.sum() - accuracy)

        return float(brentq(miss, -10, 40))

    def truth(self, accuracy: float) -> dict[str, float]:
        """The scores of a method of this accuracy for new subjects and trainings."""
        from ferbench.ranking.scores import SCORES

        points, weights = np.polynomial.hermite_e.hermegauss(80)
        right = (expit(self.level(accuracy) + self.spread * points[:, None] + EXPRESSIONS) * weights[:, None]).sum(0)
        right /= weights.sum()
        shares = np.where(np.arange(CLASSES) < CLASSES // 2, 1.0, self.sparse)
        table = (
            np.eye(CLASSES) * right[:, None] + (1 - np.eye(CLASSES)) * ((1 - right) / (CLASSES - 1))[:, None]
        ) * shares[:, None]
        return {name: float(score.value(table * 1e6)) for name, score in SCORES.items()}

    def study(self, random: np.random.Generator, accuracies: list[float]) -> list[Answers]:
        """One study: a method of each accuracy, all on the same subjects and frames."""
        size, per = self.subjects, CLASSES * self.frames
        labels = np.tile(np.repeat(np.arange(CLASSES), self.frames), (size, 1))
        shown = (random.random((size, CLASSES)) < self.sparse) | (np.arange(CLASSES) < CLASSES // 2)
        shown = np.repeat(shown, self.frames, axis=1)
        fold = random.permutation(np.arange(size) % self.folds)
        common = self.subject * random.standard_normal((size, 1)) + self.frame * random.standard_normal((size, per))
        names = [f"P{number:03}" for number in range(size)]
        found = []
        for accuracy in accuracies:
            luck = self.luck * random.standard_normal((self.seeds, self.folds))[:, fold][..., None]
            own = self.own * random.standard_normal((size, 1))
            logits = self.level(accuracy) + common + own + EXPRESSIONS[labels] + luck
            right = random.random((self.seeds, size, per)) < expit(logits)
            wrong = (labels + random.integers(1, CLASSES, right.shape)) % CLASSES
            answers = np.where(right, labels, wrong)
            tables = np.zeros((self.seeds, size, CLASSES, CLASSES))
            seed, subject, _ = np.indices(answers.shape)
            np.add.at(
                tables,
                (seed, subject, np.broadcast_to(labels, answers.shape), answers),
                np.broadcast_to(shown, answers.shape),
            )
            folds = {}
            for number in range(self.folds):
                members = np.flatnonzero(fold == number)
                folds[0, number] = (tuple(names[i] for i in members), tuple(range(self.seeds)), tables[:, members])
            found.append(Answers(folds))
        return found
