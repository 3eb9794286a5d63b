"""What a leak is worth: one method on somebody's split, and on a clean one of the same frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rich_click as click

from ferbench.config import quoted
from ferbench.errors import FerbenchError


def show(file: str, root: str | None, overrides: Sequence[str], plugins: Sequence[str]) -> None:
    """Train and test on both, and print the accuracies with intervals by subject.

    Args:
        file: the split. Its frames are those of the dataset that `overrides` name, or its own (path, expression).
        root: folder that the paths in it start from.

    Raises:
        FerbenchError: the frames cannot be had, or a trial failed.
    """
    from ferbench.cli.progress import make_report
    from ferbench.config import compose
    from ferbench.leaderboard.aggregate import boards
    from ferbench.plan import plan
    from ferbench.protocols.listed import read_folds
    from ferbench.records import DONE, STORED
    from ferbench.registry import load_registry
    from ferbench.store import Store
    from ferbench.study import run_study

    registry = load_registry(plugins)
    path = quoted(str(Path(file).absolute()))
    words = [*overrides, *_defaults(overrides, path, root)]
    k = max(2, len({fold for fold in read_folds(Path(file)).values() if fold >= 0}))
    splits = {
        "this split": ["protocol=listed", f"protocol.file={path}", "protocol.leaky=true"],
        "clean split": ["protocol=subject_kfold", f"protocol.k={k}"],
    }
    configs = [compose(registry, [*words, *split])[0] for split in splits.values()]
    study = plan(registry, configs)
    click.echo(
        f"\nWhat the leak is worth: {len(study.trials)} trials, on this split and on {k} folds of whole subjects."
    )
    with make_report(study) as report:
        failed = [o for o in run_study(registry, study, report) if o.status not in (DONE, STORED)]
    if failed:
        raise FerbenchError(f"{len(failed)} of {len(study.trials)} trials failed, the first with: {failed[0].error}")
    store = Store(study.results_dir)
    accuracy: dict[str, float] = {}
    for name, listed in zip(splits, (True, False), strict=True):
        records = [store.load(t.id) for t in study.trials if (t.identity["protocol"]["name"] == "listed") is listed]
        score: Any = boards(records)[0].rows[0].scores["accuracy"]
        accuracy[name] = 100 * score.mean
        click.echo(f"  {name:<11}  accuracy {100 * score.mean:5.1f} % [{100 * score.low:.1f}, {100 * score.high:.1f}]")
    click.echo(f"  difference {accuracy['this split'] - accuracy['clean split']:+11.1f} points")


def _defaults(overrides: Sequence[str], path: str, root: str | None) -> list[str]:
    """What the overrides leave open."""
    named = {word.partition("=")[0] for word in overrides}
    words = []
    if "dataset" not in named:
        words += ["dataset=table", f"dataset.file={path}"] + ([f"dataset.root={quoted(root)}"] if root else [])
    if "method" not in named:
        words.append("method=cross_entropy")
    if "protocol.frames" not in named:
        words.append("protocol.frames=all")
    return words
