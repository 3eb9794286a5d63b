"""Records -> boards. Rows of one board may be compared: same data, protocol, classes, preparation and budget."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ferbench import statistics
from ferbench.fingerprint import digest
from ferbench.leaderboard import ties
from ferbench.leaderboard.rows import Board, Row, Score
from ferbench.records import Outcome, Record, Trial

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

LOWER_IS_BETTER = ("identity_leakage", "identity_auc", "calibration_error")


def higher_is_better(metric: str) -> bool:
    return not metric.startswith(LOWER_IS_BETTER)


def boards(
    records: Sequence[Record],
    failures: Iterable[Outcome] = (),
    dataset: str | None = None,
    sort: str = "accuracy",
    include_ablations: bool = True,
    baseline: str = "",
) -> list[Board]:
    """Group, average and rank. Incomplete rows come last and have no rank: nothing is imputed.

    Args:
        dataset: only this one.
        sort: metric to rank by. Only by accuracy, of frames or sequences, are ties told.
        include_ablations: also variants that are not the full method.
        baseline: a method with which every row is compared.
    """
    grouped: dict[str, dict[str, list[Record]]] = {}
    heads: dict[str, Trial] = {}
    failed: dict[str, list[Outcome]] = {}
    for record in records:
        trial = record.trial
        if dataset is None or trial.identity["dataset"]["name"] == dataset:
            board, row = _board_key(trial), _row_key(trial)
            heads.setdefault(board, trial)
            grouped.setdefault(board, {}).setdefault(row, []).append(record)
    known = {record.trial.id for record in records}
    for outcome in failures:
        trial = outcome.trial
        if trial.id not in known and (dataset is None or trial.identity["dataset"]["name"] == dataset):
            heads.setdefault(_board_key(trial), trial)
            grouped.setdefault(_board_key(trial), {}).setdefault(_row_key(trial), [])
            failed.setdefault(_board_key(trial) + _row_key(trial), []).append(outcome)
    made = []
    for key, by_row in grouped.items():
        members = {
            row: found for row, found in by_row.items() if include_ablations or _is_full(found, failed.get(key + row))
        }
        if members:
            rows = {name: _row(found, failed.get(key + name, [])) for name, found in members.items()}
            made.append(_board(heads[key], members, rows, sort, baseline))
    return sorted(made, key=lambda b: (b.dataset, b.protocol, b.setting))


def _is_full(records: Sequence[Record], failures: Sequence[Outcome] | None) -> bool:
    trials = [record.trial for record in records] or [outcome.trial for outcome in failures or ()]
    return trials[0].variant == "full"


def _board(
    head: Trial, members: Mapping[str, list[Record]], rows: Mapping[str, Row], sort: str, baseline: str
) -> Board:
    """Order, rank and tie the rows, and compare them with the baseline."""
    order = _order(rows, sort)
    complete = [name for name in order if rows[name].complete]
    board = Board(_dataset(head), _protocol(head.identity["protocol"]), _setting(head), [rows[name] for name in order])
    if sort in TIED:
        tables = [tables_by_subject(members[name], BY_SUBJECT[sort][0]) for name in complete]
        board.detectable = ties.tie([rows[name] for name in complete], tables)
    else:
        for place, name in enumerate(complete, 1):
            rows[name].rank = place
    base = next((n for n in complete if rows[n].method == baseline and rows[n].variant == "full"), None)
    if base is not None:
        board.baseline = baseline
        theirs = tables_by_subject(members[base], "confusion")
        for name in complete:
            gap = ties.against(tables_by_subject(members[name], "confusion"), theirs) if name != base else None
            rows[name].against = None if gap is None else Score(*gap)
    return board


def _board_key(trial: Trial) -> str:
    identity = trial.identity
    return digest(
        [
            identity["dataset"],
            identity["protocol"],
            identity["preparation"],
            identity["budget"],
            identity["augment"],
            trial.folds,
        ]
    )


def _row_key(trial: Trial) -> str:
    method = {k: v for k, v in trial.identity["method"].items() if k != "steps"}
    return digest([method, trial.identity["backbone"]])


def _dataset(trial: Trial) -> str:
    preset = trial.config["dataset"].get("preset", "default")
    return str(trial.identity["dataset"]["name"]) + ("" if preset == "default" else f" {preset}")


def _protocol(protocol: Mapping[str, Any]) -> str:
    settings = ", ".join(f"{k}={v}" for k, v in protocol.items() if k not in ("name", "version"))
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


def _row(records: list[Record], failures: list[Outcome]) -> Row:
    first = records[0].trial if records else failures[0].trial
    seeds = tuple(sorted({r.trial.seed for r in records} | {o.trial.seed for o in failures}))
    done = {(r.trial.fold, r.trial.seed) for r in records}
    row = Row(
        method=str(first.identity["method"]["name"]),
        version=int(first.identity["method"]["version"]),
        variant=first.variant,
        backbone=_backbone(first),
        folds=first.folds,
        seeds=seeds,
        done=len(done),
        failed=len(failures),
        missing=[(fold, seed) for seed in seeds for fold in range(first.folds) if (fold, seed) not in done],
        trials=[r.trial.id for r in records],
        seconds=sum(float(r.provenance.get("seconds", 0)) for r in records),
    )
    if not records:
        return row
    for name in records[0].cost:
        values = [r.cost[name] for r in records if name in r.cost]
        row.cost[name] = sum(values) / len(values)
    for metric, (source, score) in BY_SUBJECT.items():
        by_subject = tables_by_subject(records, source)
        tables = np.stack([by_subject[subject] for subject in sorted(by_subject)])
        row.scores[metric] = Score(float(score(tables.sum(0))), *statistics.bootstrap_by_subject(tables, score))
    for metric in dict.fromkeys(name for record in records for name in record.metrics):
        if metric in BY_SUBJECT:
            continue
        by_fold: dict[int, list[float]] = {}
        for record in records:
            if (value := record.metrics.get(metric)) is not None:
                by_fold.setdefault(record.trial.fold, []).append(value)
        if by_fold:
            means = [sum(values) / len(values) for values in by_fold.values()]
            row.scores[metric] = Score(sum(means) / len(means), *statistics.mean_interval(means))
    return row


def tables_by_subject(records: Sequence[Record], source: str) -> dict[str, np.ndarray]:
    """(C, C) counts of each tested subject, summed over seeds; source: "confusion" or "sequence_confusion"."""
    tables: dict[str, np.ndarray] = {}
    for record in records:
        for subject, table in getattr(record, source).items():
            tables[subject] = tables.get(subject, 0) + np.asarray(table)
    return tables


def _order(rows: Mapping[str, Row], sort: str) -> list[str]:
    """Keys of the rows: complete ones by score, then the others."""

    def key(name: str) -> tuple[bool, float, str]:
        row = rows[name]
        score = row.scores.get(sort)
        value = -math.inf if score is None else score.mean if higher_is_better(sort) else -score.mean
        return not row.complete, -value, f"{row.method} {row.variant}"

    return sorted(rows, key=key)
