"""Records for commands that read results folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from ferbench.cli.options import by_beginning
from ferbench.errors import FerbenchError

if TYPE_CHECKING:
    from ferbench.records.merge import Collected
    from ferbench.records.schema import Record


def collected(folders: Sequence[str]) -> Collected:
    """Records and failures of several folders; what was left out or contradicts itself is said on the side."""
    from ferbench.records.merge import collect

    if former := next((word for word in folders if "=" in word and not Path(word).exists()), None):
        raise FerbenchError(_present(former))
    given = collect(folders)
    for note in given.notes:
        click.echo(note, err=True)
    return given


def _present(word: str) -> str:
    """What to type instead of an override, which commands that read records took once."""
    key, _, value = word.partition("=")
    if key == "results_dir":
        return f"Results folders are written as they are: {value} instead of {word}."
    if key in ("method", "dataset"):
        return f"{word} is an option here: --{key} {value}."
    return f"There is no results folder {word}."


def find(trial: str, folders: Sequence[str]) -> tuple[Record, Path]:
    """The record whose name begins so, and its folder.

    Raises:
        FerbenchError: there is none, or there are several.
    """
    given = collected(folders)
    name = by_beginning("record", trial, given.records)
    return given.records[name], given.where[name]
