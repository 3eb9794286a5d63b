"""What the user sees while a study runs: one live display on a terminal, plain lines elsewhere, as in a notebook."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping

from rich import progress as rich_progress
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from ferbench.interfaces.executor import Node, Progress
from ferbench.records.schema import DONE, FAILED, INTERRUPTED, OOM, STORED, Outcome, Trial

EVERY = 15.0
"""Seconds between two lines about a running stage where there is no terminal."""

MARKS = {DONE: "done", STORED: "stored", FAILED: "FAILED", OOM: "OUT OF MEMORY", INTERRUPTED: "interrupted"}


class PlainProgress(Progress):
    """A line for each thing worth one, flushed at once."""

    def __init__(self, trials: int, numbers: dict[str, int] | None = None, mark: str = "") -> None:
        self.trials = trials
        self.numbers = {} if numbers is None else numbers  # of trials by id; one that is begun again keeps its own
        self.mark = mark
        self.name, self.steps = "", 0
        self.last = 0.0

    def worker(self, name: str) -> PlainProgress:
        return PlainProgress(self.trials, self.numbers, f"{name}| ")

    def _say(self, text: str) -> None:
        print(self.mark + text.replace("\n", f"\n{self.mark}"), flush=True)

    def preparing(self, done: int, total: int) -> None:
        if done >= total:
            self._say(f"prepared {total} images")

    def trial(self, trial: Trial) -> None:
        self._say(f"[{self.numbers.setdefault(trial.id, len(self.numbers) + 1)}/{self.trials}] {trial.label}")

    def shared(self, node: Node) -> None:
        self._say(f"{node.label}, for several trials")

    def message(self, text: str) -> None:
        self._say(f"    {text}")

    def stage(self, name: str, step: int, steps: int) -> None:
        self.name, self.steps = name, steps
        self.last = time.monotonic()
        how = "trained already" if step >= steps else f"goes on at step {step} of {steps}" if step else f"{steps} steps"
        self._say(f"    {name}: {how}")

    def step(self, step: int, losses: Mapping[str, float], images_per_second: float) -> None:
        now = time.monotonic()
        if now - self.last >= EVERY or step == self.steps:
            self.last = now
            self._say(f"    {self.name} {step}/{self.steps}: {_losses(losses)}; {images_per_second:.0f} images/s")

    def outcome(self, outcome: Outcome) -> None:
        self._say(
            f"    {MARKS[outcome.status]} in {outcome.seconds:.1f} s" + (f": {outcome.error}" if outcome.error else "")
        )
        if outcome.trace:
            self._say(outcome.trace)


class LiveProgress(Progress):
    """Trials, stage and steps with losses, images a second and time left. Workers have a line each, with the trial's name."""

    def __init__(self, progress: rich_progress.Progress, trials: TaskID, mark: str = "") -> None:
        self.progress = progress
        self.all = trials
        self.mark = mark
        self.label = ""
        self.current = progress.add_task("", total=1, info="", visible=False)

    def worker(self, name: str) -> LiveProgress:
        return LiveProgress(self.progress, self.all, f"{name} ")

    def preparing(self, done: int, total: int) -> None:
        self.progress.update(
            self.current, description="preparing images", completed=done, total=total, visible=done < total
        )

    def trial(self, trial: Trial) -> None:
        if self.mark:
            self.label = f"{trial.label}  "
        else:
            self.progress.update(self.all, info=trial.label)

    def shared(self, node: Node) -> None:
        self.label = f"{node.label}  "

    def message(self, text: str) -> None:
        self.progress.update(self.current, info=self.label + text, visible=True)

    def stage(self, name: str, step: int, steps: int) -> None:
        description = f"  {self.mark}{name}"
        self.progress.reset(
            self.current, description=description, total=steps, completed=step, visible=True, info=self.label
        )

    def step(self, step: int, losses: Mapping[str, float], images_per_second: float) -> None:
        info = f"{self.label}{images_per_second:.0f} img/s  {_losses(losses)}"
        self.progress.update(self.current, completed=step, info=info)

    def outcome(self, outcome: Outcome) -> None:
        self.progress.advance(self.all)
        self.progress.update(self.current, visible=False)
        self.label = ""
        if outcome.error:
            self.progress.console.print(
                Text(f"{outcome.trial.label}: {MARKS[outcome.status]}: {outcome.error}", style="red")
            )
        if outcome.trace:
            self.progress.console.print(Text(outcome.trace))


def _losses(losses: Mapping[str, float]) -> str:
    """The groups' losses, not their terms."""
    return "  ".join(f"{name} {value:.2f}" for name, value in losses.items() if "/" not in name)


@contextlib.contextmanager
def progress_display(missing: int) -> Iterator[Progress]:
    """The live display where there is a terminal, else plain lines. `missing`: how many trials are to be run."""
    if not sys.stdout.isatty():
        yield PlainProgress(missing)
        return

    def fixed() -> Column:
        return Column(no_wrap=True)

    console = Console()
    told = Column(ratio=1, no_wrap=True, overflow="ellipsis", max_width=max(20, console.width - 46))
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", table_column=fixed()),
        BarColumn(bar_width=8, table_column=fixed()),
        MofNCompleteColumn(table_column=fixed()),
        TimeRemainingColumn(compact=True, table_column=fixed()),
        TextColumn("{task.fields[info]}", table_column=told),
    )
    with rich_progress.Progress(*columns, console=console) as progress:
        yield LiveProgress(progress, progress.add_task("trials", total=missing, info=""))
