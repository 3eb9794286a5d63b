"""Settings of the protocols, apart from their code so that listing them needs no pandas."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class ProtocolSettings:
    """Settings that every protocol has.

    Attributes:
        frames: which frames of a sequence count: all, apex, last_1, last_3, middle_3, or auto (what the literature
            uses for the dataset).
        folds: the folds to run, numbered from 0; empty for all.
    """

    frames: str = "auto"
    folds: list[int] | None = None


@dataclass
class ListedSettings(ProtocolSettings):
    """Attributes:
    file: CSV with frame_id or path, and fold or split.
    leaky: run it although subjects are trained on and tested; to show what a leak is worth.
    """

    file: str = ""
    leaky: bool = False


@dataclass
class AssignedSettings(ProtocolSettings):
    """Of protocols that could put subjects into other folds.

    Attributes:
        assignment: which assignment of subjects to folds; another number gives another.
        repeats: run so many assignments, from `assignment` on.
    """

    assignment: int = 0
    repeats: int = 1


@dataclass
class SubjectKFoldSettings(AssignedSettings):
    """Attributes:
    k: number of folds.
    """

    k: int = 5
