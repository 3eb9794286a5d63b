"""What a leaderboard is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ferbench.cards import Metric
from ferbench.ranking.statistics import ALPHA
from ferbench.records.identity import Identity


@dataclass(frozen=True)
class Score:
    """A mean with its 95 % interval (NaN where there is too little to have one)."""

    mean: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Difference(Score):
    """A difference of scores, ours minus theirs, with its one interval and its one test: of subjects and trainings.

    Attributes:
        p: two-sided, of Student's t; NaN for fewer than two subjects.
        error: standard error. freedom: degrees of freedom of it.
        luck: standard deviation of the difference between two trainings on the same fold, as far as it is training luck; NaN where
            it cannot be told from other differences.
        covers_luck: whether error contains training luck. Where all folds were trained with one seed only, it does not, unless
            each subject was tested by a training of its own.
        trainings: how many trainings with a luck of their own the difference is as good as.
        subjects: how many subjects tested each.
    """

    p: float = math.nan
    error: float = math.nan
    freedom: float = math.nan
    luck: float = math.nan
    covers_luck: bool = False
    trainings: float = 0.0
    subjects: int = 0

    @property
    def clear(self) -> bool:
        """Whether the data tell the two apart."""
        return self.p < ALPHA


@dataclass
class Row:
    """A method variant on a backbone.

    Attributes:
        superseded: the board has a newer version of the method.
        extra: name of the extra dataset that it was trained on too; empty for none.
        rank: 1 for the best; None where folds or seeds are missing, or rows cannot be compared. tied: another row has the same.
            rank_low, rank_high: 1 and the number of rows that are told to be better, and the number of rows less those that are
            told to be worse: simultaneous 95 % intervals of all ranks.
        against: accuracy minus that of the baseline.
        seeds, assignments: those of the board; assignments are of subjects to folds (protocol.repeats).
        spread: standard deviation of accuracy over the assignments, NaN for one.
        scores: by metric. measured: by metric, how many records have it.
        done, planned: trials.
        failed: trials that ended in an error.
        missing: (assignment, fold, seed) of the trials that are missing.
        trials: identifiers of the records behind the row.
        devices: what they ran on.
        pretraining: what the weights of its backbone were trained on before; empty for none.
        submission_status: of submitted records: "submitted", "re-run", "disputed" or "status unreadable"; empty for what was run
            here.
        seconds: of all its trials.
        codes: how many states of the code made its records, of the same declared versions; 0 where nothing is known of it.
        starts: from how many different pretrained weights of one name its trainings started; 0 for random ones, or where nothing is
            known of it.
        cost: of one trial, the mean over them: see Record.cost.
        key: digest of what its trials share, method and backbone with their settings.
    """

    method: str
    version: int
    variant: str
    backbone: str
    fold_count: int
    seeds: tuple[int, ...]
    extra: str = ""
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
    starts: int = 0
    cost: dict[str, float] = field(default_factory=dict)
    superseded: bool = False
    rank: int | None = None
    tied: bool = False
    rank_low: int | None = None
    rank_high: int | None = None
    against: Difference | None = None
    key: str = ""

    @property
    def planned(self) -> int:
        return self.fold_count * len(self.seeds) * len(self.assignments)

    @property
    def complete(self) -> bool:
        return self.done == self.planned

    @property
    def name(self) -> str:
        """As it is typed: 'degan', 'degan/no_identity_head', 'derl+bu3dfe' with extra data; 'degan v1' where the board has a newer
        version."""
        method = f"{self.method}+{self.extra}" if self.extra else self.method
        method = f"{method} v{self.version}" if self.superseded else method
        return method if self.variant == "full" else f"{method}/{self.variant}"


@dataclass
class Board:
    """Rows that may be compared.

    Attributes:
        detectable: the smallest difference to the best row that 8 of 10 such studies would show, the median over the other rows,
            with all pairs of rows tested; None where that cannot be said.
        pairs: how many pairs of rows were tested. subjects: how many subjects tested each.
        covers_luck: whether the tests of its rows contain training luck. metric: the card of the metric that ranks.
        separable: how many rows so many subjects can tell apart at most: with more, no p-value can be small enough.
        expressions: the classes.
        notes: sentences on what was left out or doubled.
        identity: of one of its trials (Trial.identity): dataset, protocol, preparation.
        key: digest of what its trials share, such as data, protocol and budget.
    """

    dataset: str
    protocol: str
    setting: str
    rows: list[Row]
    detectable: float | None = None
    pairs: int = 0
    subjects: int = 0
    separable: int = 0
    covers_luck: bool = False
    metric: Metric | None = None
    baseline: str = ""
    expressions: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    identity: Identity | None = None
    key: str = ""

    @property
    def backbones(self) -> list[str]:
        """Of its rows, each once."""
        return list(dict.fromkeys(row.backbone for row in self.rows))

    @property
    def described(self) -> str:
        """The setting, with the backbone where all rows share it."""
        return f"{self.setting}, backbone {self.backbones[0]}" if len(self.backbones) == 1 else self.setting
