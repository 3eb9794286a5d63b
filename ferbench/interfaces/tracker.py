"""The tracker interface: where the numbers of a study go besides its records, such as TensorBoard.

A tracker works in the process that runs the study, wherever its trials run, and is told what that process hears of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

INTERRUPTED = "interrupted"
"""The status of what had not ended when the study did."""


@dataclass(frozen=True)
class Tracked:
    """A trial, or a stage that several trials start from, as a tracker is told of it.

    Attributes:
        key: its identifier, the same whenever it is run again in this results folder.
        label: such as "degan no_identity_head · fold 3 · seed 0".
        kind: method and variant, such as "degan no_identity_head".
        settings: every setting by the name that `ferbench run` takes, such as "method.lr"; also variant, fold and seed.
    """

    key: str
    label: str
    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)


class Tracker(ABC):
    """Keeps the numbers of trials elsewhere. Several may run at the same time, so each call says of which it is.

    What a tracker raises never ends a trial: it is said once, and the tracker is switched off for the rest of the study.

    Args:
        settings: an instance of the settings class on its card.
        results_dir: the results folder; what a tracker writes there goes into a folder whose name begins with a dot.
    """

    def __init__(self, settings: Any, results_dir: Path) -> None:
        self.settings = settings
        self.results_dir = results_dir

    @abstractmethod
    def begin(self, run: Tracked) -> None:
        """It has begun, or goes on after an interruption."""

    @abstractmethod
    def log(self, run: Tracked, stage: str, step: int, values: Mapping[str, float]) -> None:
        """`values` after `step` steps of the stage: means of the losses by name since the last call, and `images_per_second`.
        The test curve comes at the end, as the stage "test"."""

    @abstractmethod
    def end(self, run: Tracked, status: str, metrics: Mapping[str, float], error: str) -> None:
        """It has ended.

        Args:
            status: "done", "failed", "oom" (out of memory) or "interrupted"; "ended" of a stage that several trials start from.
            metrics: of a trial that is done.
            error: a sentence, of one that failed.
        """

    def close(self) -> None:  # noqa: B027 - there may be nothing to close
        """The study has ended, and with it all runs."""
