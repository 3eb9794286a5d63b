"""`ferbench audit`: does a split leak?"""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from ferbench.cli.options import complete_overrides, plugin_option
from ferbench.errors import FerbenchError, enumerate_first


@click.command("audit")
@plugin_option
@click.argument("file", type=click.Path(dir_okay=False))
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED, shell_complete=complete_overrides)
@click.option(
    "--root", metavar="DIR", help="Folder of the images in the column path: near-duplicates are then looked for."
)
@click.option("--worth", is_flag=True, help="Also train and test on this split and on a clean one of the same frames.")
def command(file: str, overrides: tuple[str, ...], root: str | None, worth: bool, plugins: tuple[str, ...]) -> int:
    """Say what a split has on both sides that should not be: subjects, sequences, frames, nearly equal images.

    FILE is CSV with the columns frame_id or path, subject, and split or fold; sequence, expression and hash (16
    hexadecimal digits) where they are known. What 'ferbench splits' prints can be audited.

    --worth measures what the leak is worth: the same method on this split and on a clean one. The frames are those of FILE
    (columns path and expression), or of the dataset that the overrides name:

    \b
    ferbench audit splits.csv --root /data --worth method=cross_entropy budget=demo
    ferbench audit splits.csv --worth dataset=oulu dataset.root=/data/OuluCASIA

    Exit status: 0 where nothing leaks, 1 where something does, 2 where the file cannot be read.
    """
    from ferbench.audit.splits import audit, read
    from ferbench.protocols.splitfile import alike

    if overrides and not worth:
        raise FerbenchError(f"'{overrides[0]}' is for --worth, which trains and tests on the split.")
    table = read(Path(file))
    findings = audit(table, None if root is None else Path(root))
    if names := alike(table["subject"]):
        groups = [" and ".join(group) for group in names]
        click.echo(f"note  {len(groups)} groups of subjects may be one person each: {enumerate_first(groups)}")
    for found in findings:
        click.echo(
            f"{found.side}: {found.tested} frames of {found.tested_subjects} subjects tested, {found.trained} trained on"
        )
        for what, items in (("subjects", found.subjects), ("sequences", found.sequences), ("frames", found.doubles)):
            if items:
                of = f" of {found.tested_subjects}" if what == "subjects" else ""
                click.echo(f"  LEAK  {len(items)}{of} {what} are trained on too: {enumerate_first(items)}")
        if found.near:
            pairs = [f"{a} ~ {b}" for a, b in found.near]
            click.echo(
                f"  LEAK  {len(pairs)} images are nearly the same as one that is trained on: {enumerate_first(pairs, 3)}"
            )
        if found.missing:
            click.echo(f"  note  on one side only: {enumerate_first(found.missing)}")
    leaking = sum(found.leaks for found in findings)
    click.echo(f"{leaking} of {len(findings)} sides leak." if leaking else "Nothing leaks.")
    if worth:
        from ferbench.api.display import progress_display
        from ferbench.audit.worth import show

        show(file, root, overrides, plugins, progress_display)
    return 1 if leaking else 0
