"""What is said of a study before it runs and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ferbench.api.display import MARKS
from ferbench.api.studies import summary
from ferbench.cli.output import in_words
from ferbench.errors import FerbenchError, enumerate_first
from ferbench.execution.study import missing, state
from ferbench.plan.study import Study
from ferbench.records import files
from ferbench.records.differences import differences
from ferbench.records.schema import FAILED, OOM, Outcome, Record, Trial, code_key
from ferbench.records.store import Store
from ferbench.registry.loader import Registry

REASONS = 6
"""Of why trials are new, said with a plan."""


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
    if not missing(study, retry):
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
    console = Console(highlight=False)
    for outcome in outcomes:
        if outcome.status in (FAILED, OOM):
            console.print(Text(f"{MARKS[outcome.status]} {outcome.trial.label}: {outcome.error}"))
    console.print(summary(outcomes, study.results_dir))
    if any(outcome.status in (FAILED, OOM) and not outcome.again for outcome in outcomes):
        console.print(
            "Failed trials are kept as such; add --retry failed, --retry oom or --retry all to run them again."
        )
