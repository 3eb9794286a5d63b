"""The executor that runs one trial after another in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ferbench.execution.executors.shared import failures, run_shared
from ferbench.interfaces.executor import Executor, Progress
from ferbench.records.schema import Outcome, Trial


class InProcess(Executor):
    """`executor=inprocess`, the default. A debugger can step through it."""

    def run(self, trials: Sequence[Trial], progress: Progress) -> Iterator[Outcome]:
        return run_shared(trials, progress, failures(trials))
