"""The epochs of a stage, before which `Stage.before_epoch` makes a pass over the training set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch

from ferbench.interfaces.method import Batch, Epoch, Method, Stage, derive_seed
from ferbench.randomness import set_seed
from ferbench.training.state import in_eval_mode

if TYPE_CHECKING:
    from ferbench.training.loop import Training


@runtime_checkable
class Passes(Protocol):
    """Batches of a training set of which each frame can be had as it is, see `ferbench.data.batches.Batches`."""

    @property
    def frames(self) -> int: ...

    def epoch(self, step: int) -> int: ...

    def unaugmented(self) -> Iterator[Batch]: ...


class Epochs:
    """The epochs of a stage.

    Raises:
        TrainingError: the stage's `epoch_steps` is not a number of steps.
    """

    def __init__(self, method: Method, stage: Stage, training: Training) -> None:
        self._method, self._stage, self._training = method, stage, training

    def begins(self, step: int) -> int | None:
        """The number of the epoch that begins with a step; None if none does, or nothing is to be done before it."""
        if self._stage.before_epoch is None:
            return None
        if (steps := self._stage.epoch_steps) is not None:
            return None if step % steps else step // steps
        number = self._passes.epoch(step)
        return number if step == 0 or number != self._passes.epoch(step - 1) else None

    def begin(self, number: int) -> None:
        """Call the stage's `before_epoch`."""
        assert self._stage.before_epoch is not None
        replicas, device = self._training.replicas, self._training.device
        seed = derive_seed("epoch", self._training.seed, self._stage.name, number)
        set_seed(seed, cuda=device.device.type == "cuda")
        with in_eval_mode(self._method, self._stage), torch.no_grad(), device.autocast():
            if replicas is None:
                self._stage.before_epoch(self._epoch(number))
            else:
                with replicas.apart(follow=True):
                    self._stage.before_epoch(self._epoch(number))

    def _epoch(self, number: int) -> Epoch:
        return Epoch(number, self._passes.frames, self._passes.unaugmented)

    @property
    def _passes(self) -> Passes:
        batches = self._training.batches
        assert isinstance(batches, Passes)
        return batches
