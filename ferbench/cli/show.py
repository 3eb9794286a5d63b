"""`ferbench show`: one record, with the command that makes it again."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from ferbench.cli.options import by_beginning
from ferbench.config import quoted
from ferbench.errors import FerbenchError

if TYPE_CHECKING:
    from ferbench.records import Record


@click.command("show")
@click.argument("trial")
@click.argument("folders", nargs=-1, metavar="[DIR]...", type=click.Path(file_okay=False))
def command(trial: str, folders: tuple[str, ...]) -> None:
    """Print a trial's record: scores, stages, notes, provenance, and the command that reproduces it.

    TRIAL is the name of its folder, or the first letters of it.
    """
    record = find(trial, folders)
    click.secho(f"{record.trial.id}  {record.trial.label}", bold=True)
    identity = record.trial.identity
    click.echo(f"  dataset     {identity['dataset']['name']} ({identity['dataset']['fingerprint']})")
    click.echo(f"  protocol    {', '.join(f'{k}={v}' for k, v in identity['protocol'].items())}")
    click.echo(f"  tested on   {len(record.subjects)} subjects, fold {record.trial.fold} of {record.trial.folds}")
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
            click.echo(f"    {key:<16}{_text(value)}")
    for note in record.notes:
        click.echo(f"  note: {note}")
    click.echo("  again with")
    click.echo(f"    {command_of(record)}")


def find(trial: str, folders: Sequence[str]) -> Record:
    """The record whose name begins so. Raises FerbenchError where there is none, or several."""
    from ferbench.cli.leaderboard import read

    records, _ = read(folders)
    return records[by_beginning("record", trial, records)]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {v}" for k, v in value.items() if v is not None)
    return "-" if value is None else str(value)


def command_of(record: Record) -> str:
    """`ferbench run ...` with every setting that differs from its default, and fold and seed."""
    from ferbench.config import GROUPS
    from ferbench.registry import load_registry
    from ferbench.settings import SECTIONS, RunConfig

    trial = record.trial
    registry = load_registry(trial.plugin_files)
    words = [f"--plugin {quoted(str(Path(file)))}" for file in trial.plugin_files]
    for group, kind in GROUPS.items():
        node = trial.config.get(group) or {}
        if not node:
            continue
        words.append(f"{group}={node['name']}")
        try:
            defaults = registry.get(kind, node["name"]).defaults()
        except FerbenchError:  # the plugin is gone: all its settings are written
            defaults = {}
        words += [
            f"{group}.{k}={_override(v)}"
            for k, v in node.items()
            if k not in ("name", "folds") and defaults.get(k) != v
        ]
    words.append(f"protocol.folds=[{trial.fold}]")
    for section, settings in SECTIONS.items():
        plain: dict[str, Any] = dataclasses.asdict(settings())
        node = trial.config.get(section, {})
        words += [f"{section}.{k}={_override(v)}" for k, v in node.items() if plain.get(k) != v and k != "name"]
    words.append(f"seed={trial.seed}")
    words += [
        f"{k}={_override(trial.config[k])}" for k in ("results_dir",) if trial.config[k] != getattr(RunConfig(), k)
    ]
    return " ".join(["ferbench run", *words])


def _override(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value) if value else "''"
    if isinstance(value, list):
        return f"[{','.join(map(_override, value))}]"
    return str(value)
