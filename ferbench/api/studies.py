"""Planning a study and carrying it out: what `ferbench run` and `ferbench.run` both do."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence

from ferbench.api.display import progress_display
from ferbench.api.drawing import Drawing
from ferbench.config.compose import compose
from ferbench.config.studyfile import expand, find
from ferbench.execution.study import made_by_other_code, missing, replacing, run_study
from ferbench.execution.tracking import tracked
from ferbench.interfaces.executor import Progress
from ferbench.plan.study import Study, plan
from ferbench.records.migrate import waiting
from ferbench.records.schema import DONE, FAILED, OOM, STORED, Outcome, Record
from ferbench.records.store import Store
from ferbench.records.studies import remembered
from ferbench.registry.loader import Registry


def planned(
    registry: Registry,
    words: Sequence[str],
    *,
    multirun: bool = False,
    config_dir: str | None = None,
    config_name: str | None = None,
    tell: Callable[[str], None],
) -> Study:
    """The study that overrides ask for, `study=NAME` among them or not.

    Raises:
        FerbenchError: as `compose` and `plan`.
    """
    named = [word for word in words if word.startswith("study=")]
    runs = [list(words)]
    if named:
        rest = [word for word in words if word not in named]
        runs = expand(find(named[-1].removeprefix("study="), registry, config_dir), registry, rest)
    configs = [
        config
        for overrides in runs
        for config in compose(
            registry, overrides, sweep=multirun, config_dir=config_dir, config_name=config_name or "run", tell=tell
        )
    ]
    return plan(registry, configs)


def reviewed(study: Study, retry: str, fresh: bool, note: Callable[[str], None], tell: Callable[[str], None]) -> Study:
    """The study, with what other code has made to be run again if that is asked for.

    Args:
        note: is told what there is to know of its data.
        tell: is told what of its results folder is reused, or not found.
    """
    for sentence in dict.fromkeys(sentence for data, _ in study.data for sentence in data.notes):
        note(sentence)
    others = made_by_other_code(study)
    if fresh:
        study = replacing(study, others)
    elif others:
        tell(_other_code(study, others))
    store = Store(study.results_dir)
    if missing(study, retry) and waiting(store):
        tell(
            f"{store.root} contains records of version 1, which are not found: 'ferbench migrate {store.root}' takes them over."
        )
    return study


def carried_out(
    registry: Registry, study: Study, retry: str, command: Sequence[str], progress: Progress | None = None
) -> list[Outcome]:
    """Run what is missing, draw its figures, and return the outcome of every trial.

    Args:
        command: the words of the command, without "ferbench", for `ferbench status`.
        progress: is told what goes on; None for the display of the command line.

    Raises:
        FerbenchError: as `run_study`.
        KeyboardInterrupt: it was interrupted, and left checkpoints; or the executor's jobs go on without it.
    """
    store = Store(study.results_dir)
    outcomes = []
    with contextlib.ExitStack() as stack:
        if something := missing(study, retry):
            store.prepare()
            executor = study.executor.to_dict()
            stack.enter_context(remembered(store, command, executor, study.trials, registry.files))
        shown = progress or stack.enter_context(progress_display(something))
        if something:
            shown = stack.enter_context(tracked(registry, study, shown))
        figures = stack.enter_context(Drawing(store, shown))
        for outcome in run_study(registry, study, shown, retry):
            outcomes.append(outcome)
            if outcome.status == DONE:
                figures.draw(outcome.trial.id)
    return outcomes


def summary(outcomes: Sequence[Outcome], results_dir: str) -> str:
    """The end of a study in words."""
    counts = Counter(outcome.status for outcome in outcomes)
    if counts[STORED] == len(outcomes):
        return f"Nothing to run: all {len(outcomes)} trials are stored in {results_dir}."
    words = [
        f"{counts[s]} {w}"
        for s, w in ((DONE, "run"), (STORED, "stored before"), (FAILED, "failed"), (OOM, "out of memory"))
        if counts[s]
    ]
    return f"{len(outcomes)} trials: {', '.join(words)}. Results: {results_dir}"


def _other_code(study: Study, records: Sequence[Record]) -> str:
    """One line on stored records that the present code did not make."""
    first = records[0].trial
    where = "" if study.results_dir == "results" else f" {study.results_dir}"
    return (
        f"{len(records)} of {len(study.trials)} trials are stored and were made by other code of the same declared versions: "
        f"reused. --fresh runs them again; 'ferbench show {first.id[:6]}{where}' names the code."
    )
