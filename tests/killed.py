"""Commands that are killed in the middle of their work, at places that nobody could hit from outside.

python -m tests.killed PLACE run method=cross_entropy ...
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def die(*_: Any, **__: Any) -> Any:
    """kill -9."""
    os.kill(os.getpid(), signal.SIGKILL)


def _dies_in(holder: Any, name: str, call: int = 1) -> None:
    """The function dies where it is called for the `call`-th time."""
    real, calls = getattr(holder, name), [0]

    def dying(*values: Any, **more: Any) -> Any:
        calls[0] += 1
        return die() if calls[0] == call else real(*values, **more)

    setattr(holder, name, dying)


def _dies_after(holder: Any, name: str) -> None:
    real = getattr(holder, name)
    setattr(holder, name, lambda *values, **more: (real(*values, **more), die()))


def checkpoint_in_writing() -> None:
    from ferbench.records import seals

    _dies_in(seals, "seal_tensors", 2)


def checkpoint_written() -> None:
    from ferbench.training import checkpoint

    _dies_after(checkpoint, "save")


def stage_in_writing() -> None:
    from ferbench.records.store import Store

    _dies_in(Store, "write_stage")


def stage_written() -> None:
    from ferbench.records.store import Store

    _dies_after(Store, "write_stage")


def judges_in_training() -> None:
    trial: Any = importlib.import_module("ferbench.execution.trial")
    real = trial.run_stage

    def run_stage(store: Any, node: Any, method: Any, stage: Any, training: Any, *more: Any) -> Any:
        if type(method).__name__ == "Judges":
            batches = training.batches
            training.batches = lambda step: die() if step == 1 else batches(step)
        return real(store, node, method, stage, training, *more)

    trial.run_stage = run_stage


def evaluation() -> None:
    from ferbench.evaluation import inference

    _dies_in(inference, "over_batches", 4)


def measuring() -> None:
    from ferbench.execution import trial

    _dies_in(trial, "measure")


def references_in_writing() -> None:
    from ferbench.files import draft_of

    store: Any = importlib.import_module("ferbench.records.store")

    def replace_text(path: Path, text: str) -> None:
        draft_of(path).write_text(text[:20])
        die()

    store.replace_text = replace_text


def record_in_writing() -> None:
    from ferbench.records import files

    _dies_in(files, "write_code")


def _in_publishing(before: bool) -> None:
    store: Any = importlib.import_module("ferbench.records.store")
    real = store.publish

    def publish(draft: Path, *more: Any) -> None:
        of_record = draft.parent.name == ".drafts"
        if of_record and before:
            die()
        real(draft, *more)
        if of_record:
            die()

    store.publish = publish


def record_written() -> None:
    _in_publishing(before=True)


def record_renamed() -> None:
    _in_publishing(before=False)


PLACES: dict[str, Callable[[], None]] = {
    place.__name__: place
    for place in (
        checkpoint_in_writing, checkpoint_written, stage_in_writing, stage_written, judges_in_training, evaluation, measuring,
        references_in_writing, record_in_writing, record_written, record_renamed,
    )
}  # fmt: skip
"""Each prepares this process to be killed there."""


def main(place: str, words: Sequence[str]) -> None:
    """Run the command `ferbench WORDS` until it is killed."""
    from ferbench.cli import main as entry

    PLACES[place]()
    sys.argv = ["ferbench", *words]
    entry.main()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
