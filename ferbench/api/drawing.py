"""Figures of trials, drawn beside the trials that run."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec

from ferbench.interfaces.executor import Progress
from ferbench.records.store import Store


class Drawing:
    """Draws figures in a thread, one trial after another. A context: at its end all are drawn.

    They are made from the record; one that cannot be drawn costs the record nothing.
    """

    def __init__(self, store: Store, progress: Progress) -> None:
        self.store, self.progress = store, progress
        self._pool = ThreadPoolExecutor(1)
        self._begun: list[tuple[str, Future[None]]] = []

    def __enter__(self) -> Drawing:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        self._tell()

    def draw(self, trial: str) -> None:
        """Draw the figures of the trial with this id, some time later. Where matplotlib is not installed no trial runs either, and
        they are drawn where it ran."""
        if find_spec("matplotlib") is None:
            return
        self._begun.append((trial, self._pool.submit(self._draw, trial)))
        self._tell()

    def _draw(self, trial: str) -> None:
        from ferbench.report.figures.trial import draw_stored

        draw_stored(self.store.root, trial)

    def _tell(self) -> None:
        """Say which of those that have ended could not be drawn."""
        ended = [(trial, future) for trial, future in self._begun if future.done()]
        self._begun = [(trial, future) for trial, future in self._begun if not future.done()]
        for trial, future in ended:
            if (error := future.exception()) is not None:
                self.progress.message(f"the figures of {trial} could not be drawn: {type(error).__name__}: {error}")
