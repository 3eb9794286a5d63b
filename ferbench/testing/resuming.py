"""Checks of trainings that stop and go on."""

from __future__ import annotations

import copy
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from ferbench.cards import MethodCard
from ferbench.errors import enumerate_first
from ferbench.interfaces.method import Method, Stage
from ferbench.testing.inputs import Drawn, Make, Stopped, training
from ferbench.training.loop import Training, train


def resume(card: MethodCard, make: Make) -> None:
    """A stage that is resumed from a checkpoint ends with bitwise the same weights.

    Keep what a step needs of earlier steps in parameters or buffers, not in plain attributes, and take random numbers from torch.
    """
    whole, broken = make(), make()
    with tempfile.TemporaryDirectory() as folder:
        for index, (ours, theirs) in enumerate(zip(whole.stages(), broken.stages(), strict=True)):
            train(whole, ours, 4, training(card=card))
            path = Path(folder) / f"{index}.safetensors"
            stopped = copy.deepcopy(broken)
            _train_and_stop(card, stopped, stopped.stages()[index], 4, 2, training(card=card, checkpoint=path))
            assert path.is_file(), "no checkpoint was written"
            train(broken, theirs, 4, training(card=card, checkpoint=path))
            differ = [n for n, v in broken.state_dict().items() if not torch.equal(v, whole.state_dict()[n])]
            assert not differ, f"stage '{ours.name}' resumed from a checkpoint differs in {enumerate_first(differ)}"


def _train_and_stop(card: MethodCard, method: Method, stage: Stage, steps: int, stop: int, whole: Training) -> None:
    """Train `stop` steps and stop, so that there is a checkpoint."""
    try:
        train(method, stage, steps, replace(whole, batches=Drawn(method.task, card, stop=stop), checkpoint_every=stop))
    except Stopped:
        return
