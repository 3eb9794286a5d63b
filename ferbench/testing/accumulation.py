"""The conformance check of micro-batches: with `trainer.accumulate`, what a stage does once a step it does once a step."""

from __future__ import annotations

from collections.abc import Callable

from ferbench.cards import MethodCard
from ferbench.errors import TrainingError
from ferbench.interfaces.method import Method
from ferbench.testing.inputs import training
from ferbench.training.loop import train

MICRO_BATCHES = 2
STEPS = 3
"""In the first step, an average of weights may still be what it is of."""


def micro_batches(card: MethodCard, make: Callable[[], Method]) -> None:
    """With two micro-batches a stage trains, and changes state outside its groups once a step: in its `after` or `averages`.

    What happens once a step belongs into `Stage.after` or `Stage.averages`; the step runs once for each micro-batch.
    """
    method = make()
    for stage in method.stages():
        try:
            train(method, stage, STEPS, training(card=card, accumulate=MICRO_BATCHES))
        except TrainingError as error:
            raise AssertionError(str(error)) from error
