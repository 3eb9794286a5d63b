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
class SubjectKFoldSettings(ProtocolSettings):
    """Attributes:
    k: number of folds.
    assignment: which assignment of subjects to folds; another number gives another.
    """

    k: int = 5
    assignment: int = 0
