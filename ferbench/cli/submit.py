"""`ferbench submit`: records and predictions in one file, and what a host makes of it. No accounts: a pull request is enough."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from ferbench.cli.options import folders_argument, method_option, plugin_option
from ferbench.errors import FerbenchError, printable


@click.group("submit")
def command() -> None:
    """Hand in records with their predictions, or score those of others again.

    \b
    ferbench submit pack results --method mine --output mine.zip
    ferbench submit verify mine.zip dataset.root=/data/OuluCASIA
    """


@command.command("pack")
@folders_argument
@method_option
@click.option("--output", metavar="FILE.zip", required=True, help="Where the submission goes.")
def pack_command(folders: tuple[str, ...], method: str | None, output: str) -> None:
    """Bundle records, predictions and embeddings. No images and no weights are in it.

    \b
    ferbench submit pack results --method mine --output mine.zip
    """
    from ferbench.api.reading import need_names
    from ferbench.audit.submission import pack
    from ferbench.cli.records import collected

    given = collected(folders)
    need_names(given, method=method)
    chosen = {given.where[name]: r for name, r in given.records.items() if method in (None, r.trial.method)}
    if not chosen:
        raise FerbenchError("There is no finished record to pack.")
    size = pack(chosen, Path(output))
    names = ", ".join(sorted({record.trial.method for record in chosen.values()}))
    click.echo(
        f"{output}: {len(chosen)} records of {names}, {size / 2**20:.1f} MiB. Check it with 'ferbench submit verify {output}'."
    )


@command.command("verify")
@click.argument("file", metavar="FILE.zip", type=click.Path(exists=True, dir_okay=False))
@click.argument("settings", nargs=-1, metavar="[dataset.root=DIR] [test_dataset.root=DIR]...")
@click.option("--into", metavar="DIR", default="submitted", show_default=True, help="Results folder for its records.")
@click.option("--own", metavar="DIR", default="results", show_default=True, help="Results folder with your own runs.")
@plugin_option
def verify_command(file: str, settings: tuple[str, ...], into: str, own: str, plugins: tuple[str, ...]) -> int:
    """Score a submission again with your frames and metrics; the leaderboard shows what came of it.

    \b
    ferbench submit verify mine.zip dataset.root=/data/OuluCASIA
    ferbench leaderboard results submitted
    """
    from ferbench.audit.submission import unpack, verify
    from ferbench.ranking.submitted import DISPUTED
    from ferbench.records.store import Store
    from ferbench.registry.loader import load_registry

    given = {}
    for word in settings:
        key, equals, value = word.partition("=")
        if not equals or not key.startswith(("dataset.", "test_dataset.", "protocol.")):
            raise FerbenchError(
                f"'{word}' is not a setting of the data; write dataset.root=DIR, test_dataset.root=DIR or protocol.file=FILE."
            )
        given[key] = value
    store = Store(into)
    records = unpack(Path(file), store)
    statuses = []
    for verdict in verify(load_registry(plugins), records, store, Store(own) if Path(own).is_dir() else None, given):
        statuses.append(verdict.status)
        click.echo(f"{verdict.record.trial.id}  {verdict.record.trial.label}: {verdict.status}")
        for reason in verdict.reasons:
            click.echo(f"    {printable(reason)}")
    words = ", ".join(f"{statuses.count(name)} {name}" for name in dict.fromkeys(statuses))
    click.echo(f"{len(statuses)} records: {words}. They are in {into}.")
    return 1 if DISPUTED in statuses else 0
