"""`ferbench datasets`: which there are and how to obtain them; `get` downloads one, `check` holds a copy against the published
counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from ferbench.cli.options import plugin_option, say
from ferbench.errors import FerbenchError, enumerate_first

if TYPE_CHECKING:
    from ferbench.cards import DatasetCard
    from ferbench.data.collect import Collection
    from ferbench.data.download import Offer, RemoteFile
    from ferbench.registry.loader import Registry


@click.group("datasets", invoke_without_command=True)
@plugin_option
@click.pass_context
def command(context: click.Context, plugins: tuple[str, ...]) -> None:
    """List datasets with licence, source and classes, download one, or check a copy.

    \b
    ferbench datasets
    ferbench datasets get ravdess
    ferbench datasets check oulu dataset.root=/data/OuluCASIA
    """
    if context.invoked_subcommand is not None:
        return
    from ferbench.registry.loader import load_registry

    print_datasets(load_registry(plugins))


def print_datasets(registry: Registry) -> None:
    """Every dataset with its classes, protocol, licence, source and plugin."""
    from ferbench.cards import DatasetCard

    for card in registry.catalogue(DatasetCard).values():
        click.secho(card.name, bold=True, nl=False)
        click.echo(f"  {card.title}")
        if card.expressions:
            click.echo(f"    classes   {', '.join(card.expressions)}")
        click.echo(f"    has       {', '.join(sorted(card.provides)) or 'what its file has'}")
        click.echo(f"    protocol  {card.protocol}, frames {card.frames}")
        if card.licence:
            click.echo(f"    licence   {card.licence}")
        if card.obtain:
            click.echo(f"    from      {card.obtain}")
        if card.download:
            click.echo(f"    download  ferbench datasets get {card.name}")
        if card.paper:
            click.echo(f"    paper     {card.paper}")
        click.echo(f"    plugin    {registry.owner(card).origin}")


@command.command("get")
@plugin_option
@click.argument("name")
@click.option(
    "--to", "folder", metavar="DIR", help="Folder for the files; by default one with the name of the dataset, here."
)
@click.option(
    "--only",
    "patterns",
    multiple=True,
    metavar="PATTERN",
    help="The files of the record whose names match, such as '*Actor_01*', instead of the usual ones. May be repeated.",
)
@click.option("--yes", is_flag=True, help="Do not ask before the download starts.")
def get(name: str, folder: str | None, patterns: tuple[str, ...], yes: bool, plugins: tuple[str, ...]) -> int:
    """Download a dataset from its owners, where they offer it to everyone. Files are verified by size and checksum, and zip
    archives are unpacked and removed. Interrupt it, and the same command goes on where it stopped.

    \b
    ferbench datasets get ravdess --to /data/RAVDESS
    ferbench datasets get ravdess --to /data/RAVDESS --only 'Video_Song_*'

    Exit status: 0 where all is there, 1 where the answer to the question was no, 2 where it cannot be had.
    """
    import shlex
    import sys

    from ferbench.cards import DatasetCard
    from ferbench.data.collect import Collection
    from ferbench.data.download import in_bytes, offer_of
    from ferbench.registry.loader import load_registry

    card = load_registry(plugins).get(DatasetCard, name)
    if card.download is None:
        raise FerbenchError(_no_download(card))
    to = Collection(Path(folder or name).expanduser())
    click.secho(card.title, bold=True)
    click.echo(f"  licence   {card.licence}")
    click.echo(f"  cite      {card.paper}")
    offer = offer_of(card.download, say)
    files = offer.named(patterns or tuple(card.download.files))
    missing = [file for file in files if not to.has(file)]
    _show_files(offer, files, missing, to)
    if missing:
        if to.needed(missing) > to.free:
            raise FerbenchError(
                f"That needs about {in_bytes(to.needed(missing))} of the disk, and {in_bytes(to.free)} are free: name a folder on "
                "another disk with --to, or fewer files with --only."
            )
        if not yes:
            if not sys.stdin.isatty():
                raise FerbenchError("There is no terminal to ask whether to download: add --yes to do so.")
            if not click.confirm(f"Download {len(missing)} files under these terms to {to.path}?"):
                click.echo("Nothing was downloaded.")
                return 1
        _collect(missing, offer, to)
    click.echo(
        f"All {len(files)} files are in {to.path}; each was verified when it came. Next, count them and try to read them:"
    )
    click.echo(f"  ferbench datasets check {name} {shlex.quote(f'dataset.root={to.path.absolute()}')}")
    return 0


def _no_download(card: DatasetCard) -> str:
    """Why a dataset cannot be downloaded, and what to do instead."""
    if not card.licence or "root" not in card.setting_names:
        return f"There is nothing to download for dataset={card.name}: {card.obtain or card.title}."
    return (
        f"dataset={card.name} cannot be downloaded from here: ferbench does so only where the owners offer all files to everyone, "
        f"with checksums. It can be had from {card.obtain}. Terms: {card.licence}. Then: ferbench datasets check {card.name} "
        "dataset.root=DIR"
    )


def _show_files(offer: Offer, files: Sequence[RemoteFile], missing: Sequence[RemoteFile], to: Collection) -> None:
    from ferbench.data.download import in_bytes

    click.echo(f"  from      {offer.page}: {offer.title}")
    width = max(len(file.name) for file in files)
    for file in files:
        state = "" if file in missing else "  here"
        if file in missing and to.here(file):
            state = f"  {in_bytes(to.here(file))} are here"
        click.echo(f"  {file.name:{width}}  {in_bytes(file.size):>9}{state}")
    rest = sum(file.size - to.here(file) for file in missing)
    click.echo(f"  {len(files)} files, {in_bytes(sum(file.size for file in files))}; {in_bytes(rest)} to download.")
    if missing:
        click.echo(
            f"  disk      about {in_bytes(to.needed(missing))} needed, {in_bytes(to.free)} free ({to.path.absolute()})"
        )
    others = [file.name for file in offer.files if file not in files]
    if others:
        click.echo(f"  The record has {len(others)} more: {enumerate_first(others, 3)} (--only PATTERN).")


def _collect(missing: Sequence[RemoteFile], offer: Offer, to: Collection) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with to.alone(), Progress(*columns, console=Console(stderr=True), transient=True) as shown:

        def tell(sentence: str) -> None:
            shown.console.print(sentence, markup=False, highlight=False)

        for number, file in enumerate(missing, 1):
            task = shown.add_task(f"{number}/{len(missing)}", total=file.size, completed=to.here(file))
            made = to.add(file, offer.page, lambda done, task=task: shown.update(task, completed=done), tell)  # type: ignore[misc]
            shown.remove_task(task)
            click.echo(f"  {file.name}: verified" + (f", {made} files unpacked" if made > 1 else ""))


@command.command("check")
@plugin_option
@click.argument("name")
@click.argument("settings", nargs=-1, metavar="dataset.root=DIR [KEY=VALUE]...")
def check(name: str, settings: tuple[str, ...], plugins: tuple[str, ...]) -> int:
    """Compare a copy of a dataset with what is published: counts, missing and damaged frames, and its protocol.

    \b
    ferbench datasets check oulu dataset.root=/data/OuluCASIA

    Exit status: 0 where the copy is as published, 1 where it is not, 2 where it cannot be read.
    """
    from ferbench.audit.datasets import take
    from ferbench.cards import DatasetCard
    from ferbench.config.compose import compose
    from ferbench.registry.loader import load_registry

    registry = load_registry(plugins)
    card = registry.get(DatasetCard, name)
    overrides = [f"dataset={name}"]
    given = set()
    for setting in settings:
        key, equals, _ = setting.partition("=")
        if not equals:
            raise FerbenchError(f"'{setting}' is not a setting; write dataset.root=DIR or another key=value.")
        if key in card.setting_names:
            raise FerbenchError(f"Settings of a dataset begin with its kind: write dataset.{setting}.")
        given.add(key)
        overrides.append(setting)
    if "allow_incomplete" in card.setting_names and "dataset.allow_incomplete" not in given:
        overrides.append("dataset.allow_incomplete=true")
    (config,) = compose(registry, overrides, method_needed=False, tell=say)
    found = take(registry, config)
    click.secho(card.title, bold=True)
    width = max(len(count.what) for count in found.counts)
    click.echo(f"  {'':{width}}  {'here':>8}  {'published':>9}")
    for count in found.counts:
        text = f"  {count.what:{width}}  {count.here:>8}  {'-' if count.published is None else count.published:>9}"
        if count.published is not None and count.here != count.published:
            text += f"  {abs(count.here - count.published)} {'missing' if count.here < count.published else 'more'}"
        click.echo(text)
    if found.source:
        click.echo(f"  published: {found.source}.")
    _list("missing", found.missing, f"{len(found.missing)} of subject x expression")
    for sentence in found.passed_over:
        click.echo(f"  not as it should be: {sentence}")
    _list("damaged", list(found.damaged.values()), f"{len(found.damaged)} of {found.read} frames")
    _list("of one colour", found.blank, f"{len(found.blank)} of {found.read} frames")
    if found.copy:
        click.echo(f"  copy: {found.copy}.")
    if not found.damaged:
        click.echo(
            f"  All {found.read} frames that count{', and neutral faces,' if found.neutral else ''} can be read."
        )
    click.echo(f"  Protocol {found.protocol}.")
    if found.source:
        click.echo("As published." if found.as_published else "Not as published.")
    else:
        click.echo("No published counts are known to compare with.")
    return 0 if found.as_published else 1


def _list(what: str, items: Any, count: str) -> None:
    if items:
        click.echo(f"  {what}: {count}: {enumerate_first(items)}.")
