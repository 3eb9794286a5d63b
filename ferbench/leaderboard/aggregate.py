"""Records -> boards. Rows of one board may be compared: same data, protocol, classes, preparation and budget."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ferbench import statistics
from ferbench.builtin import ferbench_evaluators
from ferbench.errors import enumerate_first
from ferbench.leaderboard import ties
from ferbench.leaderboard.rows import Board, Row, Score
from ferbench.records import Outcome, Record, Trial, differences

BY_SUBJECT = {
    "accuracy": ("confusion", statistics.accuracy),
    "balanced_accuracy": ("confusion", statistics.balanced_accuracy),
    "macro_f1": ("confusion", statistics.macro_f1),
    "sequence_accuracy": ("sequence_confusion", statistics.accuracy),
    "sequence_balanced_accuracy": ("sequence_confusion", statistics.balanced_accuracy),
    "sequence_macro_f1": ("sequence_confusion", statistics.macro_f1),
}
"""Metrics that are computed over all folds together, with an interval by subject. All others are averaged over folds,
with Student's t interval over folds, which are few: read it with care."""

TIED = ("accuracy", "sequence_accuracy")
"""Metrics by which ranks can be shared: counts of right answers, subject by subject."""

LOWER_IS_BETTER = frozenset(
    {"optimism"} | {m.name for card in ferbench_evaluators() for m in card.metrics if not m.higher_is_better}
)
"""Of the core's own metrics, as their cards say."""


@dataclass(frozen=True)
class View:
    """What is asked of the records.

    Attributes:
        dataset: only this one.
        metric: to rank by. Only by accuracy, of frames or sequences, are ties told.
        include_ablations: also variants that are not the full method.
        baseline: a method with which every row is compared.
        draws: of the bootstrap; 0 leaves intervals, ties and comparisons out.
        group: a board for each "backbone" or "method".
        lower: metrics of which less is better.
    """

    dataset: str | None = None
    metric: str = "accuracy"
    include_ablations: bool = True
    baseline: str = ""
    draws: int = statistics.DRAWS
    group: str = ""
    lower: frozenset[str] = LOWER_IS_BETTER


def higher_is_better(metric: str, lower: frozenset[str] = LOWER_IS_BETTER) -> bool:
    return metric.partition("/")[0] not in lower


def boards(records: Sequence[Record], failures: Iterable[Outcome] = (), view: View = View()) -> list[Board]:
    """Group, average and rank. Incomplete rows come last and have no rank: nothing is imputed."""
    grouped: dict[str, dict[str, list[Record]]] = {}
    heads: dict[str, Trial] = {}
    failed: dict[str, list[Outcome]] = {}
    known = {record.trial.id for record in records}
    trials = [(record.trial, record) for record in records]
    trials += [(outcome.trial, outcome) for outcome in failures if outcome.trial.id not in known]  # type: ignore[misc]
    for trial, item in trials:
        if view.dataset is not None and trial.identity["dataset"]["name"] != view.dataset:
            continue
        if trial.variant != "full" and not view.include_ablations:
            continue
        board, row = _board_key(trial, view.group), _row_key(trial)
        heads.setdefault(board, trial)
        members = grouped.setdefault(board, {}).setdefault(row, [])
        if isinstance(item, Record):
            members.append(item)
        else:
            failed.setdefault(board + row, []).append(item)
    made = []
    for key, by_row in grouped.items():
        notes: list[str] = []
        by_row = {name: _newest(found, notes) for name, found in by_row.items()}
        places = {r.trial.place for found in by_row.values() for r in found}
        places |= {outcome.trial.place for name in by_row for outcome in failed.get(key + name, [])}
        rows = {name: _row(found, failed.get(key + name, []), places, view.draws) for name, found in by_row.items()}
        for one in rows.values():
            one.superseded = any(other.method == one.method and other.version > one.version for other in rows.values())
        made.append(_board(heads[key], by_row, rows, notes, view))
    return sorted(made, key=lambda b: (b.dataset, b.protocol, b.setting))


