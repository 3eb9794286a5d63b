"""Setup of a trial: data on the device, and networks with initial weights."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd
import torch

from ferbench.cards import WEIGHTS, MethodCard, StageCard
from ferbench.config.schema import RunConfig, from_dict
from ferbench.data.batches import Batches, Images, Labels, WithExtra, batches_for
from ferbench.data.cache import Prepared
from ferbench.data.extra import Extra
from ferbench.data.frames import clip_frames, factor_columns, neutral_frames
from ferbench.data.load import Data, load_data, prepare_data
from ferbench.errors import FerbenchError
from ferbench.evaluation.judges import Judges
from ferbench.hashing import digest
from ferbench.interfaces.backbone import Backbone
from ferbench.interfaces.method import Batch, Method, Synthesizes, Task, derive_seed
from ferbench.interfaces.replicas import ALONE, Place
from ferbench.randomness import own_random_state
from ferbench.records.schema import Trial
from ferbench.registry.loader import Registry, load_registry
from ferbench.training.loop import Device
from ferbench.training.weights import digest_of, make_backbone


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
    extra: Batches | None = None
    """The batches of the extra dataset, and its prepared images; None for none."""
    prepared_extra: Prepared | None = None
    start: str = ""
    """Digest of the weights that the backbone started from; empty for random ones."""
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
        prepared_extra = None if data.extra is None else prepare_data(registry, data.extra, config)
        fold = Fold.make(trial, data, prepared, registry.get(MethodCard, config.method.name), prepared_extra)
        expected = str(trial.identity.backbone.settings.get(WEIGHTS) or "")
        card, method, backbone = build(registry, config, fold.task, expected)
        start = digest_of(backbone) if backbone.pretraining else ""
        if fold.task.clip and isinstance(method, Synthesizes):
            raise FerbenchError(
                f"method '{card.name}' takes clips and synthesises faces; what it synthesises cannot be measured. Leave out one."
            )
        method.to(device.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        backbone.to(device.device)

        def batches(found: Prepared, labels: Labels, key: tuple[object, ...], what: str) -> Batches:
            if "neutral" not in card.needs:
                labels = replace(labels, neutral=None)
            elif labels.neutral is None:
                raise FerbenchError(
                    f"method '{card.name}' needs a neutral face of every subject, and some {what} have none."
                )
            copies = 1 if device.device.type == "cuda" else config.trainer.devices
            images, size = Images(found.images, device.device, copies), config.budget.batch_size
            return Batches(images, labels, config.augment, size, key, config.trainer.sampling, place)

        own = batches(prepared, fold.labels, fold.key, "training frames")
        extra = None
        if prepared_extra is not None and fold.extra is not None:
            extra = batches(prepared_extra, fold.extra, ("extra", *fold.key), "frames of the extra dataset")
        return cls(registry, config, data, prepared, device, fold, method, backbone, own, extra, prepared_extra, start)

    def batches_of(self, stage: StageCard) -> Batches | WithExtra:
        """The batches of a stage."""
        return batches_for(stage.data, self.batches, self.extra)

    @property
    def stage_cards(self) -> list[StageCard]:
        """The cards of the stages that are trained."""
        return self.card.stages_with(extra=self.extra is not None)

    @property
    def card(self) -> MethodCard:
        """The card of the method."""
        return self.registry.get(MethodCard, self.config.method.name)


@dataclass(frozen=True)
class Frames:
    """Frames that are not trained on, as rows of the prepared image array.

    Attributes:
        table: (M rows) their part of the frame table.
        rows: (M,), int64.
        labels: (M,), int64, class indices.
        clip: (M, T), int64, rows of the frames of their clips; None for single images.
    """

    table: pd.DataFrame
    rows: torch.Tensor
    labels: torch.Tensor
    clip: torch.Tensor | None = None

    @property
    def seen(self) -> torch.Tensor:
        """What a method is given of them: rows of images, or of clips."""
        return self.rows if self.clip is None else self.clip


class Fold:
    """The training, test and validation frames of one fold; the validation set may be empty."""

    def __init__(
        self,
        task: Task,
        labels: Labels,
        test: Frames,
        validation: Frames,
        key: tuple[object, ...],
        extra: Labels | None = None,
    ) -> None:
        self.task = task
        self.extra = extra
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
    def make(
        cls, trial: Trial, data: Data, prepared: Prepared, card: MethodCard, extra: Prepared | None = None
    ) -> Fold:
        """The fold of a trial.

        Args:
            card: of the method.
            extra: the images of the extra dataset, where there is one.

        Raises:
            FerbenchError: it has no readable training frames, test frames or frames of the extra dataset, or lacks what the method
                is trained on.
        """
        usable = data.selected["frame_id"].isin(prepared.rows)
        sides = data.sides(trial.fold)
        train, test, apart = (data.selected[side & usable] for side in (sides.trained, sides.tested, sides.validation))
        if train.empty or test.empty:
            raise FerbenchError(
                f"Fold {trial.fold} has {len(train)} training and {len(test)} test frames that can be read."
            )
        size = trial.config["preparation"]["image_size"]
        clip = card.clip_length(trial.config["method"])
        task = task_of(data, train, card, size, trial.seed, clip)
        extra_labels = None
        if extra is not None and data.extra is not None:
            others = data.extra_of(trial.fold)
            others = others[others["frame_id"].isin(extra.rows)]
            if others.empty:
                raise FerbenchError(f"No frame of extra_dataset={data.extra.card.name} can be read.")
            theirs = task_of(data.extra, others, card, size, trial.seed, clip)
            task, extra_labels = replace(task, extra=theirs), labels_of(data.extra, others, extra, theirs)

        def rows(frames: pd.DataFrame) -> torch.Tensor:
            return torch.tensor(frames["frame_id"].map(prepared.rows).to_numpy(dtype=int))

        def classes(frames: pd.DataFrame) -> torch.Tensor:
            return _indices(frames["expression"], task.expressions)

        def unseen(frames: pd.DataFrame) -> Frames:
            return Frames(frames, rows(frames), classes(frames), clip_rows(data, frames, prepared, clip))

        labels = labels_of(data, train, prepared, task)
        tested, validated = unseen(test), unseen(apart)
        if labels.clip is not None and tested.clip is not None:
            check_clips(card, data, clip, labels.clip, tested.clip)
        return cls(task, labels, tested, validated, (trial.seed, digest(task.subjects)), extra_labels)


def labels_of(source: Data | Extra, train: pd.DataFrame, prepared: Prepared, task: Task) -> Labels:
    """Rows and labels of frames that are trained on, rows of the frame table of `source`."""
    faces = neutral_frames(source.frames, train)
    neutral = faces.map(prepared.rows)
    sequences = faces.map(source.frames.set_index("frame_id")["sequence"])
    return Labels(
        rows=torch.tensor(train["frame_id"].map(prepared.rows).to_numpy(dtype=int)),
        expression=_indices(train["expression"], task.expressions),
        subject=_indices(train["subject"], task.subjects),
        neutral=None if neutral.isna().any() else torch.tensor(neutral.to_numpy(dtype=int)),
        own_neutral=torch.tensor((sequences == train["sequence"]).to_numpy(dtype=bool)),
        neutral_class=task.expressions.index("neutral") if "neutral" in task.expressions else -1,
        factors={name: factor_values(train[name], levels) for name, levels in task.factors.items()},
        clip=clip_rows(source, train, prepared, task.clip),
    )


def clip_rows(source: Data | Extra, frames: pd.DataFrame, prepared: Prepared, clip: int) -> torch.Tensor | None:
    """(M, T), rows of the clips of frames that can be read, which are rows of the frame table of `source`; None for `clip` 0. For a
    frame of a clip that cannot be read, the one before it stands in, at the beginning the one after it."""
    if not clip:
        return None
    found = pd.DataFrame(clip_frames(source.frames, frames, clip)).apply(lambda column: column.map(prepared.rows))
    return torch.tensor(found.ffill(axis=1).bfill(axis=1).to_numpy(dtype=int))


def clip_note(clip: torch.Tensor) -> str:
    """A sentence for the record on the clips of the test frames."""
    distinct = torch.tensor([len(row.unique()) for row in clip])
    few = int((distinct < clip.shape[1]).sum())
    return (
        f"Clips of {clip.shape[1]} frames, from the first of a sequence to the one that is labelled; {few} of {len(clip)} test "
        "clips have fewer, which repeat."
    )


def check_clips(card: MethodCard, data: Data, length: int, trained: torch.Tensor, tested: torch.Tensor) -> None:
    """Raise FerbenchError if no sequence has more than one frame, or clips of both sides have frames in common."""
    if length > 1 and not any(bool((clip != clip[:, :1]).any()) for clip in (trained, tested)):
        raise FerbenchError(
            f"method '{card.name}' reads clips of {length} frames, and the frames of dataset '{data.card.name}' are single images: "
            "no sequence has a frame before the one that is labelled."
        )
    if common := len(set(trained.unique().tolist()) & set(tested.unique().tolist())):
        raise FerbenchError(
            f"{common} frames are in clips of the training set and of the test set: protocol={data.protocol.name} has frames of "
            f"one sequence on both sides, and method '{card.name}' would be tested on what it was trained on. Split by subject."
        )


def task_of(
    data: Data | Extra, train: pd.DataFrame, card: MethodCard, image_size: int, seed: int, clip: int = 0
) -> Task:
    """What a method is to learn from some training frames, rows of the frame table. Raises as `factor_columns`.

    Args:
        clip: number of frames of a clip; 0 for single images.
    """
    columns = factor_columns(train, card, data.card.name)
    counts = train["expression"].value_counts()
    return Task(
        data.card.expressions,
        tuple(sorted(train["subject"].unique())),
        image_size,
        seed,
        class_counts=tuple(int(counts.get(name, 0)) for name in data.card.expressions),
        clip=clip,
        unlabelled=int(train["expression"].isna().sum()),
        factors={
            name: () if is_number else tuple(sorted(train[name].dropna().astype(str).unique()))
            for name, is_number in columns.items()
        },
    )


def factor_values(column: pd.Series, levels: tuple[str, ...]) -> torch.Tensor:
    """A column as `Batch.factors` has it. `levels`: () for numbers."""
    if not levels:
        return torch.tensor(column.to_numpy(dtype="float32", na_value=float("nan")))
    places = {name: place for place, name in enumerate(levels)}
    return torch.tensor([-1 if pd.isna(value) else places[str(value)] for value in column])


def _indices(values: pd.Series, names: tuple[str, ...]) -> torch.Tensor:
    """(N,), int64, the place of each value in `names`; -1 where there is none."""
    places = values.map({name: place for place, name in enumerate(names)}).astype("float64").fillna(-1)
    return torch.tensor(places.to_numpy(dtype=int))


def build(registry: Registry, config: RunConfig, task: Task, expected: str = "") -> tuple[MethodCard, Method, Backbone]:
    """The card of the method, the method with initial weights, and its backbone.

    Args:
        expected: digest of the file with the backbone's weights when the trial was planned; "" if it was not, or has none.
    """
    with task.init("backbone"):
        backbone = make_backbone(registry, config.backbone, task.image_size, expected)
    card = registry.get(MethodCard, config.method.name)
    seed = derive_seed("construction", task.seed)
    with registry.blaming(card), own_random_state(seed):
        method = card.load()(task, backbone, card.settings(**config.method.settings))
        if torch.default_generator.initial_seed() != seed:
            raise FerbenchError(
                f"The constructor of method '{card.name}' sets torch's random seed (torch.manual_seed or the like), so that the "
                "trials of all seeds would draw the same numbers. Leave it out, and create layers inside "
                "`with task.init(part):`, which is seeded."
            )
    return card, method, backbone


def build_judges(registry: Registry, config: RunConfig, task: Task) -> Judges:
    """The judges with initial weights."""
    return Judges(task, lambda: make_backbone(registry, config.backbone, task.image_size))
