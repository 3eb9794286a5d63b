"""The settings of a study, with types and ranges, and which of them are part of a trial's identity."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar, get_type_hints

from ferbench.cards import added
from ferbench.errors import FerbenchError, not_a_choice
from ferbench.registry.component import Component


class Mode(StrEnum):
    """How a frame becomes a square image."""

    none = "none"
    resize = "resize"
    align = "align"


class Fit(StrEnum):
    """How an image is made square."""

    crop = "crop"
    pad = "pad"
    squash = "squash"


class BadFrames(StrEnum):
    """What happens if a frame cannot be read."""

    error = "error"
    skip = "skip"


class NoFace(StrEnum):
    """What happens if no face is found in a frame."""

    error = "error"
    resize = "resize"
    skip = "skip"


class Precision(StrEnum):
    """Floating point format of the forward and backward passes."""

    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"


class Choose(StrEnum):
    """Which weights a trial is tested with."""

    last = "last"
    validation = "validation"


class Sampling(StrEnum):
    """Which training frames a batch has."""

    uniform = "uniform"
    class_balanced = "class_balanced"


@dataclass
class Preparation:
    """How a frame becomes the square image that is cached.

    Attributes:
        image_size: width and height of the image in pixels, at least 16.
        mode: none (frames have the right size already), resize (made square as `fit` says, then resized) or align (a
            similarity transform maps eyes, nose and mouth to fixed positions).
        fit: crop (the largest square in the middle), pad (black borders) or squash (width and height scaled differently).
        bad_frames: error (a frame that cannot be read stops the study) or skip (it is left out and counted in the record).
        detector: face detector for mode=align, for frames for which the dataset has no landmarks;
            empty for the only one that is installed.
        margin: what an aligned image shows on each side beyond the crop that face recognition networks use, as a fraction of
            that crop's width; at least 0.
        no_face: if no face is found in a frame: error, resize (use it without alignment) or skip (leave it out). With resize
            and skip, the record counts and names these frames.
    """

    image_size: int = 96
    mode: Mode = Mode.resize
    fit: Fit = Fit.crop
    bad_frames: BadFrames = BadFrames.error
    detector: str = ""
    margin: float = 0.2
    no_face: NoFace = NoFace.error


@dataclass
class Augment:
    """Random augmentation of training images, drawn anew for each image and step. 0 turns a transformation off.

    Attributes:
        flip: probability of a horizontal flip, 0 to 1.
        rotation: largest rotation in either direction, in degrees.
        zoom: largest change of the size in either direction, as a fraction of it.
        shift: largest shift in x and in y, as a fraction of the width.
        brightness: largest change of the brightness, in units of half the range from black to white.
        contrast: largest change of the contrast, as a fraction of it.
    """

    flip: float = 0.5
    rotation: float = 8.0
    zoom: float = 0.08
    shift: float = 0.05
    brightness: float = 0.15
    contrast: float = 0.15


@dataclass
class Budget:
    """How long a trial trains.

    Attributes:
        name: name of the preset.
        steps: number of training steps of all stages together, at least 1.
        batch_size: images in a step, at least 2.
    """

    name: str = "paper"
    steps: int = 12000
    batch_size: int = 64


@dataclass
class Trainer:
    """How a trial trains.

    Attributes:
        device: auto (a GPU if there is one, else the CPU), cpu, cuda, cuda:1 ...
        devices: how many GPUs train one trial together (on the CPU: processes), each with its part of every batch.
        precision: auto (bf16 where the hardware is faster in it, fp16 on GPUs that have no bf16, else fp32), fp32, bf16 or fp16
            (with scaled losses, on GPUs only).
        compile: whether to compile the networks with torch.compile.
        graph: auto (on CUDA, a step is recorded once and replayed, where that computes the same) or false.
        accumulate: number of micro-batches into which a batch, or a device's part of it, is divided to save memory; with devices,
            it must divide batch_size.
        clip_norm: largest L2 norm of an optimiser group's gradient; 0 turns clipping off.
        checkpoint_every: steps between two checkpoints, at least 1.
        sampling: uniform (every training frame is drawn equally often) or class_balanced (every class is, and within a class every
            frame).
        choose: last (the weights after the last step) or validation (of the epoch of the last stage with the highest accuracy on
            training subjects that are kept apart, see `protocol.validation`).
        patience: with choose=validation, epochs without a higher accuracy after which the last stage ends; 0 for none.
    """

    device: str = "auto"
    precision: Precision = Precision.auto
    compile: bool = False
    accumulate: int = 1
    clip_norm: float = 0.0
    checkpoint_every: int = 500
    sampling: Sampling = added(Sampling.uniform)
    graph: str = "auto"
    devices: int = 1
    choose: Choose = added(Choose.last)
    patience: int = added(0)


@dataclass
class Evaluation:
    """What is measured besides the method itself.

    Attributes:
        judges: training steps of the judges, as a fraction of budget.steps; 0 trains none. The judges are two backbones, for
            identity and for expression, trained once for each fold and seed. They give the upper bound of the identity leakage
            and evaluate synthesised faces.
        test_curve_points: how often the test accuracy is logged while the last stage trains, at most once an epoch; 0 turns it
            off. It is never used to choose a model. It shows by how much choosing the best epoch on the test set would
            overestimate the accuracy.
    """

    judges: float = 0.5
    test_curve_points: int = 20


@dataclass
class TrialLimits:
    """What a trial may take.

    Attributes:
        timeout: seconds after which a trial, or the training of a stage that several trials share, is ended as failed; 0 for no
            limit.
    """

    timeout: float = 0.0


@dataclass
class RunConfig:
    """The configuration of one study.

    Attributes:
        dataset, method, backbone, protocol, executor: the components, each a name with settings.
        test_dataset: a second dataset for tests across datasets: `dataset` is trained on, `test_dataset` is tested.
        extra_dataset: another dataset that the method is trained on too, in the stages whose cards say so. It is never tested.
        tracker: where the numbers of trials go besides their records; None for nowhere.
        preparation, augment, budget, trainer, evaluation, trial: the sections of settings, see their classes.
        ablation: "none" (the full method), an ablation on the method's card, several joined by '+', or "all".
        seeds: random seeds; each trial is run once for each of them.
        results_dir: folder for records.
        cache_dir: folder for prepared images; empty for the default, see `ferbench.files.cache_folder`.
    """

    dataset: Component
    method: Component
    backbone: Component
    protocol: Component
    executor: Component
    test_dataset: Component | None = None
    extra_dataset: Component | None = None
    tracker: Component | None = None
    preparation: Preparation = field(default_factory=Preparation)
    augment: Augment = field(default_factory=Augment)
    budget: Budget = field(default_factory=Budget)
    trainer: Trainer = field(default_factory=Trainer)
    evaluation: Evaluation = field(default_factory=Evaluation)
    trial: TrialLimits = field(default_factory=TrialLimits)
    ablation: str = "none"
    seeds: list[int] = field(default_factory=lambda: [0])
    results_dir: str = "results"
    cache_dir: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The configuration as dicts, lists, strings and numbers. A component is a dict of its name and settings; {} is none."""
        values = dict(vars(self))
        for name in SECTIONS:
            values[name] = dataclasses.asdict(values[name])
        for name in COMPONENTS:
            values[name] = {} if values[name] is None else values[name].to_dict()
        return copy.deepcopy(values)


