"""The page of a method, as what its template shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np

from ferbench.cards import Counts
from ferbench.ranking.ablations import FULL, Ablations
from ferbench.ranking.answers import Answers
from ferbench.ranking.board import Board, Row, Score
from ferbench.records.schema import Outcome, Record
from ferbench.report.ablations import cells, headings
from ferbench.report.columns import Column, columns, missing, number, rank, repeated
from ferbench.report.site.figures import Figure
from ferbench.report.site.home import score
from ferbench.report.site.names import board_key, key, row_key

FOLD_METRICS = ("accuracy", "macro_f1", "identity_leakage", "expression_probe")


def boards_of(
    rows: Sequence[tuple[Board, Row]],
    records: Mapping[str, Record],
    shown: Sequence[Column],
    figures: Sequence[Figure],
    command: Callable[[Record], str],
    pictures: Mapping[str, str],
) -> list[dict[str, Any]]:
    """The boards that have rows of a method, each with these rows.

    Args:
        rows: the method's. pictures: the file of made faces, by trial.
    """
    found: dict[str, dict[str, Any]] = {}
    for board, row in sorted(rows, key=lambda pair: pair[1].variant != FULL):  # the order of boards stays otherwise
        place = board_key(board)
        context = found.setdefault(
            place,
            {
                "key": place,
                "title": f"{board.dataset} · {board.protocol}",
                "setting": board.described,
                "heads": [column.heading for column in shown],
                "repeated": repeated(board),
                "rows": [],
                "figures": [f for f in figures if f.board == place and f.method == row.method],
            },
        )
        context["rows"].append(
            {
                "key": row.key,
                "anchor": row_key(board, row),
                "name": row.name,
                "rank": rank(row),
                "backbone": row.backbone,
                "trials": f"{row.done}/{row.planned}",
                "cells": [score(row.scores.get(column.metric), column) for column in shown],
                "missing": missing(row),
                **_details(row, records, command, pictures),
            }
        )
    return list(found.values())


def ablations_of(tables: Sequence[Ablations], method: str) -> list[dict[str, Any]]:
    """The method's tables of ablations."""
    return [
        {
            "title": f"{table.board.dataset} · {table.board.protocol}",
            "backbone": table.backbone,
            "heads": headings(table.metric),
            "rows": [cells(variant, table.metric) for variant in table.variants],
        }
        for table in tables
        if table.method == method
    ]


def failures_of(failures: Sequence[Outcome], method: str, done: Mapping[str, Record]) -> list[dict[str, str]]:
    """The method's trials that failed and were not done later."""
    return [
        {
            "label": outcome.trial.label,
            "dataset": outcome.trial.identity.dataset.name,
            "status": "out of memory" if outcome.status == "oom" else outcome.status,
            "where": (outcome.stage + (f", step {outcome.step}" if outcome.step >= 0 else "")) or "-",
            "error": outcome.error,
        }
        for outcome in failures
        if outcome.trial.method == method and outcome.trial.id not in done
    ]


def _details(
    row: Row, by_id: Mapping[str, Record], command: Callable[[Record], str], pictures: Mapping[str, str]
) -> dict[str, Any]:
    records = sorted((by_id[trial] for trial in row.trials), key=lambda r: r.trial.repetition)
    if not records:
        return {"folds": [], "classes": [], "confusion": [], "provenance": "Every trial failed."}
    heads = columns([m for m in FOLD_METRICS if any(m in r.metrics for r in records)])
    counts = Answers.of(records, Counts.FRAMES).pooled
    return {
        "fold_heads": [column.heading for column in heads],
        "folds": [
            {
                "fold": r.trial.fold,
                "seed": r.trial.seed,
                "assignment": r.trial.repetition.assignment,
                "trial": r.trial.id,
                "link": f"../trial.html#{key(row.method)}/{quote(r.trial.id, safe='')}",
                "figures": [number(None if (v := r.metrics.get(c.metric)) is None else Score(v), c) for c in heads],
            }
            for r in records
        ],
        **_confusion(records[0].expressions, counts),
        "picture": next((file for r in records if (file := pictures.get(r.trial.id))), ""),
        "provenance": _provenance(records),
        "command": command(records[0]),
    }


def _confusion(names: Sequence[str], counts: np.ndarray) -> dict[str, Any]:
    support, predicted, right = counts.sum(1), counts.sum(0), np.diagonal(counts)
    return {
        "classes": [
            {
                "name": name,
                "frames": int(support[i]),
                "recall": f"{100 * right[i] / support[i]:.1f}" if support[i] else "-",
                "f1": f"{200 * right[i] / both:.1f}" if (both := support[i] + predicted[i]) else "-",
            }
            for i, name in enumerate(names)
        ],
        "confusion": [
            {
                "name": name,
                "cells": [{"count": int(n), "shade": round(10 * n / max(support[i], 1))} for n in counts[i]],
            }
            for i, name in enumerate(names)
        ],
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
