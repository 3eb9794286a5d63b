"""`ferbench.load_results`, `leaderboard` and `compare`: results folders in Python and notebooks."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ferbench.api.arguments import Texts, several
from ferbench.api.reading import chosen_boards, known_cards, need_metric
from ferbench.ranking import compare as comparing
from ferbench.ranking.aggregate import BoardQuery
from ferbench.ranking.board import Board
from ferbench.ranking.cards import Cards
from ferbench.records.merge import Collected, collect
from ferbench.records.schema import Outcome, Record, Trial
from ferbench.records.settings import settings_of
from ferbench.registry.loader import load_registry
from ferbench.report import export, notebook
from ferbench.report.columns import DEFAULT, Column, columns

LEADING = (
    "trial", "status", "error", "method", "variant", "method_version", "dataset", "backbone", "protocol", "assignment", "fold",
    "folds", "seed",
)  # fmt: skip
"""The first columns of `load_results`; each row has them."""

TRAILING = ("device", "precision", "began", "seconds", "notes", "folder")
"""The last ones."""


def load_results(folders: Texts = "results") -> pd.DataFrame:
    """The trials of one or several results folders, one in a row. Trials that several folders have are there once.

    Every setting is a column by the name that `ferbench run` takes, such as method.lr, dataset.root or budget.steps, empty where
    the trial has none of the name. So is every metric, as `ferbench leaderboard --metric` takes it (accuracy, accuracy/pixels),
    NaN where the trial does not have it; one with the name of another column is called metric.NAME. cost.steps,
    cost.train_seconds ... are what the trial took, see docs/reference/records.md.

    Columns:
        trial: its identifier.
        status: "done", "failed" or "oom" (out of memory).
        error: in one sentence, of a trial that failed.
        method: name of the method.
        variant: "full" or the name of an ablation.
        method_version: version of the method's card.
        dataset: name of the dataset.
        backbone: name of the backbone.
        protocol: name of the protocol.
        assignment: number of the assignment of subjects to folds.
        fold: number of the fold, from 0.
        folds: number of folds.
        seed: the trial's random seed.
        device: on which it ran.
        precision: in which it was trained.
        began: when it began.
        seconds: that it took.
        notes: sentences on what was left out.
        folder: of its record.

    `frame.attrs["notes"]` are sentences on damaged records, and on trials of which folders contradict one another.

    Raises:
        FerbenchError: there is no such folder, or no trial in it.
    """
    given = collect(several("folders", folders))
    frame = frame_of(given.records.values(), given.failures, given.where)
    frame.attrs["notes"] = list(given.notes)
    return frame


def frame_of(records: Iterable[Record], failures: Iterable[Outcome], where: Mapping[str, Path]) -> pd.DataFrame:
    """The table of `load_results`."""
    rows: list[dict[str, Any]] = []
    settings: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    costs: dict[str, Any] = {}
    stored = set()
    for record in records:
        trial = record.trial
        stored.add(trial.id)
        own = _settings(trial)
        measured = {_metric(name): math.nan if v is None else v for name, v in record.metrics.items()}
        cost = {f"cost.{name}": value for name, value in record.cost.items()}
        rows.append(
            _leading(trial, "done", "")
            | own
            | measured
            | cost
            | {name: record.provenance.get(name) for name in ("device", "precision", "began", "seconds")}
            | {"notes": " ".join(record.notes), "folder": str(where.get(trial.id, ""))}
        )
        settings |= own
        metrics |= measured
        costs |= cost
    for outcome in failures:
        if outcome.trial.id not in stored:
            own = _settings(outcome.trial)
            rows.append(
                _leading(outcome.trial, outcome.status, outcome.error)
                | own
                | {"seconds": outcome.seconds, "notes": "", "folder": ""}
            )
            settings |= own
    order = [*LEADING, *settings, *metrics, *costs, *TRAILING]
    return pd.DataFrame(rows, columns=order)


def _leading(trial: Trial, status: str, error: str) -> dict[str, Any]:
    identity = trial.identity
    return {
        "trial": trial.id,
        "status": status,
        "error": error,
        "method": trial.method,
        "variant": trial.variant,
        "method_version": identity.method.version,
        "dataset": identity.dataset.name,
        "backbone": identity.backbone.name,
        "protocol": identity.protocol.name,
        "assignment": trial.repetition.assignment,
        "fold": trial.fold,
        "folds": trial.fold_count,
        "seed": trial.seed,
    }


def _settings(trial: Trial) -> dict[str, Any]:
    return {name: value for name, value in settings_of(trial).items() if name not in LEADING}


def _metric(name: str) -> str:
    return f"metric.{name}" if name in LEADING + TRAILING else name


@dataclass(frozen=True)
class Leaderboard:
    """The boards of one or several results folders. In Jupyter it is shown as tables, in text as in the terminal.

    Attributes:
        boards: the boards, each of what may be compared.
        notes: sentences on damaged records, and on trials of which folders contradict one another.
        metrics: that are shown.
    """

    boards: list[Board]
    notes: list[str]
    metrics: tuple[str, ...]
    _given: Collected = field(repr=False)
    _columns: Sequence[Column] = field(repr=False)

    @property
    def frame(self) -> pd.DataFrame:
        """A row for each row of a board, with every metric, NAME, and its interval, NAME_low and NAME_high: the columns of
        `ferbench leaderboard --format csv`."""
        return pd.DataFrame(export.flat(self.boards))

    def __str__(self) -> str:
        from rich.console import Console

        from ferbench.report.terminal import render

        out = io.StringIO()
        Console(file=out, width=120, highlight=False).print(render(self.boards, self._columns))
        return "\n".join([out.getvalue().strip("\n"), *self.notes])

    __repr__ = __str__

    def _repr_html_(self) -> str | None:
        """For Jupyter; None, so that the text is shown, where the extra `report` is not installed."""
        return notebook.boards(self.boards, self._given, self._columns)


def leaderboard(
    folders: Texts = "results",
    *,
    dataset: str | None = None,
    metrics: Texts = (),
    group: str = "",
    include_ablations: bool = False,
    baseline: str = "",
    plugins: Texts = (),
) -> Leaderboard:
    """Rank what was run: `ferbench leaderboard`, with its options.

        board = ferbench.leaderboard("results", baseline="cross_entropy")
        board                                                      # a table in Jupyter, text elsewhere
        board.frame.set_index("method")["accuracy"]

    Args:
        folders: one results folder, or several.
        dataset: only this one.
        metrics: one that is shown, or several; the first one ranks.
        group: a board for each "backbone" or "method".
        include_ablations: also variants that are not the full method.
        baseline: a method with which every row is compared.
        plugins: a Python file that is loaded as a plugin, or several.

    Raises:
        FerbenchError: there is no such folder, no trial in it, or none of that dataset, metric or baseline; or a plugin file cannot
            be loaded.
    """
    given = collect(several("folders", folders))
    cards = known_cards(load_registry(several("plugins", plugins)), given)
    wanted = several("metrics", metrics)
    shown = columns(wanted or DEFAULT, cards)
    query = BoardQuery(dataset, shown[0].metric, include_ablations, baseline, group, cards)
    found = chosen_boards(given, query, wanted)
    return Leaderboard(found, list(given.notes), tuple(column.metric for column in shown), given, shown)


@dataclass(frozen=True)
class Comparison:
    """Two methods on the same subjects, folds and seeds, on every board that has both. In Jupyter it is shown as a table.

    Attributes:
        ours, theirs: as they were asked for.
        metric: what is compared.
        boards: a comparison on each board: `difference` with its interval and p, `subjects`, `classes`, `words()` ...
    """

    ours: str
    theirs: str
    metric: str
    boards: list[comparing.Comparison]
    _cards: Cards = field(repr=False)

    @property
    def frame(self) -> pd.DataFrame:
        """A row for each board.

        Columns: dataset, protocol, setting, backbone, metric; ours, theirs, difference, low, high (the 95 % interval), p; trials,
        subjects; conclusion, in words.
        """
        rows = [
            {
                "dataset": found.board.dataset,
                "protocol": found.board.protocol,
                "setting": found.board.setting,
                "backbone": found.ours.backbone,
                "metric": found.metric.name,
                "ours": found.ours.scores[self.metric].mean,
                "theirs": found.theirs.scores[self.metric].mean,
                "difference": found.difference.mean,
                "low": found.difference.low,
                "high": found.difference.high,
                "p": found.difference.p,
                "trials": found.trials,
                "subjects": len(found.subjects),
                "conclusion": found.words(),
            }
            for found in self.boards
        ]
        return pd.DataFrame(rows)

    def __str__(self) -> str:
        return "\n\n".join(f"{found.heading}\n{found.words()}" for found in self.boards)

    __repr__ = __str__

    def _repr_html_(self) -> str | None:
        """For Jupyter; None, so that the text is shown, where the extra `report` is not installed."""
        return notebook.comparison(self.boards, self._cards)


def compare(
    folders: Texts,
    ours: str,
    theirs: str,
    *,
    dataset: str | None = None,
    metric: str = "accuracy",
    plugins: Texts = (),
) -> Comparison:
    """Compare two methods, each a method or method/variant, on the same subjects, folds and seeds: `ferbench compare`.

        found = ferbench.compare("results", "degan", "cross_entropy")
        found.frame[["dataset", "difference", "low", "high", "p"]]

    Args:
        folders: one results folder, or several.
        dataset: only this one.
        metric: what is compared.
        plugins: a Python file that is loaded as a plugin, or several.

    Raises:
        FerbenchError: there is no such folder or metric; no board has both on the same folds and seeds; or a plugin file cannot be
            loaded.
    """
    given = collect(several("folders", folders))
    cards = known_cards(load_registry(several("plugins", plugins)), given)
    need_metric(given, metric)
    found = comparing.compare(list(given.records.values()), ours, theirs, dataset, cards, metric)
    return Comparison(ours, theirs, metric, found, cards)
