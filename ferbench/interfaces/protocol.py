"""The protocol interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ferbench.cards import added

if TYPE_CHECKING:  # the cards of protocols import this module, and `ferbench --help` reads all cards
    import numpy as np
    import pandas as pd

TRAIN_ONLY = -1
"""Fold number of a frame that is in the training set of every fold and in no test set."""

UNUSED = -2
"""Fold number of a frame that is in no training set and no test set."""


class Protocol(ABC):
    """A rule that divides frames into folds. Constructed with an instance of the settings class on its card.

    Attributes:
        leaky: whether the same subject may be in the training set and in the test set. If not, such a split is an error.
    """

    leaky = False

    def __init__(self, settings: ProtocolSettings) -> None:
        self.settings = settings

    @abstractmethod
    def assign_folds(self, frames: pd.DataFrame) -> np.ndarray:
        """The fold in which each frame is tested.

        Args:
            frames: frame table of the N frames that the setting `frames` selects.

        Returns:
            (N,), int: the number of a fold, from 0, or TRAIN_ONLY or UNUSED.

        Raises:
            FerbenchError: the frames cannot be split this way.
        """


@dataclass
class ProtocolSettings:
    """The settings that every protocol has.

    Attributes:
        frames: which frames of a sequence are used: all, apex, last_1, last_3, middle_3, or auto (the frames that the
            literature uses for the dataset).
        folds: number of the fold to run, from 0, or a list of numbers; None for all folds. Planning passes a list.
        validation: share of the training subjects of each fold, 0 to 1, that are not trained on but kept for choosing among
            settings: whole subjects, never those of the test set. Records state the accuracy on them (validation_accuracy).
    """

    frames: str = "auto"
    folds: Any = None
    validation: float = added(0.0)
