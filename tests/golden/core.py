"""What the core computes between a frame and a record."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional as F

from ferbench import (
    Backbone,
    BackboneCard,
    Batch,
    Clock,
    Dataset,
    Group,
    Method,
    MethodCard,
    Stage,
    Task,
    Update,
)
from ferbench.config.schema import Augment, Fit, Mode, Preparation, Sampling
from ferbench.data.batches import DRAWS, Batches, Images, Labels, apply, transforms
from ferbench.data.cache import prepare
from ferbench.data.frames import needed_frames, neutral_frames
from ferbench.evaluation import inference
from ferbench.evaluation.judges import Judges
from ferbench.hashing import digest
from ferbench.interfaces.method import Synthesizes, derive_seed
from ferbench.protocols.select import SELECTIONS, select
from ferbench.registry.loader import load_registry
from ferbench.training.loop import Device, Training, steps_of_test_curve, train
from tests.golden import inputs, methods
from tests.golden.methods import default_float64
from tests.golden.summary import exact, norm_and_projection, rounded

Values = dict[str, Any]


def seeds() -> Values:
    """What every random draw comes from."""
    parts: list[tuple[object, ...]] = [("init", 0, "backbone"), ("step", 1, "training", 5), ("order", 0, "x", 2)]
    found: Values = {"/".join(map(str, part)): derive_seed(*part) for part in parts}
    with Task(("a", "b"), ("s",), 32, 3).init("part"):
        found["float32/init"] = [rounded(float(x)) for x in torch.rand(4)]
    return found | {"digest": digest({"b": [1, 2.5, None], "a": "Ünal"})}


def selection() -> Values:
    """Which frames count, and the neutral face of each."""
    card, _, frames, selected = inputs.synthfaces()
    found: Values = {rule: _names(select(frames, card, rule)["frame_id"]) for rule in SELECTIONS}
    mixed = frames.drop(index=frames.index[(frames["phase"] == "neutral") & (frames["expression"] == "anger")])
    found |= {
        "neutral": _names(neutral_frames(frames, selected)),
        "neutral of another": _names(neutral_frames(mixed, selected)),
    }
    return found | {"needed": _names(needed_frames(frames, selected))}


def _names(names: pd.Series | list[str]) -> str:
    listed = [str(name) for name in names]
    return f"{len(listed)} from {listed[0]} to {listed[-1]}, {digest(listed)}"


def order() -> Values:
    """The frames of the first steps, over the end of an epoch."""
    made = inputs.batches(neutral=True)
    found: Values = {}
    for step in (0, 1, 5, 40):
        batch = made(step)
        found[f"step {step}/expression"] = " ".join(map(str, batch.expression.tolist()))
        found[f"step {step}/subject"] = " ".join(map(str, batch.subject.tolist()))
    found["levels"] = exact(((inputs.batch(1, neutral=True).images + 1) * 127.5).round().to(torch.uint8))
    neutral = inputs.batch(1, neutral=True).neutral
    assert neutral is not None
    return found | {"levels of neutral": exact(((neutral + 1) * 127.5).round().to(torch.uint8))}


def balanced_order() -> Values:
    """The same with class-balanced sampling, of a fold in which the classes have 12, 9, 6, 3, 1, 0 and 0 frames."""
    labels = inputs.batches(neutral=False).labels
    most = {0: 12, 1: 9, 2: 6, 3: 3, 4: 1}
    kept = torch.cat([(labels.expression == code).nonzero()[:count, 0] for code, count in most.items()]).sort().values
    few = Labels(labels.rows[kept], labels.expression[kept], labels.subject[kept])
    array, _ = inputs.pixels()
    made = Batches(
        Images(array, inputs.CPU), few, Augment(), inputs.BATCH, (inputs.SEED, "golden"), Sampling.class_balanced
    )
    return {
        f"step {step}/{name}": " ".join(map(str, values))
        for step in (0, 1, 5, 40)
        for name, values in _labels(made(step))
    }


def _labels(batch: Batch) -> list[tuple[str, list[int]]]:
    return [("expression", batch.expression.tolist()), ("subject", batch.subject.tolist())]


def augmentation() -> Values:
    """What is drawn, and an augmented batch."""
    theta, light = transforms(Augment(), torch.rand((DRAWS, 4), generator=torch.Generator().manual_seed(0)))
    batch = inputs.batches(neutral=True)(3)
    assert batch.neutral is not None
    found: Values = {"float32/light": [rounded(v) for v in light.flatten().tolist()]}
    found |= {
        f"float32/theta of image {i}": [rounded(v) for v in row.flatten().tolist()] for i, row in enumerate(theta)
    }
    one = {"flip": 1.0, "rotation": 20.0, "zoom": 0.3, "shift": 0.2, "brightness": 0.4, "contrast": 0.4}
    for name, value in one.items():
        theta, light = transforms(
            Augment(**{**dict.fromkeys(one, 0.0), name: value}),
            torch.rand((DRAWS, 16), generator=torch.Generator().manual_seed(1)),
        )
        changed = apply(inputs.batch(0).images.float(), theta, light)
        found[f"float32/{name} alone"] = norm_and_projection(changed)
    return found | {
        "float32/images": norm_and_projection(batch.images),
        "float32/neutral": norm_and_projection(batch.neutral),
    }


class _Frames(Dataset):
    """Two frames of synthfaces, one cut to 32 x 24 and one to 20 x 32, with landmarks."""

    def frames(self) -> pd.DataFrame:
        rows = [(str(i), "s", str(i), 0, "apex", "a") for i in range(2)]
        return pd.DataFrame(rows, columns=["frame_id", "subject", "sequence", "position", "phase", "expression"])

    def image(self, frame_id: str) -> np.ndarray:
        array, _ = inputs.pixels()
        return array[5, :, 4:28] if frame_id == "0" else array[40, 6:26]

    def landmarks(self, frame_id: str) -> np.ndarray:
        places = np.array([[7.0, 12.0], [16.0, 11.0], [12.0, 16.0], [8.0, 21.0], [15.5, 20.0]])
        return places if frame_id == "0" else places * 0.5 + 3

    def fingerprint(self) -> str:
        return "golden"


def preparation() -> Values:
    """Every way from a frame to a square image: each fourth pixel of each fourth row, green."""
    ways = {f"resize {fit}": Preparation(24, Mode.resize, fit) for fit in Fit}
    ways |= {f"align {margin}": Preparation(24, Mode.align, margin=margin) for margin in (0.0, 0.2)}
    ways["larger"] = Preparation(48, Mode.resize, Fit.squash)
    found: Values = {}
    dataset = _Frames(None)
    frames = dataset.frames()
    with tempfile.TemporaryDirectory() as folder:
        for name, way in ways.items():
            images = prepare(dataset, name, frames, frames, way, Path(folder)).images
            for frame, image in enumerate(np.array(images)):
                found[f"levels/{name}/frame {frame}"] = image[::4, ::4, 1].flatten().tolist()
    return found


class _TwoGroups(Method):
    """Two linear maps with dropout, two optimisers, every option of the loop large enough to be seen."""

    def __init__(self, task: Task) -> None:
        super().__init__(task, None, None)  # type: ignore[arg-type]
        with task.init("first"):
            self.first = nn.Linear(48, 8)
        with task.init("second"):
            self.second = nn.Linear(8, len(task.expressions))

    def stages(self) -> list[Stage]:
        slow = Group([self.first], 0.02, (0.5, 0.9), weight_decay=0.5, schedule="cosine")
        return [Stage("stage", self.step, {"first": slow, "second": Group([self.second], 0.05)})]

    def step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        hidden = F.dropout(self.features(batch.images), 0.3)
        yield Update(
            "first",
            F.cross_entropy(self.second(hidden), batch.expression),
            {"progress": clock.progress.to(hidden)},
        )
        yield Update("second", F.cross_entropy(self.second(self.first(self._small(batch.images))), batch.expression))

    def _small(self, images: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(images, 8).flatten(1)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        return self.first(self._small(images)).tanh()

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        return self.second(self.features(images))


def loop() -> Values:
    """Optimiser, schedule, clipping, micro-batches, and the draws of a step."""
    found: Values = {}
    drawn = [inputs.batch(step) for step in range(methods.STEPS)]
    with default_float64():
        for name, more in {"plain": {}, "clipped": {"clip_norm": 0.1}, "accumulated": {"accumulate": 2}}.items():
            method = _TwoGroups(inputs.task())
            training = Training(drawn.__getitem__, Device(inputs.CPU, "fp32"), seed=1, **more)  # type: ignore[arg-type]
            (stage,) = method.stages()
            for _, loss, value in train(method, stage, methods.STEPS, training).losses:
                found.setdefault(f"{name}/loss/{loss}", []).append(rounded(value))
            for parameter, weights in method.named_parameters():
                found[f"{name}/weights/{parameter}"] = norm_and_projection(weights)
    return found | {"test curve": " ".join(map(str, sorted(steps_of_test_curve(100, 8, 5))))}


def judges() -> Values:
    """The networks that judge a method: their training, and what they and the floors say of faces that DE-GAN makes."""
    registry = load_registry()
    card = registry.get(BackboneCard, "convnet")

    def backbone() -> Backbone:
        return card.load()(card.settings(width=8), inputs.SIZE)

    drawn = [inputs.batch(step) for step in range(methods.STEPS)]
    training = Training(drawn.__getitem__, Device(inputs.CPU, "fp32"), seed=inputs.SEED)
    with default_float64():
        made = Judges(inputs.task(), backbone)
        found = methods.stage_values(made, made.stages()[0], training, by_tensor=False)
        degan = methods.make(registry.get(MethodCard, "degan"), {}).eval()
        images = drawn[0].images
        assert isinstance(degan, Synthesizes)
        syntheses = inference.transfers(
            degan,
            made,
            lambda rows: images[rows],
            torch.arange(len(images)),
            drawn[0].expression,
            drawn[1],
        )
        rows = torch.arange(len(images))
        floors = {
            "pixels": inference.over_batches(inference.raw_pixels, lambda part: images[part], rows),
            "pooled": inference.over_batches(inference.pooled(made.identity), lambda part: images[part], rows),
        }
    for name, values in {**vars(syntheses), **floors}.items():
        found[f"float32/{name}"] = norm_and_projection(torch.from_numpy(np.nan_to_num(values, nan=-1.0)))
    return found


def trial() -> Values:
    """`ferbench run` on synthfaces: which frames are tested, the losses of the first step, what a record holds."""
    with tempfile.TemporaryDirectory() as folder:
        _command(
            "run", "method=degan", "dataset=synthfaces", "dataset.subjects=6", "dataset.image_size=32", "dataset.takes=1",
            "budget=smoke", "backbone.width=8", "method.width=8", "trainer.device=cpu", "trainer.precision=fp32",
            "protocol=subject_kfold", "protocol.k=3", "protocol.folds=[1]", f"results_dir={folder}",
            environment={"FERBENCH_CACHE": f"{folder}/cache"},
        )  # fmt: skip
        (record,) = Path(folder).glob("*/record.json")
        losses = pd.read_parquet(record.parent / "losses.parquet")
        predictions = pd.read_parquet(record.parent / "predictions.parquet")
        floor = np.load(record.parent / "reference_untrained.npy")
        metrics = json.loads(record.read_text(encoding="utf-8"))["metrics"]
    first = losses[(losses["stage"] == "synthesis") & (losses["step"] == 0)]
    return {
        "tested": _names(predictions["frame_id"]),
        "steps": ", ".join(f"{stage} {part['step'].max() + 1}" for stage, part in losses.groupby("stage", sort=False)),
        "losses": " ".join(losses["loss"].unique()),
        "metrics": " ".join(sorted(metrics)),
        "float32/untrained features": norm_and_projection(torch.from_numpy(floor)),
    } | {
        f"float32/first step/{name}": [rounded(value)]
        for name, value in zip(first["loss"], first["value"], strict=True)
    }


def _command(*arguments: str, environment: Mapping[str, str]) -> None:
    """ferbench's own command line, silently, in this process."""
    from ferbench.cli.main import cli

    before = dict(os.environ)
    os.environ.update(environment)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as told:
            status = cli(list(arguments), standalone_mode=False)
        assert not status, told.getvalue()
    finally:
        os.environ.clear()
        os.environ.update(before)


PARTS: Mapping[str, Callable[[], Values]] = {
    "seeds": seeds,
    "selection": selection,
    "order": order,
    "balanced_order": balanced_order,
    "augmentation": augmentation,
    "preparation": preparation,
    "loop": loop,
    "judges": judges,
    "trial": trial,
}

TRAINED = {"judges", "trial"}
"""Parts that train a network of a plugin."""
