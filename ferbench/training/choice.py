"""Choice of the epoch whose weights a stage keeps, and early stopping, by the accuracy on training subjects that are kept apart.

The subjects of the test set have no part in it. What was measured stands among the losses, so that a record shows the curve, and a
training that is resumed chooses as one that was not interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ferbench.records.files import VALIDATION_ACCURACY, Losses


@dataclass(frozen=True)
class Choice:
    """How the epoch is chosen.

    Attributes:
        measure: measures the method, in eval mode: its accuracy on the frames of the validation subjects, 0 to 1.
        epoch: number of steps in an epoch.
        patience: epochs without a better accuracy after which the training ends; 0 for none.
    """

    measure: Callable[[], float]
    epoch: int
    patience: int = 0

    def due(self, done: int, steps: int) -> bool:
        """Whether the method is measured after `done` of `steps` steps: after each epoch and at the end."""
        return done % self.epoch == 0 or done == steps

    def ended(self, losses: Losses) -> bool:
        """Whether the last `patience` epochs brought nothing better."""
        curve = curve_of(losses)
        return bool(self.patience and curve) and len(curve) - 1 - best_of(curve) >= self.patience


def curve_of(losses: Iterable[tuple[int, str, float]]) -> list[tuple[int, float]]:
    """(number of steps done, accuracy on the validation subjects) for each epoch."""
    return [(step + 1, value) for step, name, value in losses if name == VALIDATION_ACCURACY]


def best_of(curve: list[tuple[int, float]]) -> int:
    """The place of the chosen epoch in a curve: the first with the highest accuracy."""
    return max(range(len(curve)), key=lambda place: curve[place][1])


def sentence(stage: str, curve: list[tuple[int, float]], steps: int) -> str:
    """What was chosen, for the record."""
    place, (last, accuracy_of_last) = best_of(curve), curve[-1]
    chosen, accuracy = curve[place]
    ended = f", ended early, {steps - last} steps before the budget" if last < steps else ""
    return (
        f"Stage {stage} keeps its weights of epoch {place + 1} of {len(curve)} (after {chosen} of {last} steps{ended}), chosen by "
        f"the accuracy on validation subjects: {accuracy:.4f}, {accuracy_of_last:.4f} in the last epoch."
    )
