"""The executor that chooses another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ferbench.execution.executors.inprocess import InProcess
from ferbench.execution.executors.processes import Processes, check, groups, together
from ferbench.interfaces.executor import Executor, Progress, Work
from ferbench.records.schema import Outcome, Trial
from ferbench.registry.builtin import LanesSettings, ProcessesSettings

WORTH = 6000
"""Training steps of all trials together from which sharing a GPU is worth the start of worker processes, some 20 s on one H100."""


class Auto(Executor):
    """`executor=auto`, the default: several trials share GPUs as with `processes`; else they run as with `inprocess`."""

    settings: LanesSettings

    def run(self, work: Work, progress: Progress) -> Iterator[Outcome]:
        check(self.settings)
        if in_workers(work.trials, self.settings.lanes):
            yield from Processes(ProcessesSettings(lanes=self.settings.lanes)).run(work, progress)
        else:
            yield from InProcess(None).run(work, progress)


def in_workers(trials: Sequence[Trial], lanes: int) -> bool:
    """Whether trials run in worker processes: several, on GPUs that they may share, with steps enough or because `lanes` asks."""
    if len(trials) < 2 or any(":" in str(trial.config["trainer"]["device"]) for trial in trials):
        return False
    steps = sum(int(trial.config["budget"]["steps"]) for trial in trials)
    if not (visible := groups(trials, lanes)) or (together(trials) > 1 and len(visible) == 1):
        return False
    if lanes:
        return lanes > 1 or len(visible) > 1
    return steps >= WORTH
