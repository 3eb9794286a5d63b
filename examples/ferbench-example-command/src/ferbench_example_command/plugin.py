"""What ferbench knows of the command before it is typed."""

from __future__ import annotations

from collections.abc import Iterable

from ferbench import CommandCard, hookimpl


@hookimpl
def ferbench_commands() -> Iterable[CommandCard]:
    """The commands of this package."""
    return [
        CommandCard(
            name="slowest",
            target="ferbench_example_command.slowest:main",
            title="List the trials that took longest.",
            api=1,
        )
    ]
