"""What a leaderboard is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ferbench.records.identity import Identity


@dataclass(frozen=True)
class Score:
    """A mean with its 95 % interval (NaN where there is too little to have one)."""

    mean: float
    low: float = math.nan
    high: float = math.nan


@dataclass
class Row:
    """A method variant on a backbone.

    Attributes:
        superseded: the board has a newer version of the method.
        rank: 1 for the best; None where folds or seeds are missing. tied: another row has the same. rank_low, rank_high: 95 %
            interval of the rank, subjects resampled.
        against: accuracy minus that of the baseline, with its interval.
        seeds, assignments: those of the board; assignments are of subjects to folds (protocol.repeats).
        spread: standard deviation of accuracy over the assignments, NaN for one.
        scores: by metric. measured: by metric, how many records have it.
        done, planned: trials.
        failed: trials that ended in an error.
        missing: (assignment, fold, seed) of the trials that are missing.
        trials: identifiers of the records behind the row.
        devices: what they ran on.
        pretraining: what the weights of its backbone were trained on before; empty for none.
        submission_status: of submitted records: "submitted", "re-run" or "disputed"; empty for what was run here.
        seconds: of all its trials.
        codes: how many states of the code made its records, of the same declared versions; 0 where nothing is known of it.
        cost: of one trial, the mean over them: see Record.cost.
    """

    method: str
    version: int
    variant: str
    backbone: str
    fold_count: int
    seeds: tuple[int, ...]
    assignments: tuple[int, ...] = (0,)
    spread: float = math.nan
    scores: dict[str, Score] = field(default_factory=dict)
    measured: dict[str, int] = field(default_factory=dict)
    done: int = 0
    failed: int = 0
    missing: list[tuple[int, int, int]] = field(default_factory=list)
    trials: list[str] = field(default_factory=list)
    devices: tuple[str, ...] = ()
    pretraining: str = ""
    submission_status: str = ""
    seconds: float = 0.0
    codes: int = 0
    cost: dict[str, float] = field(default_factory=dict)
    superseded: bool = False
    rank: int | None = None
    tied: bool = False
    rank_low: int | None = None
    rank_high: int | None = None
    against: Score | None = None

    @property
    def planned(self) -> int:
        return self.fold_count * len(self.seeds) * len(self.assignments)

    @property
    def complete(self) -> bool:
        return self.done == self.planned

    @property
    def name(self) -> str:
        """As it is typed: 'degan', 'degan/no_identity_head'; 'degan v1' where the board has a newer version."""
        method = f"{self.method} v{self.version}" if self.superseded else self.method
        return method if self.variant == "full" else f"{method}/{self.variant}"


@dataclass
class Board:
    """Rows that may be compared.

    Attributes:
        detectable: the smallest difference to the best row that these data would often have shown; None where that cannot
            be said.
        expressions: the classes.
        notes: sentences on what was left out or doubled.
        identity: of one of its trials (Trial.identity): dataset, protocol, preparation.
    """

    dataset: str
    protocol: str
    setting: str
    rows: list[Row]
    detectable: float | None = None
    baseline: str = ""
    expressions: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    identity: Identity | None = None

    @property
    def backbones(self) -> list[str]:
        """Of its rows, each once."""
        return list(dict.fromkeys(row.backbone for row in self.rows))

    @property
    def described(self) -> str:
        """The setting, with the backbone where all rows share it."""
        return f"{self.setting}, backbone {self.backbones[0]}" if len(self.backbones) == 1 else self.setting
