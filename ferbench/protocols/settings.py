"""Settings of the protocols. They are separate from the protocols' code so that listing them does not import pandas."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.cards import added
from ferbench.interfaces.protocol import ProtocolSettings


@dataclass
class ListedSettings(ProtocolSettings):
    """Attributes:
    file: path of a CSV file with the columns frame_id (or path), and fold or split.
    leaky: run although the training and the test set have subjects in common, to measure the effect of such a leak.
    """

    file: str = ""
    leaky: bool = False


@dataclass
class CrossDatasetSettings(ProtocolSettings):
    """Attributes:
    allow_overlap: "subjects" or "images" to test on people, or images, that are in the training set too; boards say so.
    """

    allow_overlap: str = added("")


@dataclass
class AssignedSettings(ProtocolSettings):
    """Settings of protocols that can assign subjects to folds in different ways.

    Attributes:
        assignment: number of the assignment of subjects to folds, from 0. Each number gives a different assignment.
        repeats: number of assignments to run: `assignment` and the following ones.
    """

    assignment: int = 0
    repeats: int = 1


@dataclass
class AutoSettings(AssignedSettings, CrossDatasetSettings):
    """Settings of the protocol that the dataset's card names; those that it does not know are left out."""


@dataclass
class SubjectKFoldSettings(AssignedSettings):
    """Attributes:
    k: number of folds.
    """

    k: int = 5
