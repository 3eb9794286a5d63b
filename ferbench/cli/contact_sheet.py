"""`ferbench contact-sheet`: what a dataset looks like."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from ferbench.cli.options import complete_overrides, plugin_option, say
from ferbench.errors import FerbenchError


@click.command("contact-sheet")
@click.option("--output", default="contact-sheet.png", show_default=True, metavar="FILE")
@click.option("--subjects", default=8, show_default=True, help="Rows.")
@click.option("--size", default=96, show_default=True, help="Width of a face in pixels.")
@plugin_option
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED, shell_complete=complete_overrides)
def command(output: str, subjects: int, size: int, plugins: tuple[str, ...], overrides: tuple[str, ...]) -> None:
    """Draw subjects in rows and expressions in columns, each at its apex.

    \b
    ferbench contact-sheet dataset=synthfaces
    ferbench contact-sheet dataset=oulu dataset.root=/data/OuluCASIA --subjects 12
    """
    from ferbench.config.compose import compose
    from ferbench.data.images import square
    from ferbench.data.loaded import load_dataset
    from ferbench.registry.loader import load_registry
    from ferbench.report.figures.contact_sheet import choose, draw

    if subjects < 1 or size < 16:
        raise FerbenchError("--subjects has to be at least 1, and --size at least 16.")
    registry = load_registry(plugins)
    (config,) = compose(registry, [*overrides, f"preparation.image_size={size}"], method_needed=False, tell=say)
    loaded = load_dataset(registry, config.dataset)
    cells = choose(loaded.frames, loaded.card.expressions, subjects)
    wanted = [frame for frame in cells.to_numpy().ravel() if isinstance(frame, str)]
    images = {frame: square(loaded.dataset.image(frame), config.preparation) for frame in wanted}
    try:
        draw(cells, images, size).save(Path(output))
    except (OSError, ValueError) as error:
        raise FerbenchError(f"--output {output} cannot be written: {error}.") from error
    click.echo(f"{len(cells)} subjects, {cells.shape[1]} columns: {output}")
