"""`ferbench.run`: a study from Python."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ferbench.api.arguments import Texts, several
from ferbench.api.results import frame_of
from ferbench.api.studies import carried_out, planned, reviewed, summary
from ferbench.config.overrides import words_of
from ferbench.cores import be_considerate, keep_memory
from ferbench.errors import FerbenchError, UnknownName, printable
from ferbench.execution.study import RETRY
from ferbench.extras import needed_by
from ferbench.interfaces.executor import Progress
from ferbench.records.schema import DONE, STORED, Outcome, Record
from ferbench.records.store import Store
from ferbench.registry.loader import load_registry

_running = threading.Lock()
"""Training seeds the random numbers of the whole process, so that it does one study at a time."""

_runner: int | None = None
"""The thread that runs one."""


@dataclass(frozen=True)
class Run:
    """What became of a study.

    Attributes:
        results_dir: the results folder.
        outcomes: of each trial: `status` ("done", "stored", "failed" or "oom"), `error`, `seconds` and `trial`.
        command: the words of `ferbench run` that do the same.
    """

    results_dir: Path
    outcomes: tuple[Outcome, ...]
    command: tuple[str, ...] = field(repr=False)

    @property
    def failures(self) -> list[Outcome]:
        """The outcomes of trials that failed; `retry="failed"` runs them again."""
        return [outcome for outcome in self.outcomes if outcome.status not in (DONE, STORED)]

    @property
    def records(self) -> list[Record]:
        """The records of all trials that are done, from the results folder.

        Raises:
            FerbenchError: one cannot be read.
        """
        store = Store(self.results_dir)
        return [store.load(outcome.trial.id) for outcome in self.outcomes if outcome.status in (DONE, STORED)]

    @property
    def frame(self) -> pd.DataFrame:
        """A row for each trial, with the columns of `ferbench.load_results`."""
        records = self.records
        return frame_of(records, self.failures, {r.trial.id: self.results_dir / r.trial.id for r in records})

    def __str__(self) -> str:
        return "\n".join(
            [
                summary(self.outcomes, str(self.results_dir)),
                *(f"{outcome.status} {outcome.trial.label}: {printable(outcome.error)}" for outcome in self.failures),
            ]
        )

    __repr__ = __str__


def run(
    *overrides: str | Sequence[str] | Mapping[str, Any],
    retry: str = "",
    fresh: bool = False,
    multirun: bool = False,
    plugins: Texts = (),
    config_dir: str | Path | None = None,
    config_name: str | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Run:
    """Train and evaluate; run only what is missing: `ferbench run`, with its overrides and options.

    Each of these calls is `ferbench run method=degan dataset=oulu dataset.root=/data/CK+ seeds=[0,1]`:

        ferbench.run("method=degan", "dataset=oulu", "dataset.root=/data/CK+", "seeds=[0,1]")
        ferbench.run(method="degan", dataset={"name": "oulu", "root": "/data/CK+"}, seeds=[0, 1])
        ferbench.run({"method": "degan", "dataset": "oulu", "dataset.root": Path("/data/CK+")}, seeds=[0, 1])

    One study is run at a time in a process; a call in another thread waits. Ctrl-C raises KeyboardInterrupt and leaves
    checkpoints: the same call goes on from there.

    Args:
        overrides: as on the command line, one a string, several in a list, or settings in a mapping. What comes later counts.
        settings: further settings, by name. A mapping is a component or a section: its `name`, and its settings. With `multirun`, a
            list of methods, datasets, backbones ... is one study of all of them.
        retry: "failed", "oom" or "all" runs trials again that ended in an error, out of memory, or either.
        fresh: whether to run again what is stored but was made by other code of the same versions.
        multirun: whether settings may have several values: "method=degan,cross_entropy".
        plugins: a Python file that is loaded as a plugin, or several.
        config_dir, config_name: as the options --config-dir and --config-name.
        progress: is told what goes on; None for lines, and a live display on a terminal. `ferbench.Progress()` says nothing.

    Returns:
        What became of each trial. One that failed is among them, and no exception.

    Raises:
        FerbenchError: a setting does not exist, the data cannot be read, the results folder cannot be written ...
        KeyboardInterrupt: it was interrupted.
    """
    global _runner
    if retry not in RETRY:
        raise UnknownName("value of retry", retry, [name for name in RETRY if name])
    if _runner == threading.get_ident():
        raise FerbenchError("ferbench.run was called while it runs, by a plugin or a listener; call it afterwards.")
    words = [word for asked in overrides for word in _words(asked)] + words_of(settings)
    files = several("plugins", plugins)
    options = [
        *(["--retry", retry] if retry else []),
        *(["--fresh"] if fresh else []),
        *(["--multirun"] if multirun else []),
        *(part for file in files for part in ("--plugin", file)),
        *(["--config-dir", str(config_dir)] if config_dir else []),
        *(["--config-name", config_name] if config_name else []),
    ]
    tell = progress.message if progress else _say
    be_considerate()
    keep_memory()
    with _running:
        _runner = threading.get_ident()
        try:
            with needed_by("`ferbench.run`"):
                registry = load_registry(files)
                folder = str(config_dir) if config_dir else None
                study = planned(
                    registry, words, multirun=multirun, config_dir=folder, config_name=config_name, tell=tell
                )
                study = reviewed(study, retry, fresh, note=tell, tell=tell)
                outcomes = carried_out(registry, study, retry, ["run", *options, *words], progress)
        finally:
            _runner = None
    return Run(Path(study.results_dir).absolute(), tuple(outcomes), ("run", *options, *words))


def _words(asked: object) -> list[str]:
    if isinstance(asked, str):
        return [asked]
    if isinstance(asked, Mapping):
        return words_of(asked)
    if isinstance(asked, list | tuple) and all(isinstance(word, str) for word in asked):
        return list(asked)
    raise FerbenchError(f'{asked!r} is no override. Write "key=value", a list of such strings, or {{"key": value}}.')


def _say(sentence: str) -> None:
    print(printable(sentence, lines=True), file=sys.stderr)
