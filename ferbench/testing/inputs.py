"""What conformance checks work on: a small task, random batches, a method on a small backbone, a training of a few steps, a frame
table, and the outputs of a trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from ferbench.cards import EXTRA, BackboneCard, MethodCard
from ferbench.data.batches import beside
from ferbench.errors import FerbenchError, UnknownName
from ferbench.interfaces.evaluator import Outputs, Syntheses
from ferbench.interfaces.method import PARTNERS, Batch, Method, Stage, Task
from ferbench.interfaces.sampling import PK
from ferbench.registry.loader import Registry, load_registry
from ferbench.testing.factors import columns_for, make_factors
from ferbench.training.loop import Device, Training

EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
SUBJECTS = ("S1", "S2", "S3", "S4")
SIZE = 32
STEPS = 2
FULL = "full"
"""Name of the variant without an ablation."""

CPU = Device(torch.device("cpu"), "fp32")

Make = Callable[[], Method]
"""Creates the variant of a method that is checked; each call creates an equal one."""


class NotTried(Exception):
    """A rule does not apply to a component, or not to the made-up data of a check. The text says why."""


def make_task(
    seed: int = 0, card: MethodCard | None = None, extra: bool | None = None, clip: int | None = None
) -> Task:
    """A small task: 6 expressions, 4 subjects, images of 32 x 32 pixels, and the factors and clips that a method asks for.

    Args:
        clip: number of frames of a clip; None for that of the card's defaults.
        extra: whether there is an extra dataset, of 5 expressions and 3 subjects; None for where the method takes one.
    """
    factors = {} if card is None else columns_for(card)
    extra = card is not None and card.takes_extra if extra is None else extra
    if clip is None:
        clip = 0 if card is None else card.clip_length({})
    without = 2 if card is not None and card.unlabelled else 0
    theirs = (
        Task(EXPRESSIONS[:5], SUBJECTS[:3], SIZE, seed, (2,) * 5, factors, clip=clip, unlabelled=without)
        if extra
        else None
    )
    return Task(EXPRESSIONS, SUBJECTS, SIZE, seed, (2,) * len(EXPRESSIONS), factors, theirs, clip)


def data_of(card: MethodCard | None, stage: Stage) -> str:
    """`StageCard.data` of a stage."""
    return next((stated.data for stated in card.stages if stated.name == stage.name), "train") if card else "train"


def make_batch(
    task: Task,
    count: int = 12,
    seed: int = 0,
    device: str = "cpu",
    stage: Stage | None = None,
    partner: bool = False,
    data: str = "train",
    parts: int = 1,
) -> Batch:
    """A batch of `count` random images with labels in which every expression and subject occurs (for `count` >= 6), composed as a
    stage asks.

    Args:
        partner: the batch is that of partners, some of which stand in for others.
        data: as `StageCard.data`.
        parts: number of micro-batches into which it is to be divided; a larger one is made where they would tear groups apart.
    """
    if data == EXTRA and task.extra is not None:
        return make_batch(task.extra, count, seed, device, stage, partner, parts=parts)
    frames = stage.batches.frames if stage is not None and isinstance(stage.batches, PK) else 1
    count = -(-count // (frames * parts)) * frames * parts
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand((count, *task.image_shape), generator=generator) * 2 - 1
    neutral = torch.rand((count, *task.image_shape[-3:]), generator=generator) * 2 - 1
    index = torch.arange(count)
    expression = index % len(task.expressions)
    if task.unlabelled:
        expression[2::3] = -1
    asked = [name for name in PARTNERS if stage is not None and getattr(stage, name) is not None]
    partners = {name: make_batch(task, count, seed + 1 + i, device, partner=True) for i, name in enumerate(asked)}
    images = images.to(device)
    for transform in stage.transforms if stage is not None else ():
        uniform = torch.rand((transform.draws, count), generator=generator).to(device)
        if task.clip:
            frames_of = transform(images.flatten(0, 1), uniform.repeat_interleave(task.clip, 1))
            images = frames_of.unflatten(0, (count, task.clip))
        else:
            images = transform(images, uniform)
    views = 1 if stage is None else stage.views
    return Batch(
        images,
        expression.to(device),
        (index // frames % len(task.subjects)).to(device),
        neutral.to(device),
        index.to(device),
        partners.get("second"),
        partners.get("third"),
        (index % 3 > 0).to(device) if partner else None,
        {name: values.to(device) for name, values in make_factors(task, count, generator).items()},
        (images, *(images.flip(0) for _ in range(views - 1))) if views > 1 else (),
        make_batch(task.extra, count, seed + 3, device, stage and beside(stage))
        if data == "both" and task.extra is not None
        else None,
    )


class Stopped(Exception):
    """Raised by `Drawn` at the step that it stops at."""


@dataclass(frozen=True)
class Drawn:
    """Random training batches, of 2 to an epoch, composed as a stage asks.

    Attributes:
        task: what is to be learnt.
        card: of the method, which says what data a stage is trained on; None for the training set.
        stage: the stage; None for plain batches.
        stop: the step whose batch raises `Stopped`; None for none.
        parts: as of `make_batch`.
    """

    task: Task
    card: MethodCard | None = None
    stage: Stage | None = None
    stop: int | None = None
    parts: int = 1
    frames = 24

    def __call__(self, step: int) -> Batch:
        if step == self.stop:
            raise Stopped
        return self._batch(step)

    def of(self, stage: Stage, accumulate: int = 1) -> Drawn:
        """The batches of a stage."""
        return replace(self, stage=stage, parts=accumulate)

    def epoch(self, step: int) -> int:
        """The number of the epoch in which a step is."""
        return step // 2

    def unaugmented(self) -> Iterator[Batch]:
        """Each training frame once."""
        return (self._batch(-1 - number) for number in range(2))

    def _batch(self, seed: int) -> Batch:
        data = "train" if self.stage is None else data_of(self.card, self.stage)
        return make_batch(self.task, seed=seed, stage=self.stage, data=data, parts=self.parts)


def make_method(
    registry: Registry,
    card: MethodCard,
    overrides: dict[str, object] | None = None,
    seed: int = 0,
    extra: bool | None = None,
) -> Method:
    """A method with the small default backbone.

    Args:
        overrides: settings that differ from the defaults.
        extra: as of `make_task`.

    Raises:
        UnknownName: the method has no such setting.
    """
    if unknown := sorted(set(overrides or {}) - set(card.setting_names)):
        raise UnknownName(f"setting of method '{card.name}'", unknown[0], card.setting_names)
    task = make_task(seed, card, extra, card.clip_length(overrides or {}))
    backbone_card = small_backbone(registry)
    with task.init("backbone"):
        backbone = backbone_card.load()(backbone_card.settings(**(backbone_card.small or {})), SIZE)
    method = card.load()(task, backbone, card.settings(**{**card.defaults(), **(overrides or {})}))
    assert isinstance(method, Method), f"{card.target} is not a subclass of ferbench.Method"
    return method


def method_named(name: str, seed: int = 0, **settings: object) -> Method:
    """An installed method with the small default backbone. `settings` are those that differ from the defaults."""
    registry = load_registry()
    return make_method(registry, registry.get(MethodCard, name), settings, seed)


def small_backbone(registry: Registry) -> BackboneCard:
    """The first installed backbone that is cheap enough for checks.

    Raises:
        FerbenchError: there is none.
    """
    found = next((card for card in registry.catalogue(BackboneCard).values() if card.small is not None), None)
    if found is None:
        raise FerbenchError(
            "Methods are checked on a small backbone, and none is installed: its card says small={...}."
        )
    return found


def variants_of(card: MethodCard) -> dict[str, dict[str, object]]:
    """The overrides of each variant by its name: "full" and the card's ablations."""
    return {FULL: {}, **{name: dict(overrides) for name, overrides in card.ablations.items()}}


