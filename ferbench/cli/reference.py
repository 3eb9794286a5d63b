"""docs/reference/commands.md, from the commands themselves: `python -m ferbench.cli.reference > docs/reference/commands.md`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import rich_click as click

from ferbench.cli.main import COMMANDS, cli

HEAD = """# Commands

Written by `python -m ferbench.cli.reference` from the commands themselves; a test compares. `ferbench COMMAND --help` prints the
same.

Results folders are positional (`[DIR]...`, by default `results`) in every command that reads records. Filters are options of one
name everywhere: `--dataset`, `--method`, `--metric`, `--baseline`, `--include-ablations`. Settings of components are written
`dataset.root=...`, `method.lr=...` wherever they are taken. A trial is named by the first letters of its identifier. What reads
records writes nothing, unless it is told where.
"""


def page() -> str:
    """The page's text."""
    parts = [HEAD, *(_section(name, command) for name, command in walk())]
    return "\n".join(parts)


def walk() -> Iterator[tuple[str, click.Command]]:
    """Every command that can be typed, with its words: "datasets check"."""
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", command.commands[sub]) for sub in command.commands)


def examples(command: click.Command) -> list[str]:
    """The lines of a command's help that show it in use."""
    lines = inspect.cleandoc(command.help or "").splitlines()
    return [line.strip() for line in lines if line.strip().startswith("ferbench ")]


def _section(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"ferbench {name}")
    usage = " ".join([f"ferbench {name}", *command.collect_usage_pieces(context)])
    lines = [f"## ferbench {name}", "", f"    {usage}", "", _prose(command.help or "")]
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    if options:
        lines += ["", "| option | |", "|---|---|", *(_option(option, context) for option in options)]
    return "\n".join([*lines, ""])


def _prose(text: str) -> str:
    """The help text as Markdown: what click shows as it is (after \\b) is indented."""
    blocks = []
    for block in inspect.cleandoc(text).split("\n\n"):
        lines = block.splitlines()
        if lines[0] == "\b":
            blocks.append("\n".join(f"    {line}" for line in lines[1:]))
        else:
            blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _option(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    names, text = record if record is not None else (", ".join(option.opts), "")
    return " | ".join(["", f"`{names}`".replace("|", "\\|"), text.replace("|", "\\|").replace("  ", " "), ""]).strip()


if __name__ == "__main__":
    click.echo(page(), nl=False)
