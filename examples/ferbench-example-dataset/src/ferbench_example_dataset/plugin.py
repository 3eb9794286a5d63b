"""What ferbench knows of the dataset before it reads it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ferbench import DatasetCard, hookimpl


@dataclass
class PortraitsSettings:
    """Settings of the dataset; each is `dataset.NAME=VALUE` on the command line."""

    root: str = ""
    """Folder that holds a folder for each subject."""


@hookimpl
def ferbench_datasets() -> Iterable[DatasetCard]:
    """The datasets of this package."""
    return [
        DatasetCard(
            name="portraits",
            target="ferbench_example_dataset.dataset:Portraits",
            title="images in folders: ROOT/subject/expression/image.png",
            settings=PortraitsSettings,
            expressions=("anger", "disgust", "fear", "happiness", "sadness", "surprise"),
            provides=frozenset({"subject", "neutral"}),
            frames="all",
            protocol="subject_kfold",
            licence="yours",
            obtain="draw them yourself",
            api=1,
        )
    ]
