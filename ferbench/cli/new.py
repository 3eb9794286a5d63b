"""`ferbench new`: a package to start a plugin from."""

from __future__ import annotations

import shlex
from pathlib import Path

import rich_click as click

from ferbench.cli.options import plugin_option


@click.command("new")
@click.argument("kind", metavar="method|dataset|backbone|evaluator|protocol")
@click.argument("name")
@click.option(
    "--into", metavar="DIR", default=".", help="Folder in which the package's folder is made; by default here."
)
@plugin_option
def command(kind: str, name: str, into: str, plugins: tuple[str, ...]) -> int:
    """Write an installable package with a new component: card, code that runs at once, tests, README and CI.

    \b
    ferbench new method my-method
    ferbench new dataset yale --into ~/plugins

    What is printed then are the commands that install, check, run and test it. A component is called by its name with '_'
    (method=my_method), its folder and distribution ferbench-my-method.
    """
    from ferbench.errors import UnknownName
    from ferbench.kit.package import KINDS, first_steps, write_package
    from ferbench.registry.loader import load_registry

    if kind not in KINDS:
        raise UnknownName("kind of package", kind, KINDS)
    folder = write_package(load_registry(plugins), kind, name, Path(into).expanduser())
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        click.echo(f"  {path}")
    click.echo("Next:")
    for line in (f"cd {shlex.quote(str(folder))}", *first_steps(folder)):
        click.echo(f"  {line}")
    return 0
