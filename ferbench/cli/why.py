"""`ferbench why`: what sets a trial apart from its nearest relative."""

from __future__ import annotations

import rich_click as click

from ferbench.cli.options import by_beginning, folders_argument


@click.command("why")
@click.argument("trial", metavar="TRIAL")
@folders_argument
@click.option("--other", metavar="TRIAL", help="Compare with this trial instead of the nearest.")
def command(trial: str, folders: tuple[str, ...], other: str | None) -> None:
    """Say which setting, data, version or function sets TRIAL apart from the nearest stored trial.

    \b
    ferbench why 3f9a
    ferbench why 3f9a results/demo --other 77b0

    A trial is named by the first letters of its identifier, as 'ferbench run --dry-run' and the results folder show it.
    'ferbench show' prints the same at the end of a record.
    """
    from ferbench.cli.apart import apart, candidates, nearest

    known = candidates(folders)
    name = by_beginning("trial", trial, known)
    relative = by_beginning("trial", other, known) if other is not None else nearest(name, known)
    click.echo(f"{name}  {known[name].trial.label}\n{relative}  {known[relative].trial.label}\ndiffer in:")
    for line in apart(known[name], known[relative]):
        click.echo(f"  {line}")
