"""All pages and files of the site, from records and what is installed."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from ferbench.cards import MethodCard
from ferbench.errors import printable
from ferbench.ranking.ablations import Ablations, ablations
from ferbench.ranking.board import Board, Row
from ferbench.ranking.cards import Cards
from ferbench.ranking.reported import NOT_RUN, Reported
from ferbench.records import files
from ferbench.records.merge import Collected
from ferbench.records.schema import Record
from ferbench.report import export
from ferbench.report.columns import columns
from ferbench.report.figures.trial import mosaic
from ferbench.report.latex import latex
from ferbench.report.site import comparisons, home, methods, trials
from ferbench.report.site.cards import described
from ferbench.report.site.figures import Figure, draw
from ferbench.report.site.folder import Folder
from ferbench.report.site.names import key

ASSETS = ("site.css", "site.js", "board.js", "trial.js", "compare.js")


@dataclass(frozen=True)
class Material:
    """What a site is made of.

    Attributes:
        given: the records. shown: the boards of the home page. whole: the same boards with all variants.
        papers: what papers report, for each of the shown boards.
        cards, methods: of what is installed.
        faces: datasets whose faces may be shown; grids of made faces hold real ones too.
        command: what reproduces a record. dataset: the only one, if one was asked for.
    """

    given: Collected
    shown: Sequence[Board]
    whole: Sequence[Board]
    papers: Sequence[Sequence[Reported]] = ()
    cards: Cards = field(default_factory=Cards)
    methods: Mapping[str, MethodCard] = field(default_factory=dict)
    faces: Collection[str] = ()
    command: Callable[[Record], str] = lambda record: ""
    dataset: str | None = None

    @cached_property
    def tables(self) -> list[Ablations]:
        return ablations(list(self.given.records.values()), dataset=self.dataset, cards=self.cards)

    @cached_property
    def rows(self) -> dict[str, list[tuple[Board, Row]]]:
        """The rows of each method, with their boards."""
        found: dict[str, list[tuple[Board, Row]]] = {}
        for board in self.whole:
            for row in board.rows:
                found.setdefault(row.method, []).append((board, row))
        return dict(sorted(found.items()))


def build(material: Material, target: Path, say: Callable[[str], None] = lambda sentence: None) -> list[Figure]:
    """Write the site to a folder; gives its figures.

    Args:
        say: takes a sentence on each figure that cannot be drawn.

    Raises:
        OSError: a file cannot be written.
    """
    with Folder(target) as folder:
        drawn = draw(material.shown, material.tables, material.given, folder.root / "figures", say)
        folder.files |= {file for figure in drawn for file in figure.files}
        pictures = _pictures(material, folder)
        render = _renderer(material)
        shown = columns(cards=material.cards)
        papers = [*material.papers, *[()] * (len(material.shown) - len(material.papers))]
        made = [home.board(b, shown, p, drawn) for b, p in zip(material.shown, papers, strict=True)]
        across = [figure for figure in drawn if not figure.board]
        folder.write(
            "index.html",
            render("index", datasets=home.by_dataset(material.shown, made), across=across, not_run=NOT_RUN),
        )
        for name, rows in material.rows.items():
            card = material.methods.get(name)
            boards = methods.boards_of(rows, material.given.records, shown, drawn, material.command, pictures)
            context = {
                "name": name,
                "about": described(card) if card is not None else None,
                "boards": boards,
                "ablations": methods.ablations_of(material.tables, name),
                "failures": methods.failures_of(material.given.failures, name, material.given.records),
            }
            folder.write(f"methods/{key(name)}.html", render("method", up="../", **context))
            given = material.given
            data = trials.method_data(
                name, rows, given.records, given.where, material.cards, material.command, pictures
            )
            folder.write(f"data/{key(name)}.js", trials.script(key(name), data))
        folder.write("trial.html", render("trial"))
        folder.write("compare.html", render("compare"))
        folder.write("data/boards.js", trials.script("boards", comparisons.index(list(material.whole), material.cards)))
        for board in material.whole:
            for name, others in comparisons.of_board(board, material.given.records, material.cards):
                folder.write(f"data/{name}.js", trials.script(name, others))
        folder.write("downloads/leaderboard.csv", export.to_csv(material.shown))
        folder.write("downloads/leaderboard.json", export.to_json(material.shown))
        folder.write("downloads/leaderboard.tex", latex(material.shown, shown))
        for name in ASSETS:
            folder.write(f"assets/{name}", resources.files("ferbench.report").joinpath("assets", name).read_bytes())
    return drawn


def _renderer(material: Material) -> Callable[..., str]:
    """render(page, **context): the text of a page."""
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup

    def shown(value: Any) -> Any:
        return printable(value, lines=True) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=PackageLoader("ferbench.report"), autoescape=True, finalize=shown, trim_blocks=True, lstrip_blocks=True
    )
    common = {
        "up": "",
        "made": f"ferbench {metadata.version('ferbench')}, {len(material.given.records)} records",
        "notes": material.given.notes,
        "methods": [(name, f"methods/{key(name)}.html") for name in material.rows],
    }

    def render(page: str, **context: Any) -> str:
        return environment.get_template(f"{page}.html.jinja").render({**common, **context})

    return render


def _pictures(material: Material, folder: Folder) -> dict[str, str]:
    """The grid of made faces of each trial that has one and whose faces may be shown, as JPEG: the name of its file."""
    from PIL import Image

    found = {}
    for board in material.whole:
        for name in (trial for row in board.rows for trial in row.trials):
            if material.given.records[name].trial.identity.dataset.name not in material.faces:
                continue
            try:
                grid = files.read_array(material.given.where[name], files.SYNTHESIS_GRID)
                picture = None if grid is None else Image.fromarray(mosaic(grid))
            except (OSError, ValueError, TypeError):
                continue
            if picture is not None:
                out = io.BytesIO()
                picture.save(out, "JPEG", quality=88)
                found[name] = f"pictures/{key(name)}.jpg"
                folder.write(found[name], out.getvalue())
    return found
