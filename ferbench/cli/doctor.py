"""`ferbench doctor`: what is damaged or left over in results folders."""

from __future__ import annotations

import rich_click as click

from ferbench.cli.options import folders_argument
from ferbench.errors import FerbenchError


@click.command("doctor")
@folders_argument
@click.option("--mend", is_flag=True, help="Mend what can be mended. Without it, nothing is changed.")
def command(folders: tuple[str, ...], mend: bool) -> int:
    """List what is damaged or left over in a results folder, what becomes of it meanwhile, and how it is mended.

    \b
    ferbench doctor results
    ferbench doctor results --mend

    Compares each file with its checksum, so all bytes are read. With --mend, damaged records and stages are moved to
    results/.damaged, so that 'ferbench run' runs them again; drafts, leases and checkpoints that processes left when they died
    are removed. No whole record is moved, and no record is deleted. docs/reference/reliability.md has what survives what.

    Exit status: 0 nothing is wrong, or all of it is mended; 1 something is wrong.
    """
    from ferbench.records.doctor import examine
    from ferbench.records.store import Store

    found = mended = mendable = 0
    for folder in folders or ("results",):
        for finding in examine(Store(folder)):
            found += 1
            mendable += finding.mend is not None
            click.echo(f"{finding.path}: {finding.wrong}.\n    meanwhile: {finding.meanwhile}.")
            if finding.mend is None or not mend:
                click.echo(f"    {'to mend' if finding.mend is not None else 'to do'}: {finding.remedy}.")
                continue
            try:
                finding.mend()
            except (FerbenchError, OSError) as error:
                click.echo(f"    not mended: {error}")
            else:
                mended += 1
                click.echo(f"    mended: {finding.remedy}.")
    if not found:
        click.echo("Nothing is wrong.")
    elif mend:
        click.echo(f"{found} found, {mended} mended.")
    else:
        click.echo(f"{found} found{f'; --mend mends {mendable} of them' if mendable else ''}.")
    return 1 if found > mended else 0
