"""`ferbench`: finds the subcommand, and turns what the user can mend into one sentence."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import rich_click as click
from click.exceptions import Exit

from ferbench.cli.options import say
from ferbench.cli.outside import clashes, named
from ferbench.cores import be_considerate, keep_memory
from ferbench.deprecation import OutdatedPlugin, rename_command
from ferbench.errors import FerbenchError, UnknownName, printable
from ferbench.extras import needed_by
from ferbench.registry.loader import load_registry

COMMANDS = (
    "run", "status", "doctor", "power", "leaderboard", "site", "compare", "ablations", "evaluate", "show", "why",
    "gradients", "submit", "migrate", "list", "datasets", "prepare", "splits", "audit", "contact-sheet", "plugins", "check", "new",
)  # fmt: skip
"""Each is a module of this package with a click command called `command`."""

WRONG_USAGE = 2


class Commands(click.RichGroup):
    """Subcommands in their own modules, and those of plugins, which are looked for where the word is none of ours."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *self._of_plugins()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> Any:
        if cmd_name in COMMANDS:
            return importlib.import_module(f"ferbench.cli.{cmd_name.replace('-', '_')}").command
        return self._of_plugins().get(cmd_name)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, Any, list[str]]:
        args, sentence = rename_command(args)
        if sentence:
            say(sentence)
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            registry = load_registry()
            if doubled := [text for text in clashes(registry, COMMANDS) if f"have a command '{name}'" in text]:
                raise FerbenchError(doubled[0])
            raise UnknownName("command", name, self.list_commands(ctx), hint=registry.broken_hint())
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        registry = load_registry()
        self.epilog = "\n\n".join([*clashes(registry, COMMANDS), registry.broken_hint()]).strip()
        super().format_help(ctx, formatter)

    def _of_plugins(self) -> dict[str, Any]:
        return dict(named(load_registry(), COMMANDS))


def version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        import ferbench

        click.echo(f"ferbench {ferbench.__version__}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=version, help="Print the version.")
def cli() -> None:
    """Does a method that claims to separate expression from identity really do so, and is it any better for it?

    \b
    ferbench run method=degan dataset=oulu dataset.root=/data/OuluCASIA
    ferbench run method=degan dataset=synthfaces ablation=all
    ferbench leaderboard
    """


def main() -> None:
    """Console script. Status: 0 all done, 1 some trials failed, 2 wrong usage or configuration."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # names of files are printed as they are, UTF-8 or not
    be_considerate()
    keep_memory()
    try:
        with (
            ended_like_interrupted(),
            outdated_plugins_in_words(),
            needed_by(f"`{' '.join(['ferbench', *sys.argv[1:2]])}`"),
        ):
            status = cli(standalone_mode=False)
    except FerbenchError as error:
        fail(str(error))
    except Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(WRONG_USAGE)
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nInterrupted. The same command goes on where it stopped.", err=True)
        sys.exit(130)
    except BrokenPipeError:  # stdout was closed, as `| head` does; not an error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(status if isinstance(status, int) else 0)


@contextmanager
def ended_like_interrupted() -> Iterator[None]:
    """A context in which SIGTERM, which `kill`, containers and schedulers send, does what Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def outdated_plugins_in_words() -> Iterator[None]:
    """Print a warning about a plugin as one sentence, without file and line. Other warnings stay as they are."""
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, OutdatedPlugin):
                click.echo(f"Warning: {message}", err=True)
            else:
                usual(message, category, *place, **more)

        warnings.showwarning = show
        yield


def fail(sentence: str) -> None:
    """Print the sentence and end with status 2."""
    click.echo(f"Error: {printable(sentence, lines=True)}", err=True)
    sys.exit(WRONG_USAGE)
