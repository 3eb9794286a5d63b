"""`ferbench prepare`: decode, align and resize a dataset into the cache ahead of training."""

from __future__ import annotations

import time

import rich_click as click

from ferbench.cli.options import complete_overrides, plugin_option, say


@click.command("prepare")
@plugin_option
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED, shell_complete=complete_overrides)
def command(plugins: tuple[str, ...], overrides: tuple[str, ...]) -> None:
    """Prepare the frames that a run would use. Interrupt it, and the same command goes on where it stopped.

    \b
    ferbench prepare dataset=oulu dataset.root=/data/OuluCASIA preparation=align preparation.image_size=96
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ferbench.config.compose import compose
    from ferbench.data.extra import Extra
    from ferbench.data.load import Data, load_data, prepare_data
    from ferbench.registry.loader import load_registry

    registry = load_registry(plugins)
    (config,) = compose(registry, [*overrides], method_needed=False, tell=say)
    data = load_data(registry, config)
    start = time.perf_counter()
    columns = (TextColumn("preparing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as shown:
        task = shown.add_task("", total=None)

        def show(done: int, total: int) -> None:
            shown.update(task, completed=done, total=total)

        both: list[Data | Extra] = [data] if data.extra is None else [data, data.extra]
        prepared = [(of.card.name, prepare_data(registry, of, config, show, say)) for of in both]
    size = config.preparation.image_size
    for name, images in prepared:
        click.echo(
            f"{len(images.rows)} frames of {name}, {size} x {size}, {config.preparation.mode}: ready "
            f"({time.perf_counter() - start:.1f} s)."
        )
        for note in images.notes():
            click.echo(note)
