"""Cards of the trackers (extras `tensorboard`, `mlflow` and `wandb`)."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.cards import TrackerCard
from ferbench.hookspecs import hookimpl


@dataclass
class TensorBoardSettings:
    """Attributes:
    folder: where its event files go, a folder for each trial; empty for `.tensorboard` in the results folder.
    """

    folder: str = ""


@dataclass
class MLflowSettings:
    """Attributes:
    uri: the tracking server, such as "https://mlflow.example.org" or "sqlite:////data/mlflow.db"; empty for files in `.mlflow` in
        the results folder.
    experiment: name of the experiment.
    """

    uri: str = ""
    experiment: str = "ferbench"


@dataclass
class WandbSettings:
    """Attributes:
    mode: "offline" (files in `.wandb` in the results folder, which `wandb sync` uploads) or "online".
    project: name of the project.
    entity: the team or user; empty for the user's default.
    """

    mode: str = "offline"
    project: str = "ferbench"
    entity: str = ""


@hookimpl
def ferbench_trackers() -> list[TrackerCard]:
    return [
        TrackerCard(
            name="tensorboard",
            target="ferbench_trackers.tensorboard:TensorBoard",
            title="TensorBoard: event files",
            settings=TensorBoardSettings,
        ),
        TrackerCard(
            name="mlflow",
            target="ferbench_trackers.mlflow:MLflow",
            title="MLflow: files, or a tracking server",
            settings=MLflowSettings,
        ),
        TrackerCard(
            name="wandb",
            target="ferbench_trackers.wandb:WeightsAndBiases",
            title="Weights & Biases, offline unless it is asked for",
            settings=WandbSettings,
        ),
    ]
