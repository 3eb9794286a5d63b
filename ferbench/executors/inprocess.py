"""One trial after another, in this process."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence

from ferbench.executors.base import WORK, Executor, Report
from ferbench.records import Outcome, Trial


class InProcess(Executor):
    """The default; what a debugger can step through."""

    def run(self, trials: Sequence[Trial], report: Report) -> Iterator[Outcome]:
        module, _, function = WORK.partition(":")
        work = getattr(importlib.import_module(module), function)
        for trial in trials:
            yield work(trial, report)
