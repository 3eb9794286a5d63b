"""Commands of plugins."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferbench.records.schema import FAILED, Outcome
from ferbench.records.store import Store
from tests.made_records import Make
from tests.registry.test_loader import installed as installed

PLUGIN = """
from ferbench import CommandCard, hookimpl

@hookimpl
def ferbench_commands():
    return [CommandCard(name="{name}", target="{module}:{function}", title="a tool {{of mine}} [bold]")]
"""
TOOLS = """
import argparse
import sys
import ferbench

def show(words):
    print("got", words)

def parse(words):
    parser = argparse.ArgumentParser(prog="ferbench my-tool")
    parser.add_argument("--count", type=int, default=1)
    return parser.parse_args(words).count

def fail(words):
    raise ValueError("no good\\x1b[2J")

def refuse(words):
    raise ferbench.FerbenchError("Write it otherwise.")

def leave(words):
    sys.exit(7)

def stop(words):
    raise KeyboardInterrupt

def answer(words):
    return "done"
"""
Install = Callable[..., None]


@pytest.fixture
def tool(installed: Install) -> Callable[..., None]:
    """Installs a plugin with the command `my_tool`: tool("show")."""

    def install(function: str, name: str = "my_tool", distribution: str = "some-tools", module: str = "tools") -> None:
        if module == "tools":
            installed("tools", TOOLS)
        installed(distribution, PLUGIN.format(name=name, module=module, function=function))

    return install


def test_its_function_gets_all_words(tool: Install, ferbench: Callable[..., Any]) -> None:
    tool("show")
    done = ferbench("my-tool", "--help", "-x", "--", "a=1", "")
    assert (done.status, done.out) == (0, "got ['--help', '-x', '--', 'a=1', '']\n")


def test_its_status_is_that_of_the_command(tool: Install, ferbench: Callable[..., Any]) -> None:
    tool("parse")
    assert ferbench("my-tool").status == 1
    assert ferbench("my-tool", "--count", "0").status == 0
    assert ferbench("my-tool", "--count", "5").status == 5
    wrong = ferbench("my-tool", "--cuont", "5")
    assert wrong.status == 2
    assert "usage: ferbench my-tool" in wrong.err
    told = ferbench("my-tool", "--help")
    assert (told.status, "--count" in told.out) == (0, True)


@pytest.mark.parametrize(
    ("function", "status", "sentences"),
    [
        ("fail", 1, ["Traceback", "'my-tool' of plugin 'some_tools' (some-tools 1.2) failed: ValueError: no good\\x1b"]),
        ("refuse", 2, ["Error: Write it otherwise."]),
        ("leave", 7, []),
        ("stop", 130, ["Interrupted"]),
        ("answer", 2, ["of plugin 'some_tools' (some-tools 1.2) returned 'done'; it has to return its exit status"]),
        ("nothing", 2, ["command 'my_tool' points to 'tools:nothing', which has no 'nothing'"]),
    ],
)  # fmt: skip
def test_one_that_goes_wrong(
    tool: Install, ferbench: Callable[..., Any], function: str, status: int, sentences: list[str]
) -> None:
    tool(function)
    done = ferbench("my-tool")
    assert done.status == status
    for sentence in sentences:
        assert sentence in done.err


def test_one_that_cannot_be_imported(tool: Install, ferbench: Callable[..., Any]) -> None:
    tool("show", module="elsewhere_and_missing")
    done = ferbench("my-tool")
    assert done.status == 2
    assert "command 'my_tool' needs the module 'elsewhere_and_missing', which is not installed" in done.err


def test_a_module_that_ends_the_process(installed: Install, tool: Install, ferbench: Callable[..., Any]) -> None:
    tool("show", module="ending_tools")
    Path(sys.path[0], "ending_tools.py").write_text("import sys\nsys.exit(0)\n")
    done = ferbench("my-tool")
    assert done.status == 2
    assert "could not be imported: its module ended the process" in done.err


def test_help_has_them_in_a_section_of_their_own(tool: Install, ferbench: Callable[..., Any]) -> None:
    tool("show")
    told = ferbench("--help").out
    core, _, outside = told.partition("Commands of plugins")
    assert "my-tool" not in core
    assert "my-tool" in outside
    assert "a tool {of mine} [bold]" in outside
    assert "my_tool" in ferbench("list", "commands").out


def test_without_plugins_help_has_no_such_section(ferbench: Callable[..., Any]) -> None:
    assert "Commands of plugins" not in ferbench("--help").out


def test_a_command_of_the_core_wins(tool: Install, ferbench: Callable[..., Any]) -> None:
    tool("show", name="plugins")
    done = ferbench("plugins")
    sentence = "The plugin 'some_tools' (some-tools 1.2) has a command 'plugins', which is one of ferbench's own."
    assert sentence in " ".join(done.out.split())
    assert done.status == 1
    assert "got" not in done.out
    assert sentence in " ".join(ferbench("--help").out.split())


def test_two_plugins_with_a_command_of_one_name(tool: Install, ferbench: Callable[..., Any]) -> None:
    tool("show")
    tool("leave", distribution="other-tools", module="tools2")
    done = ferbench("my-tool")
    assert done.status == 2
    assert "Two plugins have a command 'my-tool'" in done.err
    assert "Write ferbench other-tools/my-tool or ferbench some-tools/my-tool, or uninstall one" in done.err
    assert ferbench("some-tools/my-tool", "a").out == "got ['a']\n"
    assert ferbench("plugins").status == 1


def test_a_command_that_is_not_there(tool: Install, installed: Install, ferbench: Callable[..., Any]) -> None:
    tool("show")
    installed("broken", "raise ValueError('no')\n")
    done = ferbench("my-tol")
    assert done.status == 2
    assert "There is no command 'my-tol'. Did you mean 'my-tool'?" in done.err
    assert "The plugin 'broken' (broken 1.2) could not be loaded (ValueError: no)." in done.err
    assert "could not be loaded" in ferbench("--help").out


def test_the_card_of_another_thing_is_refused(installed: Install, ferbench: Callable[..., Any]) -> None:
    code = "from ferbench import hookimpl\n\n@hookimpl\ndef ferbench_commands():\n    return ['mytool']\n"
    installed("textual", code)
    assert "The hook ferbench_commands returned 'mytool', which is not a card." in " ".join(
        ferbench("plugins", "-v").out.split()
    )


def test_the_command_of_the_howto_runs(
    installed: Install, ferbench: Callable[..., Any], make: Make, tmp_path: Path
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "howto" / "write-a-command.md").read_text()
    plugin, tools = re.findall(r"```python\n(.*?)```", page, re.S)
    installed("my-plugin", plugin)
    installed("my-tools", tools)
    store = Store(tmp_path / "results")
    store.prepare()
    for fold in (0, 1):
        store.write_failure(Outcome(make("grl", fold=fold).trial, FAILED, "no"))
    done = ferbench("trial-counts", tmp_path / "results")
    assert done.status == 0, done.err
    assert done.out.split()[-3:] == ["made", "grl", "2"]


def test_help_imports_nothing_large() -> None:
    code = """
import sys
from ferbench.cli.main import cli
cli(["--help"], standalone_mode=False)
print(sorted({"torch", "pandas", "numpy"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
