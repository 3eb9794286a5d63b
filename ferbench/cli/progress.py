"""What the user sees while a study runs: one live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

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
from rich.table import Column, Table
from rich.text import Text

from ferbench.cli.output import in_words
from ferbench.errors import FerbenchError, enumerate_first
from ferbench.execution.study import state
from ferbench.interfaces.executor import Node, Progress
from ferbench.plan.study import Study
from ferbench.records import files
from ferbench.records.differences import differences
from ferbench.records.schema import DONE, FAILED, INTERRUPTED, OOM, STORED, Outcome, Record, Trial, code_key
from ferbench.records.store import Store
from ferbench.registry.loader import Registry

EVERY = 15.0
"""Seconds between two lines about a running stage where there is no terminal."""

REASONS = 6
"""Of why trials are new, said with a plan."""

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
def progress_display(study: Study, retry: str = "") -> Iterator[Progress]:
    """The live display where there is a terminal, else plain lines."""
    store = Store(study.results_dir)
    missing = sum(state(store, trial, retry) is None for trial in study.trials)
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


def print_plan(study: Study, retry: str) -> None:
    """The trials of a study and what is known of each."""
    store = Store(study.results_dir)
    table = Table(box=None, pad_edge=False)
    for heading in ("trial", "", "state"):
        table.add_column(heading, overflow="fold")
    trained = set()
    stored = store.scan()[0] if store.root.is_dir() else []
    differing: Counter[str] = Counter()
    for trial in study.trials:
        known = state(store, trial, retry)
        if known is None:
            parts = []
            for stage in trial.stages:
                again = bool(trial.replaces) and store.trained_by_other_code(stage.key, code_key(trial.code))
                if store.trained(stage.key) and not again:
                    parts.append(f"{stage.name} is trained")
                elif stage.key in trained:
                    parts.append(f"{stage.name} shared")
                elif again:
                    parts.append(f"{stage.name} {stage.steps} steps, again")
                else:
                    started = files.checkpoint(store.stage(stage.key)).is_file()
                    parts.append(f"{stage.name} {'goes on' if started else f'{stage.steps} steps'}")
                trained.add(stage.key)
            told = ", ".join(parts)
            if differs := _differs(trial, stored):
                differing[differs] += 1
        else:
            told = MARKS[known.status] + (f": {known.error}" if known.error else "")
        table.add_row(trial.id, Text(trial.label), Text(told))
    alone, shared = study.stage_trainings
    console = Console()
    console.print(table)
    saved = f", {alone - shared} of {alone} stage trainings shared" if alone > shared else ""
    reasons = differing.most_common()
    for differs, trials in reasons[:REASONS]:
        console.print(Text(f"{trials} new trial{'s' * (trials > 1)}: the nearest record differs in {differs}"))
    if others := sum(trials for _, trials in reasons[REASONS:]):
        console.print(f"{others} more: in other things")
    console.print(f"{len(study.trials)} trials{saved}. Results: {study.results_dir}")


def print_estimate(registry: Registry, study: Study, retry: str) -> None:
    """How long what is left will take, from a short measurement; a reason where it cannot be measured."""
    store = Store(study.results_dir)
    if all(state(store, trial, retry) is not None for trial in study.trials):
        return
    from ferbench.extras import needed_by

    console = Console()
    try:
        with needed_by("An estimate"):
            from ferbench.execution.estimate import estimate
        found = estimate(registry, study, retry)
    except FerbenchError as error:
        console.print(Text(f"How long it takes cannot be said: {error}"))
        return
    kinds = f"{found.measured} kind{'s' * (found.measured != 1)} of stage measured"
    at_a_time = f"{found.workers} trials at a time" if found.workers > 1 else "one trial after another"
    together = f", one after another {in_words(found.training + found.evaluation)}" if found.workers > 1 else ""
    console.print(
        f"It would take about {in_words(found.seconds)} on this machine, {at_a_time}{together}: training "
        f"{in_words(found.training)}, all else {in_words(found.evaluation)} ({kinds})."
    )


def _differs(trial: Trial, stored: Sequence[Record]) -> str:
    """In what a trial differs from the nearest stored one of its method; empty if there is none."""
    relatives = [r for r in stored if r.trial.method == trial.method]
    if not relatives:
        return ""
    found = min((differences(trial.identity, r.trial.identity) for r in relatives), key=len)
    return enumerate_first([f"{d.kind} {d.name}" for d in found], 3)


def print_outcomes(study: Study, outcomes: Sequence[Outcome]) -> None:
    """The end of a study in words, and each failure."""
    counts = Counter(outcome.status for outcome in outcomes)
    console = Console(highlight=False)
    for outcome in outcomes:
        if outcome.status in (FAILED, OOM):
            console.print(Text(f"{MARKS[outcome.status]} {outcome.trial.label}: {outcome.error}"))
    if counts[STORED] == len(outcomes):
        console.print(f"Nothing to run: all {len(outcomes)} trials are stored in {study.results_dir}.")
        return
    words = [
        f"{counts[s]} {w}"
        for s, w in ((DONE, "run"), (STORED, "stored before"), (FAILED, "failed"), (OOM, "out of memory"))
        if counts[s]
    ]
    console.print(f"{len(outcomes)} trials: {', '.join(words)}. Results: {study.results_dir}")
    if any(outcome.status in (FAILED, OOM) and not outcome.again for outcome in outcomes):
        console.print(
            "Failed trials are kept as such; add --retry failed, --retry oom or --retry all to run them again."
        )