COMPONENTS = ("dataset", "method", "backbone", "protocol", "executor", "test_dataset", "extra_dataset", "tracker")

SECTIONS: Mapping[str, type] = {
    "preparation": Preparation,
    "augment": Augment,
    "budget": Budget,
    "trainer": Trainer,
    "evaluation": Evaluation,
    "trial": TrialLimits,
}

# A test checks that every setting is in exactly one of these two collections.
# The settings in COUNTS are part of a trial's identity, from which its name is computed.
COUNTS = frozenset(
    {
        "dataset", "test_dataset", "extra_dataset", "method", "backbone", "protocol", "preparation", "augment", "seeds",
        "budget.steps", "budget.batch_size", "trainer.precision", "trainer.accumulate", "trainer.clip_norm",
        "trainer.sampling", "trainer.choose", "trainer.patience", "evaluation",
    }
)  # fmt: skip
DOES_NOT_COUNT = {
    "executor": "where a trial runs does not change its result",
    "tracker": "where the numbers of a trial go does not change them",
    "ablation": "a name for overrides of the method's settings, which are part of the identity",
    "budget.name": "a name for the other settings of the budget",
    "trainer.device": "stated in the record; results on different devices agree up to rounding",
    "trainer.devices": "who computes the parts of a batch; their number counts as trainer.accumulate, see `parts`",
    "trainer.compile": "changes speed; results agree up to rounding",
    "trainer.graph": "changes speed; a graph is used only where it computes the same",
    "trial.timeout": "a trial that ends in time is the same with any limit",
    "trainer.checkpoint_every": "resumed training gives bitwise equal weights",
    "results_dir": "a path",
    "cache_dir": "a path",
}


