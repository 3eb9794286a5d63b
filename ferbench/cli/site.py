"""`ferbench site`: boards, methods, trials and comparisons as pages for a browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from ferbench.cli.options import (
    baseline_option,
    dataset_option,
    folders_argument,
    include_ablations_option,
    plugin_option,
    reported_option,
    say,
)
from ferbench.errors import FerbenchError

if TYPE_CHECKING:
    from ferbench.records.schema import Record

TOLD = 5
"""Sentences on figures that cannot be drawn; the others are counted."""


@click.command("site")
@folders_argument
@click.option("--output", metavar="DIR", default="site", show_default=True, help="Folder of the pages.")
@dataset_option
@include_ablations_option
@baseline_option
@reported_option
@plugin_option
def command(
    folders: tuple[str, ...],
    output: str,
    dataset: str | None,
    include_ablations: bool,
    baseline: str | None,
    with_reported: bool,
    plugins: tuple[str, ...],
) -> None:
    """Write pages for a browser: boards by dataset, each method, each trial, and a comparison of any two rows.

    \b
    ferbench site results --output site
    site/index.html              opens from disk and asks the network for nothing; any web server can offer the folder
    site/figures/*.pdf, *.svg    figures for a paper, with the ids of their trials
    site/downloads/*             all boards as CSV, JSON and LaTeX

    Written again, the folder has the present results; a file of an earlier site that this one lacks is removed.
    """
    from ferbench.api.reading import chosen_boards, known_cards, published, shareable
    from ferbench.cards import MethodCard
    from ferbench.cli.records import collected
    from ferbench.ranking.aggregate import BoardQuery
    from ferbench.registry.loader import load_registry
    from ferbench.report.site.build import Material, build

    given = collected(folders)
    registry = load_registry(plugins)
    cards = known_cards(registry, given)
    shown = chosen_boards(given, BoardQuery(dataset, "accuracy", include_ablations, baseline or "", cards=cards))
    target = Path(output)
    if inside := next((folder for folder in folders or ("results",) if _within(target, Path(folder))), None):
        raise FerbenchError(f"--output {output} lies in the results folder {inside}; choose a folder outside of it.")
    material = Material(
        given=given,
        shown=shown,
        whole=shown if include_ablations else chosen_boards(given, BoardQuery(dataset, cards=cards)),
        papers=published(registry, shown, cards) if with_reported else [],
        cards=cards,
        methods=registry.catalogue(MethodCard),
        faces=shareable(registry),
        command=lambda record: _again(record, plugins),
        dataset=dataset,
    )
    left: list[str] = []
    try:
        figures = build(material, target, left.append)
    except OSError as error:
        raise FerbenchError(f"--output {output} cannot be written: {error.strerror or error}.") from error
    for sentence in left[:TOLD]:
        say(sentence)
    if len(left) > TOLD:
        say(f"So cannot {len(left) - TOLD} more.")
    click.echo(
        f"{target / 'index.html'}: {len(shown)} boards, {len(material.rows)} methods, {len(given.records)} trials, "
        f"{len(figures)} figures."
    )


def _again(record: Record, plugins: Sequence[str]) -> str:
    """The command that makes a record again; empty where its configuration is not whole, as a stranger's may be."""
    from ferbench.api.reading import reproduce

    try:
        return reproduce(record, plugins)
    except (FerbenchError, AttributeError, KeyError, TypeError, ValueError):
        return ""


def _within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
