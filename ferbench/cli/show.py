"""`ferbench show`: one record, with the command that makes it again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from ferbench.cli.options import folders_argument, plugin_option
from ferbench.errors import FerbenchError

if TYPE_CHECKING:
    from ferbench.records.schema import Record


@click.command("show")
@click.argument("trial", metavar="TRIAL")
@folders_argument
@plugin_option
def command(trial: str, folders: tuple[str, ...], plugins: tuple[str, ...]) -> None:
    """Print a trial's record: scores, stages, notes, provenance, the command that reproduces it, and its nearest relative.

    \b
    ferbench show 3f9a
    ferbench show 3f9a results/demo

    TRIAL is the name of its folder, or the first letters of it.
    """
    from ferbench.api.reading import reproduce, with_plugins
    from ferbench.cli.apart import apart, candidates, nearest
    from ferbench.cli.records import find
    from ferbench.records.metrics import CARDS, UNMEASURED

    record, folder = find(trial, folders)
    record = with_plugins(record, plugins)
    click.secho(f"{record.trial.id}  {record.trial.label}", bold=True)
    identity = record.trial.identity
    click.echo(f"  dataset     {identity.dataset.name} ({identity.dataset.fingerprint})")
    protocol = identity.protocol
    words = [protocol.name, f"version {protocol.version}", *(f"{k}={v}" for k, v in protocol.settings.items())]
    click.echo(f"  protocol    {', '.join(words)}")
    click.echo(f"  tested on   {len(record.subjects)} subjects, fold {record.trial.fold} of {record.trial.fold_count}")
    click.echo("  metrics")
    for name, value in record.metrics.items():
        if "/" not in name:
            floors = [
                f"{k.partition('/')[2]} {_number(v)}" for k, v in record.metrics.items() if k.startswith(f"{name}/")
            ]
            click.echo(f"    {name:<28}{_number(value)}" + (f"   ({', '.join(floors)})" if floors else ""))
    click.echo("  stages")
    for stage in record.stages:
        how = "trained" if stage.steps_run == stage.steps else "found trained" if not stage.steps_run else "resumed"
        click.echo(
            f"    {stage.name:<16}{stage.steps} steps, {how}, {stage.seconds:.0f} s, weights {stage.weights[:12]}"
        )
    for title, values in (("cost", record.cost), ("provenance", record.provenance)):
        click.echo(f"  {title}")
        for key, value in values.items():
            if key in ("code", CARDS, UNMEASURED):
                continue
            click.echo(f"    {key:<18}{_text(value)}")
    for note in record.notes:
        click.echo(f"  note: {note}")
    click.echo(f"  code: {_code(record, folder)}")
    click.echo("  again with")
    click.echo(f"    {reproduce(record)}")
    known = candidates(folders)
    if len(known) > 1:
        relative = nearest(record.trial.id, known)
        click.echo(f"  nearest trial\n    {relative}  {known[relative].trial.label}; differs in")
        for line in apart(known[record.trial.id], known[relative]):
            click.echo(f"      {line}")


def _code(record: Record, folder: Path) -> str:
    """Whether the code that is installed now made the record; if not, the functions that differ."""
    from ferbench.config.schema import from_dict
    from ferbench.plan.identity import Cards
    from ferbench.records import files
    from ferbench.records.differences import code_words, function_differences
    from ferbench.registry.loader import load_registry

    try:
        config = from_dict(record.trial.config)
        present = Cards.of(load_registry(record.trial.plugin_files, needed=False), config, config.protocol.name)
    except FerbenchError as error:
        return f"cannot be compared with what is installed: {error}"
    differs = code_words(record.code, present.code, function_differences(files.read_code(folder), present.functions))
    return f"not as installed, with the same declared versions; {differs}" if differs else "as installed"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {v}" for k, v in value.items() if v is not None)
    return "-" if value is None else str(value)