def _newest(records: list[Record], notes: list[str]) -> list[Record]:
    """One record a place: where several trials of one method stand in it, since its code changed for instance, the newest."""
    by_place: dict[tuple[int, int, int], list[Record]] = {}
    for record in records:
        by_place.setdefault(record.trial.place, []).append(record)
    chosen = [max(found, key=lambda r: str(r.provenance.get("began", ""))) for found in by_place.values()]
    doubled = [found for found in by_place.values() if len(found) > 1]
    if doubled:
        one, other = doubled[0][0].trial, doubled[0][1].trial
        what = [path for path, _, _ in differences(one.identity, other.identity)]
        notes.append(
            f"{one.label}: {len(doubled[0])} records, which differ in {enumerate_first(what)}; the newest counts"
            + (f". So for {len(doubled) - 1} more of {one.method}." if len(doubled) > 1 else ".")
        )
    return chosen


def _board(
    head: Trial,
    members: Mapping[str, list[Record]],
    rows: Mapping[str, Row],
    notes: list[str],
    view: View,
) -> Board:
    """Order, rank and tie the rows, and compare them with the baseline."""
    order = _order(rows, view)
    complete = [name for name in order if rows[name].complete]
    board = Board(
        _dataset(head),
        _protocol(head.identity["protocol"]),
        _setting(head),
        [rows[name] for name in order],
        notes=notes,
    )
    board.identity = dict(head.identity)
    board.expressions = next((r.expressions for found in members.values() for r in found), ())
    if view.metric in TIED and view.draws:
        tables = [tables_by_subject(members[name], BY_SUBJECT[view.metric][0]) for name in complete]
        board.detectable = ties.tie([rows[name] for name in complete], tables, view.draws)
    else:
        for place, name in enumerate(complete, 1):
            rows[name].rank = place
    base = next((n for n in complete if rows[n].name == view.baseline), None)
    if base is not None and view.draws:
        board.baseline = view.baseline
        theirs = tables_by_subject(members[base], "confusion")
        for name in complete:
            gap = ties.against(tables_by_subject(members[name], "confusion"), theirs) if name != base else None
            rows[name].against = None if gap is None else Score(*gap)
    return board


def _board_key(trial: Trial, group: str) -> str:
    identity = trial.identity
    return _key(
        [
            identity["dataset"],
            {k: v for k, v in identity["protocol"].items() if k != "assignment"},
            identity["preparation"],
            identity["budget"],
            identity["augment"],
            trial.folds,
            bool(trial.config["backbone"].get("pretrained")),
            {"backbone": identity["backbone"], "method": trial.method}.get(group),
        ]
    )


def _row_key(trial: Trial) -> str:
    method = {k: v for k, v in trial.identity["method"].items() if k != "steps"}
    return _key([method, trial.identity["backbone"]])


def _key(parts: Any) -> str:
    return json.dumps(parts, sort_keys=True)


def _dataset(trial: Trial) -> str:
    preset = trial.config["dataset"].get("preset", "default")
    return str(trial.identity["dataset"]["name"]) + ("" if preset == "default" else f" {preset}")


def _protocol(protocol: Mapping[str, Any]) -> str:
    settings = ", ".join(f"{k}={v}" for k, v in protocol.items() if k not in ("name", "version", "assignment"))
    return f"{protocol['name']} ({settings})"


def _setting(trial: Trial) -> str:
    budget, preparation = trial.identity["budget"], trial.identity["preparation"]
    name = trial.config["budget"]["name"]
    return (
        f"budget {name}: {budget['steps']} steps of {budget['batch_size']}, {preparation['image_size']} px, "
        f"data {trial.identity['dataset']['fingerprint'][:8]}"
    )


def _backbone(trial: Trial) -> str:
    node = trial.config["backbone"]
    shown = str(node.get("model", node["name"]))
    return f"{shown} (pretrained)" if node.get("pretrained") else shown


