"""Setup of a trial: data on the device, and networks with initial weights."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch

from ferbench.cards import BackboneCard, MethodCard
from ferbench.config.schema import RunConfig, from_dict
from ferbench.data.batches import Batches, Images, Labels
from ferbench.data.cache import Prepared
from ferbench.data.frames import neutral_frames
from ferbench.data.load import Data, load_data, prepare_data
from ferbench.errors import FerbenchError
from ferbench.evaluation.judges import Judges
from ferbench.hashing import digest
from ferbench.interfaces.backbone import Backbone
from ferbench.interfaces.method import Batch, Method, Task, derive_seed
from ferbench.interfaces.replicas import ALONE, Place
from ferbench.randomness import own_random_state
from ferbench.records.schema import Trial
from ferbench.registry.loader import Registry, load_registry
from ferbench.training.loop import Device


@dataclass
class Setup:
    """The data of a trial as batches on the device, and its method with initial weights on the device."""

    registry: Registry
    config: RunConfig
    data: Data
    prepared: Prepared
    device: Device
    fold: Fold
    method: Method
    backbone: Backbone
    batches: Batches
    peak: int = 0
    """Peak memory in bytes of the devices that trained together; 0 if none have."""

    @property
    def images(self) -> Images:
        """All prepared images."""
        return self.batches.images

    @classmethod
    def make(cls, trial: Trial, device: Device | None = None, place: Place = ALONE) -> Setup:
        """Load the data of a trial and create its method.

        Args:
            device: None for the device of the settings.
            place: of this process among those that train together.

        Raises:
            FerbenchError: the data cannot be read, a component cannot be created, or the method needs neutral faces that some
                training frames do not have.
        """
        registry = load_registry(trial.plugin_files)
        config = from_dict(trial.config)
        device = device or Device.choose(config.trainer.device, config.trainer.precision, config.trainer.devices)
        data = load_data(registry, config)
        prepared = prepare_data(registry, data, config)
        fold = Fold.make(trial, data, prepared)
        card, method, backbone = build(registry, config, fold.task)
        method.to(device.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        backbone.to(device.device)
        neutral = fold.labels.neutral if "neutral" in card.needs else None
        if "neutral" in card.needs and neutral is None:
            raise FerbenchError(
                f"method '{card.name}' needs a neutral face of every subject, and some training frames have none."
            )
        labels = Labels(fold.labels.rows, fold.labels.expression, fold.labels.subject, neutral)
        images = Images(prepared.images, device.device, 1 if device.device.type == "cuda" else config.trainer.devices)
        size, sampling = config.budget.batch_size, config.trainer.sampling
        batches = Batches(images, labels, config.augment, size, fold.key, sampling, place)
        return cls(registry, config, data, prepared, device, fold, method, backbone, batches)


@dataclass(frozen=True)
class Frames:
    """Frames that are not trained on, as rows of the prepared image array.

    Attributes:
        table: (M rows) their part of the frame table.
        rows: (M,), int64.
        labels: (M,), int64, class indices.
    """

    table: pd.DataFrame
    rows: torch.Tensor
    labels: torch.Tensor


class Fold:
    """The training, test and validation frames of one fold; the validation set may be empty."""

    def __init__(self, task: Task, labels: Labels, test: Frames, validation: Frames, key: tuple[object, ...]) -> None:
        self.task = task
        self.labels = labels
        self.test = test
        self.validation = validation
        self.key = key

    def faces(self, images: Images) -> Batch:
        """One training frame of each subject with each of its expressions."""
        pairs = pd.DataFrame({"s": self.labels.subject, "e": self.labels.expression}).drop_duplicates()
        chosen = torch.tensor(pairs.index.to_numpy())
        device = images.device
        return Batch(
            images(self.labels.rows[chosen]),
            self.labels.expression[chosen].to(device),
            self.labels.subject[chosen].to(device),
        )

    @classmethod
    def make(cls, trial: Trial, data: Data, prepared: Prepared) -> Fold:
        """The fold of a trial. Raises FerbenchError if it has no readable training frames or no readable test frames."""
        usable = data.selected["frame_id"].isin(prepared.rows)
        sides = data.sides(trial.fold)
        train, test, apart = (data.selected[side & usable] for side in (sides.trained, sides.tested, sides.validation))
        if train.empty or test.empty:
            raise FerbenchError(
                f"Fold {trial.fold} has {len(train)} training and {len(test)} test frames that can be read."
            )
        subjects = tuple(sorted(train["subject"].unique()))
        task = Task(data.card.expressions, subjects, trial.config["preparation"]["image_size"], trial.seed)
        neutral = neutral_frames(data.frames, train).map(prepared.rows)

        def rows(frames: pd.DataFrame) -> torch.Tensor:
            return torch.tensor(frames["frame_id"].map(prepared.rows).to_numpy(dtype=int))

        def classes(frames: pd.DataFrame) -> torch.Tensor:
            return _indices(frames["expression"], task.expressions)

        def unseen(frames: pd.DataFrame) -> Frames:
            return Frames(frames, rows(frames), classes(frames))

        labels = Labels(
            rows=rows(train),
            expression=classes(train),
            subject=_indices(train["subject"], subjects),
            neutral=None if neutral.isna().any() else torch.tensor(neutral.to_numpy(dtype=int)),
        )
        return cls(task, labels, unseen(test), unseen(apart), (trial.seed, digest(subjects)))


def _indices(values: pd.Series, names: tuple[str, ...]) -> torch.Tensor:
    """(N,), int64, the place of each value in `names`."""
    return torch.tensor(values.map({name: place for place, name in enumerate(names)}).to_numpy(dtype=int))


def build(registry: Registry, config: RunConfig, task: Task) -> tuple[MethodCard, Method, Backbone]:
    """The card of the method, the method with initial weights, and its backbone."""
    with task.init("backbone"):
        backbone = config.backbone.make(registry, BackboneCard, task.image_size)
    card = registry.get(MethodCard, config.method.name)
    with registry.blaming(card), own_random_state(derive_seed("construction", task.seed)):
        method = card.load()(task, backbone, card.settings(**config.method.settings))
    return card, method, backbone


def build_judges(registry: Registry, config: RunConfig, task: Task) -> Judges:
    """The judges with initial weights."""
    return Judges(task, lambda: config.backbone.make(registry, BackboneCard, task.image_size))
