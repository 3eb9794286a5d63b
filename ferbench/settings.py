"""The settings of a study: typed, with their ranges, and each declared to count for a trial's identity or not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from ferbench.errors import FerbenchError


@dataclass
class Preparation:
    """From a frame to the square image that is stored in the cache.

    Attributes:
        image_size: width and height in pixels.
        mode: none (frames are of the right size and used as they are), resize (made square as `fit` says, then resized),
            or align (a similarity transform puts eyes, nose and mouth at fixed places).
        fit: crop (the largest square in the middle), pad (to a square, in black) or squash.
        bad_frames: a frame that cannot be read is an "error", or left out and counted ("skip").
        detector: what finds the landmarks, where the dataset ships none.
        margin: how much an aligned image shows around the crop that face recognisers use, as a fraction of its width on
            each side.
        no_face: a frame in which no face is found is an "error", resized as `fit` says ("resize"), or left out ("skip");
            it is counted and named in every case.
    """

    image_size: int = 96
    mode: str = "resize"
    fit: str = "crop"
    bad_frames: str = "error"
    detector: str = "uniface"
    margin: float = 0.2
    no_face: str = "error"


@dataclass
class Augment:
    """Random changes of training images, drawn once an image and step; 0 turns one off.

    Attributes:
        flip: probability of a mirror image.
        rotation: up to so many degrees either way.
        zoom: up to this fraction larger or smaller.
        shift: up to this fraction of the width, in x and y.
        brightness, contrast: up to this fraction more or less.
    """

    flip: float = 0.5
    rotation: float = 8.0
    zoom: float = 0.08
    shift: float = 0.05
    brightness: float = 0.15
    contrast: float = 0.15


@dataclass
class Budget:
    """How much a trial may train.

    Attributes:
        name: of the preset.
        steps: optimiser steps of all stages together.
        batch_size: images a step.
    """

    name: str = "paper"
    steps: int = 12000
    batch_size: int = 64


@dataclass
class Trainer:
    """How it trains.

    Attributes:
        device: auto (a GPU where there is one), cpu, cuda, cuda:1 ...
        precision: auto (bf16 where the hardware has it, else fp32), fp32 or bf16.
        compile: torch.compile the networks.
        accumulate: micro-batches a step; less memory, the same batch.
        clip_norm: largest norm of a group's gradient; 0 does not clip.
        checkpoint_every: steps between checkpoints.
    """

    device: str = "auto"
    precision: str = "auto"
    compile: bool = False
    accumulate: int = 1
    clip_norm: float = 0.0
    checkpoint_every: int = 500


@dataclass
class Evaluation:
    """What is measured besides the method itself.

    Attributes:
        judges: steps, as a fraction of budget.steps, with which the backbone is trained on identity and on expression, once a
            fold and seed: the ceiling of the leakage, and the judges of made faces. 0 trains none.
        looks: how often test accuracy is written down while the last stage trains, at most once an epoch. It is never used; it
            shows what choosing the best epoch on the test fold would have claimed. 0 turns it off.
    """

    judges: float = 0.5
    looks: int = 20


@dataclass
class RunConfig:
    """The configuration of one study.

    Attributes:
        dataset, method, backbone, protocol, executor: a component: its `name` and its settings.
        test_dataset: where it is given, `dataset` is trained on and this one is tested.
        ablation: "none" (the full method), a name on the method's card, several joined by '+', or "all".
        seed, seeds: of the trial; `seeds` runs several and then counts instead of `seed`.
        results_dir: where records go.
        cache_dir: where prepared images go; empty for the user's cache folder.
    """

    dataset: dict[str, Any] = field(default_factory=dict)
    method: dict[str, Any] = field(default_factory=dict)
    backbone: dict[str, Any] = field(default_factory=dict)
    protocol: dict[str, Any] = field(default_factory=dict)
    executor: dict[str, Any] = field(default_factory=dict)
    test_dataset: dict[str, Any] = field(default_factory=dict)
    preparation: Preparation = field(default_factory=Preparation)
    augment: Augment = field(default_factory=Augment)
    budget: Budget = field(default_factory=Budget)
    trainer: Trainer = field(default_factory=Trainer)
    evaluation: Evaluation = field(default_factory=Evaluation)
    ablation: str = "none"
    seed: int = 0
    seeds: list[int] = field(default_factory=list)
    results_dir: str = "results"
    cache_dir: str = ""

    def plain(self) -> dict[str, Any]:
        """As dicts, lists, strings and numbers."""
        return dataclasses.asdict(self)


SECTIONS: Mapping[str, type] = {
    "preparation": Preparation,
    "augment": Augment,
    "budget": Budget,
    "trainer": Trainer,
    "evaluation": Evaluation,
}

# Every field stands in exactly one of the two lists; a test holds that. What counts becomes part of a trial's name.
COUNTS = frozenset(
    {
        "dataset", "test_dataset", "method", "backbone", "protocol", "preparation", "augment", "seed",
        "budget.steps", "budget.batch_size", "trainer.precision", "trainer.accumulate", "trainer.clip_norm",
        "evaluation",
    }
)  # fmt: skip
DOES_NOT_COUNT = {
    "executor": "where a trial runs does not change what it finds",
    "ablation": "names overrides of the method's settings, which count",
    "seeds": "each trial has its own seed, which counts",
    "budget.name": "a name for the numbers beside it",
    "trainer.device": "recorded; results of unlike devices agree up to rounding",
    "trainer.compile": "changes speed; results agree up to rounding",
    "trainer.checkpoint_every": "resuming gives the same weights bit for bit",
    "results_dir": "a path",
    "cache_dir": "a path",
}


def from_plain(values: Mapping[str, Any]) -> RunConfig:
    """The inverse of `RunConfig.plain`, with the ranges checked.

    Raises:
        FerbenchError: a value is out of range.
    """
    values = dict(values)
    for name, kind in SECTIONS.items():
        values[name] = kind(**values.get(name, {}))  # records from before a section was there have none
    config = RunConfig(**values)
    _check(config)
    return config


def _check(c: RunConfig) -> None:
    def at_least(name: str, value: float, low: float) -> None:
        if value < low:
            raise FerbenchError(f"{name} is {value}; it has to be at least {low}.")

    def one_of(name: str, value: str, options: Sequence[str]) -> None:
        if value not in options:
            near = get_close_matches(value, options, 1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise FerbenchError(f"{name} is '{value}'; it can be {', '.join(options)}.{hint}")

    at_least("preparation.image_size", c.preparation.image_size, 16)
    one_of("preparation.fit", c.preparation.fit, ("crop", "pad", "squash"))
    one_of("preparation.bad_frames", c.preparation.bad_frames, ("error", "skip"))
    one_of("preparation.mode", c.preparation.mode, ("none", "resize", "align"))
    one_of("preparation.no_face", c.preparation.no_face, ("error", "resize", "skip"))
    at_least("preparation.margin", c.preparation.margin, 0)
    at_least("budget.steps", c.budget.steps, 1)
    at_least("budget.batch_size", c.budget.batch_size, 2)
    one_of("trainer.precision", c.trainer.precision, ("auto", "fp32", "bf16"))
    at_least("trainer.accumulate", c.trainer.accumulate, 1)
    at_least("trainer.clip_norm", c.trainer.clip_norm, 0)
    at_least("trainer.checkpoint_every", c.trainer.checkpoint_every, 1)
    at_least("evaluation.judges", c.evaluation.judges, 0)
    at_least("evaluation.looks", c.evaluation.looks, 0)
    if c.budget.batch_size % c.trainer.accumulate:
        raise FerbenchError(
            f"trainer.accumulate={c.trainer.accumulate} does not divide budget.batch_size={c.budget.batch_size}."
        )
    for f in dataclasses.fields(c.augment):
        at_least(f"augment.{f.name}", getattr(c.augment, f.name), 0)