def _row(records: list[Record], failures: list[Outcome], places: set[tuple[int, int, int]], draws: int) -> Row:
    """`places`: those of the whole board; a row that lacks a seed that others have is incomplete."""
    first = [*(r.trial for r in records), *(o.trial for o in failures)][0]
    assignments, seeds = (tuple(sorted({place[i] for place in places})) for i in (0, 2))
    done = {r.trial.place for r in records}
    wanted = product(assignments, range(first.folds), seeds)
    row = Row(
        method=str(first.identity["method"]["name"]),
        version=int(first.identity["method"]["version"]),
        variant=first.variant,
        backbone=_backbone(first),
        folds=first.folds,
        seeds=seeds,
        assignments=assignments,
        done=len(done),
        failed=len(failures),
        missing=[place for place in wanted if place not in done],
        trials=[r.trial.id for r in records],
        devices=tuple(sorted({str(r.provenance.get("device", "")) for r in records} - {""})),
        seen=next((str(r.provenance["seen"]) for r in records if r.provenance.get("seen")), ""),
        seconds=sum(float(r.provenance.get("seconds", 0)) for r in records),
    )
    if not records:
        return row
    for name in records[0].cost:
        values = [r.cost[name] for r in records if name in r.cost]
        row.cost[name] = sum(values) / len(values)
    for source in ("confusion", "sequence_confusion"):
        by_subject = tables_by_subject(records, source)
        tables = np.stack([by_subject[subject] for subject in sorted(by_subject)])
        scores = {metric: score for metric, (origin, score) in BY_SUBJECT.items() if origin == source}
        intervals = statistics.bootstrap_by_subject(tables, list(scores.values()), draws)
        for (metric, score), interval in zip(scores.items(), intervals, strict=True):
            row.scores[metric] = Score(float(score(tables.sum(0))), *interval)
    apart = [[r for r in records if r.trial.place[0] == number] for number in assignments]
    pooled = [np.sum(list(tables_by_subject(part, "confusion").values()), axis=0) for part in apart if part]
    if len(pooled) > 1:
        row.spread = float(np.std(statistics.accuracy(np.stack(pooled)), ddof=1))
    for metric in dict.fromkeys(name for record in records for name in record.metrics):
        if metric in BY_SUBJECT:
            continue
        by_fold: dict[tuple[int, int], list[float]] = {}
        for record in records:
            if (value := record.metrics.get(metric)) is not None:
                by_fold.setdefault(record.trial.place[:2], []).append(value)
        row.measured[metric] = sum(map(len, by_fold.values()))
        if by_fold:
            means = [sum(values) / len(values) for values in by_fold.values()]
            interval = statistics.mean_interval(means) if draws else (math.nan, math.nan)
            row.scores[metric] = Score(sum(means) / len(means), *interval)
    return row


def tables_by_subject(records: Sequence[Record], source: str) -> dict[str, np.ndarray]:
    """(C, C) counts of each tested subject, summed over seeds; source: "confusion" or "sequence_confusion"."""
    tables: dict[str, list[list[list[int]]]] = {}
    for record in records:
        for subject, table in getattr(record, source).items():
            tables.setdefault(subject, []).append(table)
    return {subject: np.array(found).sum(axis=0) for subject, found in tables.items()}


def shared(ours: Sequence[Record], theirs: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """Of two rows the records at places (assignment, fold, seed) that both have, in the same order."""
    by_place = {r.trial.place: r for r in theirs}
    both = sorted((r for r in ours if r.trial.place in by_place), key=lambda r: r.trial.place)
    return both, [by_place[r.trial.place] for r in both]


def _order(rows: Mapping[str, Row], view: View) -> list[str]:
    """Keys of the rows: complete ones by score, then the others."""
    sign = 1 if higher_is_better(view.metric, view.lower) else -1

    def key(name: str) -> tuple[bool, float, str]:
        row = rows[name]
        score = row.scores.get(view.metric)
        return not row.complete, math.inf if score is None else -sign * score.mean, row.name

    return sorted(rows, key=key)
