"""Where a command's result goes: to the terminal, or whole into a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from ferbench.errors import FerbenchError

if TYPE_CHECKING:
    from rich.console import RenderableType


def printed(table: RenderableType, to_file: bool) -> str:
    """Print a table to the terminal, or give its text."""
    import io

    from rich.console import Console

    if not to_file:
        Console(highlight=False).print(table)
        return ""
    out = io.StringIO()
    Console(file=out, width=120, highlight=False).print(table)
    return out.getvalue()


def write(text: str, output: str | None) -> None:
    """To the terminal, or to a file.

    Raises:
        FerbenchError: the file cannot be written.
    """
    from ferbench.files import replace_text

    if output is None:
        if text:
            click.echo(text, nl=False)
        return
    try:
        replace_text(Path(output), text)
    except OSError as error:
        raise FerbenchError(f"--output {output} cannot be written: {error.strerror or error}.") from error


def in_words(seconds: float) -> str:
    """A duration as text: '40 s', '12 min', '3 h 20 min', '2 days 5 h'."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days {hours % 24} h"
