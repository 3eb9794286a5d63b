"""`tracker=mlflow`: a run for each trial, in files or on a tracking server."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # a server that is away must not hold up a study
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")

from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

from ferbench.interfaces.tracker import Tracked, Tracker
from ferbench_trackers.plugin import MLflowSettings

TAG = "ferbench.key"
"""The tag that says which trial a run is of, so that one that goes on finds its run."""

AT_ONCE = 100
"""Parameters that MLflow takes in one call, and the letters that it takes of one."""
LETTERS = 500

STATUS = {"done": "FINISHED", "ended": "FINISHED", "interrupted": "KILLED"}


class MLflow(Tracker):
    """Names have dots where others have slashes, "STAGE.LOSS" and "accuracy.pixels": MLflow's files may not be folders too."""

    settings: MLflowSettings

    def __init__(self, settings: MLflowSettings, results_dir: Path) -> None:
        super().__init__(settings, results_dir)
        uri = settings.uri
        if not uri:
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
            uri = (results_dir / ".mlflow").absolute().as_uri()
        self._client = MlflowClient(tracking_uri=uri)
        known = self._client.get_experiment_by_name(settings.experiment)
        self._experiment = known.experiment_id if known else self._client.create_experiment(settings.experiment)
        self._runs: dict[str, str] = {}

    def begin(self, run: Tracked) -> None:
        found = self._client.search_runs([self._experiment], f"tags.`{TAG}` = '{run.key}'", max_results=1)
        if found:
            self._runs[run.key] = found[0].info.run_id
            self._client.update_run(self._runs[run.key], status="RUNNING")
            return
        made = self._client.create_run(self._experiment, run_name=run.label, tags={TAG: run.key, "kind": run.kind})
        self._runs[run.key] = made.info.run_id
        parameters = [Param(name, str(value)[:LETTERS]) for name, value in run.settings.items()]
        for first in range(0, len(parameters), AT_ONCE):
            self._client.log_batch(made.info.run_id, params=parameters[first : first + AT_ONCE])

    def log(self, run: Tracked, stage: str, step: int, values: Mapping[str, float]) -> None:
        self._metrics(run, f"{stage}.", step, values)

    def end(self, run: Tracked, status: str, metrics: Mapping[str, float], error: str) -> None:
        self._metrics(run, "", 0, metrics)
        if error:
            self._client.log_batch(self._runs[run.key], tags=[RunTag("error", error)])
        self._client.set_terminated(self._runs.pop(run.key), STATUS.get(status, "FAILED"))

    def _metrics(self, run: Tracked, prefix: str, step: int, values: Mapping[str, float]) -> None:
        now = int(time.time() * 1000)
        metrics = [Metric(f"{prefix}{name}".replace("/", "."), value, now, step) for name, value in values.items()]
        if metrics:
            self._client.log_batch(self._runs[run.key], metrics=metrics)