def parts(trainer: Trainer, synchronised: bool) -> int:
    """Into how many parts, each a batch of its own, a batch is divided: what counts of `accumulate` and `devices`.

    Args:
        synchronised: whether the devices compute as one, see `MethodCard`.
    """
    return trainer.accumulate * (1 if synchronised else trainer.devices)


E = TypeVar("E", bound=StrEnum)


def from_dict(values: Mapping[str, Any]) -> RunConfig:
    """The inverse of `RunConfig.to_dict`. It checks the ranges of the values.

    Raises:
        FerbenchError: a value is out of range.
    """
    fields: dict[str, Any] = dict(values)
    for name, kind in SECTIONS.items():
        fields[name] = _section(name, kind, values.get(name, {}))  # old records lack the newer sections
    for name in COMPONENTS:
        fields[name] = Component.from_dict(values[name]) if values.get(name) else None
    config = RunConfig(**fields)
    _check(config)
    return config


def _section(name: str, kind: type, values: Mapping[str, Any]) -> Any:
    options = choices(kind)
    return kind(**{k: _choice(f"{name}.{k}", v, options[k]) if k in options else v for k, v in values.items()})


def choices(kind: type) -> dict[str, type[StrEnum]]:
    """The enum of each field of a section that has one, by the name of the field."""
    hints = get_type_hints(kind)
    return {k: t for k, t in hints.items() if isinstance(t, type) and issubclass(t, StrEnum)}


def _choice(name: str, value: object, options: type[E]) -> E:
    try:
        return options(str(value))
    except ValueError as error:
        raise FerbenchError(not_a_choice(name, str(value), [str(option.value) for option in options])) from error


def _check(c: RunConfig) -> None:
    def at_least(name: str, value: float, low: float) -> None:
        if value < low:
            raise FerbenchError(f"{name} is {value}; it has to be at least {low}.")

    if c.trainer.graph not in ("auto", "false"):
        raise FerbenchError(not_a_choice("trainer.graph", c.trainer.graph, ("auto", "false")))
    at_least("preparation.image_size", c.preparation.image_size, 16)
    at_least("preparation.margin", c.preparation.margin, 0)
    at_least("budget.steps", c.budget.steps, 1)
    at_least("budget.batch_size", c.budget.batch_size, 2)
    at_least("trainer.accumulate", c.trainer.accumulate, 1)
    at_least("trainer.devices", c.trainer.devices, 1)
    at_least("trainer.clip_norm", c.trainer.clip_norm, 0)
    at_least("trainer.checkpoint_every", c.trainer.checkpoint_every, 1)
    at_least("trainer.patience", c.trainer.patience, 0)
    if c.trainer.choose is Choose.validation and not c.protocol.settings.get("validation"):
        raise FerbenchError(
            "trainer.choose=validation chooses by the accuracy on training subjects that are kept apart, and protocol.validation "
            "is 0. Type protocol.validation=0.2 too."
        )
    if c.trainer.patience and c.trainer.choose is Choose.last:
        raise FerbenchError(
            f"trainer.patience={c.trainer.patience} ends a training by the accuracy on validation subjects. Type "
            "trainer.choose=validation protocol.validation=0.2 too."
        )
    at_least("trial.timeout", c.trial.timeout, 0)
    at_least("evaluation.judges", c.evaluation.judges, 0)
    at_least("evaluation.test_curve_points", c.evaluation.test_curve_points, 0)
    if c.budget.batch_size % c.trainer.accumulate:
        raise FerbenchError(
            f"trainer.accumulate={c.trainer.accumulate} does not divide budget.batch_size={c.budget.batch_size}."
        )
    if c.trainer.devices > 1:
        _check_devices(c.trainer, c.budget.batch_size)
    for f in dataclasses.fields(c.augment):
        at_least(f"augment.{f.name}", getattr(c.augment, f.name), 0)


def _check_devices(trainer: Trainer, batch_size: int) -> None:
    devices, accumulate = trainer.devices, trainer.accumulate
    if ":" in trainer.device:
        raise FerbenchError(
            f"trainer.device={trainer.device} is one GPU, and trainer.devices={devices} asks for {devices}. Type "
            "trainer.device=cuda; CUDA_VISIBLE_DEVICES=1,3 chooses GPUs."
        )
    if batch_size % (devices * accumulate) or batch_size < 2 * devices * accumulate:
        parts = f"{devices} devices" + (f" x {accumulate} micro-batches" if accumulate > 1 else "")
        raise FerbenchError(
            f"budget.batch_size={batch_size} cannot be divided into equal parts of 2 or more images for {parts}; "
            f"budget.batch_size={max(2, round(batch_size / (devices * accumulate))) * devices * accumulate} can."
        )
