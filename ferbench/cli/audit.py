"""`ferbench audit`: does a split leak?"""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from ferbench.errors import enumerate_first


@click.command("audit")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option(
    "--root", metavar="DIR", help="Folder of the images in the column path: near-duplicates are then looked for."
)
def command(file: str, root: str | None) -> int:
    """Say what a split has on both sides that should not be: subjects, sequences, frames, nearly equal images.

    FILE is CSV with the columns frame_id or path, subject, and split or fold; sequence, expression and hash (16
    hexadecimal digits) where they are known. What 'ferbench splits' prints can be audited.

    Exit status: 0 where nothing leaks, 1 where something does, 2 where the file cannot be read.
    """
    from ferbench.audit import audit, read

    findings = audit(read(Path(file)), None if root is None else Path(root))
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
    return 1 if leaking else 0
