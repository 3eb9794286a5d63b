"""`tracker=wandb`: Weights & Biases, a run for each trial."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # read when wandb is imported: nothing is sent unless asked

import wandb

from ferbench.errors import UnknownName
from ferbench.interfaces.tracker import Tracked, Tracker
from ferbench_trackers.plugin import WandbSettings

MODES = ("offline", "online")


class WeightsAndBiases(Tracker):
    """Losses are "STAGE/LOSS" over "STAGE/step"; metrics are the run's summary, settings its configuration. A trial that goes on
    has the run's identifier again, so that `wandb sync` puts its parts together.

    Raises:
        UnknownName: there is no such mode.
    """

    settings: WandbSettings

    def __init__(self, settings: WandbSettings, results_dir: Path) -> None:
        super().__init__(settings, results_dir)
        if settings.mode not in MODES:
            raise UnknownName("value of tracker.mode", settings.mode, MODES)
        self._runs: dict[str, Any] = {}

    def begin(self, run: Tracked) -> None:
        folder = self.results_dir / ".wandb"
        folder.mkdir(exist_ok=True)
        self._runs[run.key] = wandb.init(
            dir=str(folder),
            mode="online" if self.settings.mode == "online" else "offline",
            project=self.settings.project,
            entity=self.settings.entity or None,
            id=run.key,
            resume="allow" if self.settings.mode == "online" else None,
            name=run.label,
            group=run.kind,
            config=dict(run.settings),
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off", disable_git=True, disable_code=True, init_timeout=50),
        )

    def log(self, run: Tracked, stage: str, step: int, values: Mapping[str, float]) -> None:
        own = self._runs[run.key]
        own.define_metric(f"{stage}/*", step_metric=f"{stage}/step")
        own.log({f"{stage}/step": step, **{f"{stage}/{name}": value for name, value in values.items()}})

    def end(self, run: Tracked, status: str, metrics: Mapping[str, float], error: str) -> None:
        own = self._runs.pop(run.key)
        own.summary.update({**metrics, "status": status, **({"error": error} if error else {})})
        own.finish(exit_code=0 if status in ("done", "ended") else 1)

    def close(self) -> None:
        for own in self._runs.values():
            own.finish(exit_code=1)
        self._runs.clear()
