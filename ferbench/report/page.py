"""The leaderboard as one file for a browser: works offline, sorts, filters, opens rows. The tables are DataTables', from the
bundle that itables ships; every string is escaped by Jinja."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.cards import Counts
from ferbench.ranking.answers import Answers
from ferbench.ranking.board import Board, Row, Score
from ferbench.ranking.reported import NOT_RUN, Reported
from ferbench.records import files
from ferbench.records.merge import Collected
from ferbench.records.schema import Record
from ferbench.report.columns import (
    Column,
    columns,
    cost_cell,
    devices,
    extras,
    footnotes,
    missing,
    number,
    rank,
    repeated,
)

FOLD_METRICS = ("accuracy", "macro_f1", "identity_leakage", "expression_probe")


@dataclass(frozen=True)
class Figure:
    """A figure on the page: its title, what it shows, its PNG, and the files beside the page that hold it for a paper."""

    title: str
    words: str
    png: bytes
    files: tuple[str, ...] = ()


def page(
    boards: Sequence[Board],
    given: Collected,
    shown: Sequence[Column] | None = None,
    reported: Sequence[Sequence[Reported]] = (),
    figures: Sequence[Figure] = (),
    faces: Collection[str] = (),
    command: Callable[[Record], str] = lambda record: "",
    title: str = "Leaderboard",
) -> str:
    """The page's text.

    Args:
        given: the records behind the boards.
        shown: columns. reported: what papers report, by board. figures: below the boards.
        faces: datasets whose faces may be shown; grids of made faces hold real ones too.
        command: what reproduces a record.
    """
    from jinja2 import Environment, PackageLoader

    environment = Environment(loader=PackageLoader("ferbench.report"), autoescape=True)
    chosen = list(shown or columns())
    papers = [*reported, *[()] * (len(boards) - len(reported))]
    return environment.get_template("page.html.jinja").render(
        title=title,
        made=f"ferbench {metadata.version('ferbench')}, {len(given.records)} records",
        notes=given.notes,
        not_run=NOT_RUN,
        boards=[
            _board(number_, board, given, chosen, papers[number_], faces, command)
            for number_, board in enumerate(boards)
        ],
        figures=[
            {"title": f.title, "words": f.words, "png": base64.b64encode(f.png).decode(), "files": f.files}
            for f in figures
        ],
        library=_library(),
    )


def _library() -> dict[str, str]:
    """DataTables: the style as it is, the script in base64, so that nothing in it can end its element."""
    folder = resources.files("itables").joinpath("html")
    script = folder.joinpath("dt_bundle.js").read_bytes()
    style = folder.joinpath("dt_bundle.css").read_text(encoding="utf-8").replace("</", "<\\/")
    return {"css": style, "js": base64.b64encode(script).decode()}


def _board(
    index: int,
    board: Board,
    given: Collected,
    shown: Sequence[Column],
    papers: Sequence[Reported],
    faces: Collection[str],
    command: Callable[[Record], str],
) -> dict[str, Any]:
    several = len(board.backbones) > 1
    more = extras(board)
    marks = devices(board)
    heads: list[dict[str, Any]] = [{"text": "#", "number": True}, {"text": "method", "number": False}]
    heads += [{"text": "backbone", "number": False}] if several else []
    heads += [{"text": "trials", "number": True}, *({"text": c.heading, "number": True} for c in shown)]
    heads += [{"text": extra.heading, "number": True} for extra in more]
    heads += [{"text": "training", "number": True}]
    pretraining = any(row.pretraining for row in board.rows)
    heads += [{"text": "weights have seen", "number": False}] if pretraining else []
    rows = []
    for place, row in enumerate(board.rows):
        cells = [_text(row.backbone)] if several else []
        cells.append(_cell(f"{row.done}/{row.planned}", row.done))
        cells += [_score(row.scores.get(c.metric), c) for c in shown]
        cells += [_cell(extra.text(row), extra.value(row)) for extra in more]
        time = row.cost.get("train_seconds", math.nan)
        cells.append(_cell(cost_cell(row, "train_seconds") + marks.get("; ".join(row.devices), ""), time))
        cells += [_text(row.pretraining or "nothing")] if pretraining else []
        rows.append(
            {
                "rank": rank(row),
                "order": place,
                "between": f"{row.rank_low}, {row.rank_high}" if row.rank_low is not None else "",
                "name": row.name,
                "complete": row.complete,
                "status": row.submission_status,
                "cells": cells,
                "panel": f"row-{index}-{place}",
                **_panel(row, given, faces, command),
            }
        )
    notes = [*(note for row in board.rows if (note := missing(row))), *footnotes(board, shown)]
    notes += [f"{mark} {name}" for name, mark in marks.items() if mark]
    return {
        "dataset": board.dataset,
        "protocol": board.protocol,
        "setting": board.described,
        "heads": heads,
        "rows": rows,
        "notes": notes,
        "reported": papers,
        "repeated": repeated(board),
    }


def _text(text: str) -> dict[str, Any]:
    return {"text": text, "order": text, "number": False}


def _cell(text: str, order: float) -> dict[str, Any]:
    return {"text": text, "order": "" if math.isnan(order) else order, "number": True}


def _score(score: Score | None, column: Column) -> dict[str, Any]:
    cell = _cell(number(score, column), math.nan if score is None else score.mean)
    cell["interval"] = number(score, column, interval=True).partition(" ")[2]
    return cell


def _panel(row: Row, given: Collected, faces: Collection[str], command: Callable[[Record], str]) -> dict[str, Any]:
    """What a row opens to."""
    records = sorted((given.records[trial] for trial in row.trials), key=lambda r: r.trial.repetition)
    if not records:
        return {"fold_heads": [], "by_fold": [], "by_class": [], "confusion": [], "provenance": "Every trial failed."}
    heads = columns([m for m in FOLD_METRICS if any(m in r.metrics for r in records)])
    by_fold = [
        {
            "fold": r.trial.fold,
            "seed": r.trial.seed,
            "assignment": r.trial.repetition[0],
            "trial": r.trial.id,
            "figures": [number(None if (v := r.metrics.get(c.metric)) is None else Score(v), c) for c in heads],
        }
        for r in records
    ]
    counts = Answers.of(records, Counts.FRAMES).pooled
    names = records[0].expressions
    support, predicted, right = counts.sum(1), counts.sum(0), np.diagonal(counts)
    by_class = [
        {
            "name": name,
            "frames": int(support[i]),
            "recall": f"{100 * right[i] / support[i]:.1f}" if support[i] else "-",
            "f1": f"{200 * right[i] / both:.1f}" if (both := support[i] + predicted[i]) else "-",
        }
        for i, name in enumerate(names)
    ]
    confusion = [
        {
            "name": name,
            "cells": [{"count": int(n), "shade": f"{0.75 * n / max(support[i], 1):.2f}"} for n in counts[i]],
        }
        for i, name in enumerate(names)
    ]
    first = records[0]
    return {
        "fold_heads": [c.heading for c in heads],
        "by_fold": by_fold,
        "by_class": by_class,
        "confusion": confusion,
        "grid": _grid(records, given.where) if first.trial.identity.dataset.name in faces else "",
        "provenance": _provenance(records),
        "command": command(first),
    }


def _provenance(records: Sequence[Record]) -> str:
    def kinds(name: str) -> str:
        return ", ".join(sorted({str(r.provenance.get(name)) for r in records if r.provenance.get(name)}))

    began = sorted(str(r.provenance["began"]) for r in records if r.provenance.get("began"))
    hours = sum(float(r.provenance.get("seconds", 0)) for r in records) / 3600
    parts = [f"{len(records)} trials in {hours:.2f} h on {kinds('device') or 'a device that is not known'}"]
    parts += [f"precision {kinds('precision')}"] if kinds("precision") else []
    parts += [f"from {began[0]} to {began[-1]}"] if began else []
    parts += [f"revision {kinds('revision')}"] if kinds("revision") else []
    return "; ".join(parts) + "."


def _grid(records: Sequence[Record], where: Mapping[str, Path]) -> str:
    """The first grid of made faces, as a JPEG in base64; empty for methods that make none."""
    from PIL import Image

    from ferbench.report.figures.trial import mosaic

    for record in records:
        grid = files.read_array(where[record.trial.id], files.SYNTHESIS_GRID)
        if grid is not None:
            out = io.BytesIO()
            Image.fromarray(mosaic(grid)).save(out, "JPEG", quality=88)
            return base64.b64encode(out.getvalue()).decode()
    return ""
