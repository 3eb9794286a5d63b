"""Batches of a training that is interrupted."""

from __future__ import annotations

from ferbench import Batch
from ferbench.testing import Drawn, make_batch


class Killed(Drawn):
    """Batches whose step `stop` is interrupted, as by Ctrl-C."""

    def __call__(self, step: int) -> Batch:
        if step == self.stop:
            raise KeyboardInterrupt
        return make_batch(self.task, seed=step)
