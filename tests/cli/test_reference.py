"""Every command shows itself in use, and the page of all commands is theirs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import rich_click as click

from ferbench.cli.main import cli
from ferbench.cli.reference import examples, page, walk

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "commands.md"
COMMANDS = dict(walk())


def test_the_page_is_that_of_the_commands() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m ferbench.cli.reference > docs/reference/commands.md"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_an_example_of_its_command(name: str) -> None:
    assert any(line.startswith(f"ferbench {name}") for line in examples(COMMANDS[name])), name


@pytest.mark.parametrize("name", COMMANDS)
def test_the_options_of_an_example_exist(name: str) -> None:
    for line in examples(COMMANDS[name]):
        words = shlex.split(line)[1:]
        command: click.Command = cli
        while isinstance(command, click.Group) and words:
            found = command.get_command(click.Context(command), words[0])
            if found is None:
                break
            command, words = found, words[1:]
        known = {option for parameter in command.params for option in parameter.opts} | {"--multirun"}
        assert {word for word in words if re.match(r"--?[a-z]", word)} <= known, line


def test_folders_and_filters_have_one_form() -> None:
    """`[DIR]...` wherever records are read, and no option of another name for a filter."""
    for name, command in COMMANDS.items():
        arguments = {p.name: p for p in command.params if isinstance(p, click.Argument)}
        if "folders" in arguments:
            assert (arguments["folders"].nargs, arguments["folders"].metavar) == (-1, "[DIR]..."), name
        options = {option for p in command.params if isinstance(p, click.Option) for option in p.opts}
        assert not options & {"--results-dir", "--datasets", "--methods", "--only-method"}, name
