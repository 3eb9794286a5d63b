"""`ferbench migrate`: records of version 1 get the names that the present version looks for."""

from __future__ import annotations

from collections import Counter

import rich_click as click

from ferbench.cli.options import folders_argument


@click.command("migrate")
@folders_argument
def command(folders: tuple[str, ...]) -> int:
    """Take over records that an older ferbench made, in place, so that `ferbench run` finds them stored.

    \b
    ferbench migrate results

    Until version 1 of records, a trial's name was a hash of ferbench's own source code, so that each upgrade made every trial
    a new one. Metrics, predictions and weights stay as they are; the old name is kept in the provenance.

    Exit status: 0, or 1 where a record is damaged.
    """
    from ferbench.records.migrate import DAMAGED, MIGRATED, STOOD, migrate
    from ferbench.records.store import Store

    counts: Counter[str] = Counter()
    for folder in folders or ("results",):
        for found in migrate(Store(folder)):
            counts[found.state] += 1
            counts["unreleased"] += found.unreleased
            if found.state == STOOD:
                click.echo(f"{folder}/{found.old} stays: {found.new} is a record of the same trial already.")
            elif found.state == DAMAGED:
                click.echo(f"{folder}/{found.old} stays: its record.json cannot be read.", err=True)
    click.echo(f"{counts[MIGRATED]} records migrated.")
    if counts["unreleased"]:
        click.echo(
            f"{counts['unreleased']} of them ran a plugin file, whose code counts and is not known any more: boards show them, "
            "and 'ferbench run' runs their trials anew."
        )
    return 1 if counts[DAMAGED] else 0