def training(seed: int = 0, device: Device = CPU, card: MethodCard | None = None, **more: Any) -> Training:
    """A training on random batches, of the method of a card if there is one. `more` are further fields of Training."""
    return Training(**{"batches": Drawn(make_task(seed, card), card), "device": device, "seed": seed, **more})


def make_frames(subjects: int = 12, takes: int = 1) -> pd.DataFrame:
    """A frame table: for each subject and each of 6 expressions `takes` sequences of 3 frames. The column `split` has a quarter of
    the subjects in "test", the column `light` is a factor of variation."""
    rows = [
        (f"S{s:02d}/{e}/{t}/{f}", f"S{s:02d}", f"S{s:02d}/{e}/{t}", f, ("onset", "apex", "offset")[f], e)
        for s in range(subjects)
        for e in EXPRESSIONS
        for t in range(takes)
        for f in range(3)
    ]
    frames = pd.DataFrame(rows, columns=["frame_id", "subject", "sequence", "position", "phase", "expression"])
    tested = frames["subject"].str[1:].astype(int) % 4 == 3
    return frames.assign(split=np.where(tested, "test", "train"), light=np.arange(len(frames)) % 3)


def make_outputs(subjects: int = 6, least: bool = False) -> Outputs:
    """Outputs of a trial: features and logits that know something of expression and identity, estimates that know something of an
    action unit, intensity, valence and arousal, and noise.

    Args:
        subjects: number of test subjects, of 36 frames each.
        least: without references, identity features and synthesised faces, as of a method that has none.
    """
    generator = np.random.default_rng(0)
    frames = make_frames(subjects, takes=2)
    label = frames["expression"].map(EXPRESSIONS.index).to_numpy(dtype=int)
    expression, subject = np.eye(len(EXPRESSIONS))[label], np.eye(subjects)[frames["subject"].str[1:].astype(int)]

    def mixed(of_expression: float, of_subject: float, width: int) -> np.ndarray:
        parts: np.ndarray = of_expression * expression @ generator.normal(size=(expression.shape[1], width))
        parts = parts + of_subject * subject @ generator.normal(size=(subjects, width))
        return (parts + generator.normal(size=parts.shape)).astype(np.float32)

    logits = (1.5 * expression + generator.normal(size=expression.shape)).astype(np.float32)
    features = mixed(0.8, 0.4, 8)
    if least:
        return Outputs(frames, EXPRESSIONS, logits, features)
    references = {"pixels": mixed(0.3, 0.8, 12), "untrained": mixed(0.2, 0.5, 8), "identity": mixed(0.1, 1.5, 8)}
    faces = np.arange(len(frames)) % len(SUBJECTS)  # the training subject that each synthesised face shows
    real, psnr = generator.normal(size=(len(frames), 6)), generator.normal(20, 2, len(frames))
    psnr[::9] = np.nan
    syntheses = Syntheses(
        expression=label,
        subject=faces,
        expression_logits=2 * expression + generator.normal(size=expression.shape),
        identity_logits=2 * np.eye(len(SUBJECTS))[faces] + generator.normal(size=(len(frames), len(SUBJECTS))),
        features=real * 1.2 + generator.normal(0.3, 0.5, real.shape),
        real_features=real,
        real_expression_logits=2.5 * expression + generator.normal(size=expression.shape),
        psnr=psnr,
        ssim=np.where(np.isnan(psnr), np.nan, generator.uniform(0, 1, len(frames))),
    )
    true = {
        "au12": (label == EXPRESSIONS.index("happiness")).astype(float),
        "intensity": frames["position"].to_numpy() / 2,
        "valence": np.sin(label),
        "arousal": np.cos(label),
    }
    estimates = {
        name: np.clip(values + generator.normal(0, 0.3, len(frames)), 0 if name == "au12" else -1, 1).astype(np.float32)
        for name, values in true.items()
    }
    frames = frames.assign(**true)
    return Outputs(
        frames, EXPRESSIONS, logits, features, references, mixed(0.1, 1.0, 5), syntheses, estimates=estimates
    )
