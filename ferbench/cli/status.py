"""`ferbench status`: what runs where, what failed, what is left, and when it will be done."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING

import rich_click as click

from ferbench.cli.options import folders_argument

if TYPE_CHECKING:
    from rich.table import Table

    from ferbench.execution.status import Status

SHOWN = 20
"""Trials of a kind that are shown one by one."""


@click.command("status")
@click.option("--all", "every", is_flag=True, help=f"Name all trials, not only the first {SHOWN} of a kind.")
@folders_argument
def command(every: bool, folders: tuple[str, ...]) -> None:
    """Show what of a study is done, what runs where, what failed, what is left, and when it will be done.

    \b
    ferbench status
    ferbench status /shared/results

    It reads the results folder, and asks the engine if the study was given to one with a queue. So it works on any machine that
    has the folder, whether the command that started the study still runs or not.
    """
    from ferbench.errors import FerbenchError
    from ferbench.execution.status import status
    from ferbench.records.store import Store
    from ferbench.records.studies import studies
    from ferbench.registry.loader import load_registry

    for folder in folders or ("results",):
        store = Store(folder)
        if not store.root.is_dir():
            raise FerbenchError(f"There is no results folder {folder}. 'ferbench run' creates it.")
        found = studies(folder)
        if not found:
            raise FerbenchError(
                f"{folder} does not say which studies were run into it; that is known from the first run with this version on. "
                f"'ferbench leaderboard {folder}' shows the records."
            )
        for study in found:
            _print(folder, status(store, study, load_registry(study.plugins)), every)


def _print(folder: str, state: Status, every: bool) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(f"ferbench {shlex.join(state.study.command)}", style="bold"), soft_wrap=True)
    queued = {job.key for job in state.jobs}
    words = [
        f"{number} {word}"
        for number, word in (
            (state.stored, "stored"),
            (len(state.failed), "failed"),
            (len(state.running), "running"),
            (len(queued), "queued"),
            (len(state.left), "left"),
        )
        if number
    ]
    console.print(
        f"  {folder}: {len(state.study.trials)} trials, {', '.join(words)}; last run {_ago(state.study.began)} ago"
    )
    if state.running:
        console.print(_running(state, every))
    if state.jobs:
        for why in sorted({job.where for job in state.jobs}):
            names = [job.name for job in state.jobs if job.where == why]
            shown = f"{names[0]} to {names[-1]}" if len(names) > 1 else names[0]
            console.print(Text(f"  queued: {shown} ({why or 'no reason given'})"))
    for outcome in state.failed if every else state.failed[:SHOWN]:
        console.print(Text(f"  failed: {outcome.trial.label}: {outcome.error}"))
    if len(state.failed) > SHOWN and not every:
        console.print(f"  and {len(state.failed) - SHOWN} more failures (--all names them)")
    if state.silent:
        console.print(Text(f"  The engine cannot be asked: {state.silent}"))
    console.print(Text(f"  {_end(state, queued)}"))


def _running(state: Status, every: bool) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for work in state.running if every else state.running[:SHOWN]:
        latest = work.latest
        where = f"{latest.host} {latest.process}" if latest.host else "starts"
        if latest.name and latest.done < latest.steps:
            rate = f", {latest.rate:.0f} images/s" if latest.rate else ""
            told = f"{latest.name} {latest.done}/{latest.steps}{rate}"
        else:
            told = latest.text or latest.name or ("loading" if latest.host else "")
        since = f", for {_ago(latest.began)}" if latest.began else ""
        table.add_row(Text(f"  {work.label}"), Text(where), Text(told + since))
    if len(state.running) > SHOWN and not every:
        table.add_row(f"  and {len(state.running) - SHOWN} more (--all names them)", "", "")
    return table


def _end(state: Status, queued: set[str]) -> str:
    """When it will be done, or what to do."""
    from ferbench.cli.output import in_words

    if not state.left:
        return f"Nothing is left{'; the command with --retry all runs the failures again' if state.failed else ''}."
    if not state.running:
        if state.commands:
            return "The command runs, and has begun no trial yet: it prepares images, or waits."
        return (
            "No trial runs yet."
            if queued
            else "No trial runs, nor does the command: it goes on when it is given again."
        )
    if state.seconds is None:
        return "When it will be done cannot be said before a trial is stored."
    then = time.strftime("%Y-%m-%d %H:%M", time.localtime(time.time() + state.seconds))
    return (
        f"Expected end: {then}, in {in_words(state.seconds)}, if as many run at a time as now ({len(state.running)}) and the rest "
        f"take as long as the {state.stored} that are stored."
    )


def _ago(moment: float) -> str:
    from ferbench.cli.output import in_words

    return in_words(max(time.time() - moment, 0.0))
