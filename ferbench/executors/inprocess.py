"""One trial after another, in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ferbench.executors.base import Executor, Report
from ferbench.executors.shared import failures, run_shared
from ferbench.records import Outcome, Trial


class InProcess(Executor):
    """The default; what a debugger can step through."""

    def run(self, trials: Sequence[Trial], report: Report) -> Iterator[Outcome]:
        return run_shared(trials, report, failures(trials))
