"""What a leak is worth: one method on somebody's split, and on a clean one of the same frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from ferbench.config.overrides import quoted
from ferbench.errors import FerbenchError

if TYPE_CHECKING:
    from ferbench.interfaces.executor import Progress
    from ferbench.registry.loader import Registry


def show(
    file: str,
    root: str | None,
    overrides: Sequence[str],
    plugins: Sequence[str],
    display: Callable[[int], AbstractContextManager[Progress]],
) -> None:
    """Train and test on both, and print the accuracies with intervals by subject.

    Args:
        file: the split. Its frames are those of the dataset that `overrides` name, or its own (path, expression).
        root: folder that the paths in it start from.
        display: gives the listener that shows so many trials while they run.

    Raises:
        FerbenchError: the frames cannot be had, or a trial failed.
    """
    from ferbench.config.compose import compose
    from ferbench.execution.study import missing, run_study
    from ferbench.plan.study import plan
    from ferbench.protocols.listed import read_folds
    from ferbench.ranking.aggregate import boards
    from ferbench.records.schema import DONE, STORED
    from ferbench.records.store import Store
    from ferbench.registry.loader import load_registry

    registry = load_registry(plugins)
    path = quoted(str(Path(file).absolute()))
    words = [*overrides, *_defaults(registry, overrides, path, root)]
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
    with display(missing(study)) as progress:
        failed = [o for o in run_study(registry, study, progress) if o.status not in (DONE, STORED)]
    if failed:
        raise FerbenchError(f"{len(failed)} of {len(study.trials)} trials failed, the first with: {failed[0].error}")
    store = Store(study.results_dir)
    accuracy: dict[str, float] = {}
    for name, listed in zip(splits, (True, False), strict=True):
        records = [store.load(t.id) for t in study.trials if (t.identity.protocol.name == "listed") is listed]
        score: Any = boards(records)[0].rows[0].scores["accuracy"]
        accuracy[name] = 100 * score.mean
        click.echo(f"  {name:<11}  accuracy {100 * score.mean:5.1f} % [{100 * score.low:.1f}, {100 * score.high:.1f}]")
    click.echo(f"  difference {accuracy['this split'] - accuracy['clean split']:+11.1f} points")


def _defaults(registry: Registry, overrides: Sequence[str], path: str, root: str | None) -> list[str]:
    """What the overrides leave open."""
    from ferbench.cards import DatasetCard, MethodCard

    named = {word.partition("=")[0] for word in overrides}
    words = []
    if "dataset" not in named:
        tables = (name for name, card in registry.catalogue(DatasetCard).items() if card.reads_tables)
        words += [f"dataset={_first(tables, 'dataset')}", f"dataset.file={path}"]
        words += [f"dataset.root={quoted(root)}"] if root else []
    if "method" not in named:
        baselines = (name for name, card in registry.catalogue(MethodCard).items() if card.baseline)
        words.append(f"method={_first(baselines, 'method')}")
    if "protocol.frames" not in named:
        words.append("protocol.frames=all")
    return words


def _first(names: Iterable[str], kind: str) -> str:
    found = next(iter(names), None)
    if found is None:
        raise FerbenchError(f"No installed plugin gives a {kind} to measure the leak with; name one: {kind}=NAME.")
    return found
