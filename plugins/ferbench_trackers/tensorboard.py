"""`tracker=tensorboard`: event files, a folder for each trial. It needs no torch, and no TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import summary_v2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from ferbench.interfaces.tracker import Tracked, Tracker
from ferbench_trackers.plugin import TensorBoardSettings


class TensorBoard(Tracker):
    """Losses are "STAGE/LOSS" and the test curve "test/accuracy"; metrics are "metrics/NAME", beside the settings as
    hyper-parameters."""

    settings: TensorBoardSettings

    def __init__(self, settings: TensorBoardSettings, results_dir: Path) -> None:
        super().__init__(settings, results_dir)
        self.folder = Path(settings.folder) if settings.folder else results_dir / ".tensorboard"
        self._writers: dict[str, EventFileWriter] = {}

    def begin(self, run: Tracked) -> None:
        self._writers[run.key] = EventFileWriter(str(self.folder / f"{run.kind.replace(' ', '-')}-{run.key}"))
        settings = {name: _plain(value) for name, value in run.settings.items()}
        self._write(run, summary_v2.hparams_pb(settings, trial_id=run.key))

    def log(self, run: Tracked, stage: str, step: int, values: Mapping[str, float]) -> None:
        self._scalars(run, stage, step, values)

    def end(self, run: Tracked, status: str, metrics: Mapping[str, float], error: str) -> None:
        self._scalars(run, "metrics", 0, metrics)
        self._writers.pop(run.key).close()

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _scalars(self, run: Tracked, group: str, step: int, values: Mapping[str, float]) -> None:
        scalars = [Summary.Value(tag=f"{group}/{name}", simple_value=value) for name, value in values.items()]
        self._write(run, Summary(value=scalars), step)

    def _write(self, run: Tracked, summary: Summary, step: int = 0) -> None:
        self._writers[run.key].add_event(Event(wall_time=time.time(), step=step, summary=summary))


def _plain(value: Any) -> Any:
    """A value that a hyper-parameter may have."""
    return value if isinstance(value, bool | int | float | str) else str(value)
