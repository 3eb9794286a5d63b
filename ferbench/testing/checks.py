"""Conformance checks: the rules that every method, backbone and dataset has to satisfy.

    import pytest
    from ferbench.testing.checks import checks_of

    @pytest.mark.parametrize("check", checks_of("method", "mine"), ids=str)
    def test_conformance(check):
        check.run()

A check that fails raises AssertionError with a sentence that says what is wrong.
"""

from __future__ import annotations

import copy
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ferbench.cards import BackboneCard, Card, DatasetCard, MethodCard
from ferbench.errors import FerbenchError, UnknownName
from ferbench.interfaces.backbone import Backbone
from ferbench.interfaces.dataset import BatchImages, Dataset, check_frames
from ferbench.interfaces.method import Batch, Clock, Identifies, Method, Stage, Synthesizes, Task
from ferbench.plan.variants import variant_name
from ferbench.registry.loader import Registry, load_registry
from ferbench.testing.randomness import construction_randomness, outputs_repeat, step_randomness
from ferbench.training.checkpoint import trained_state
from ferbench.training.graph import WARM, Rehearsal
from ferbench.training.loop import Device, Training, freeze_all_but, modules_of, train

EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
SUBJECTS = ("S1", "S2", "S3", "S4")
SIZE = 32
STEPS = 2
CPU = Device(torch.device("cpu"), "fp32")


@dataclass(frozen=True)
class Check:
    """A rule, applied to one component.

    Attributes:
        name: name of the rule.
        component: name of the component, with the ablation for variants of a method.
        run: raises AssertionError if the component breaks the rule.
    """

    name: str
    component: str
    run: Callable[[], None]

    def __str__(self) -> str:
        return f"{self.name}[{self.component}]"


def checks_of(kind: str, name: str, registry: Registry | None = None) -> list[Check]:
    """The checks of one component.

    Args:
        kind: "method", "backbone" or "dataset".
        name: name of the component.
        registry: installed plugins by default.

    Raises:
        UnknownName: there is no such component, or no checks for its kind.
    """
    registry = registry or load_registry()
    makers: dict[str, tuple[type[Card], Callable[[Registry, Any], Iterator[Check]]]] = {
        "method": (MethodCard, _method_checks),
        "backbone": (BackboneCard, _backbone_checks),
        "dataset": (DatasetCard, _dataset_checks),
    }
    if kind not in makers:
        raise UnknownName("kind of component with checks", kind, makers)
    card_kind, make = makers[kind]
    card = registry.get(card_kind, name)
    return [
        Check("card_without_torch", name, lambda: card_without_torch(registry, card)),
        *make(registry, card),
    ]


def card_without_torch(registry: Registry, card: Card) -> None:
    """The module with the cards can be imported without torch."""
    plugin = registry.owner(card)
    if plugin.distribution == "file":
        return  # a file given by --plugin may hold cards and code together
    code = (
        f"import sys\nfor name in ('torch', 'torchvision', 'timm'): sys.modules[name] = None\nimport {plugin.module}\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, f"{plugin.module} cannot be imported without torch:\n{done.stderr}"


# -- methods


def obstacles(card: MethodCard, make: Callable[[], Method]) -> dict[str, str]:
    """By stage, why its steps cannot be recorded as CUDA graphs, as far as it can be told without a GPU; "" where nothing stands in
    the way. Steps that cannot are run one by one, and no rule is broken."""
    found = {}
    method = make()
    for stage in method.stages():
        found[stage.name] = train(method, stage, 2 * WARM + 4, training(graph=Rehearsal())).obstacle
    return found


def make_task(seed: int = 0) -> Task:
    """A small task: 6 expressions, 4 subjects, images of 32 x 32 pixels."""
    return Task(EXPRESSIONS, SUBJECTS, SIZE, seed)


def make_batch(task: Task, count: int = 12, seed: int = 0, device: str = "cpu") -> Batch:
    """A batch of `count` random images with labels in which every expression and subject occurs (for `count` >= 6)."""
    random = torch.Generator().manual_seed(seed)
    images = torch.rand((count, 3, task.image_size, task.image_size), generator=random) * 2 - 1
    neutral = torch.rand(images.shape, generator=random) * 2 - 1
    index = torch.arange(count)
    return Batch(
        images.to(device),
        (index % len(task.expressions)).to(device),
        (index % len(task.subjects)).to(device),
        neutral.to(device),
    )


def make_method(
    registry: Registry, card: MethodCard, overrides: dict[str, object] | None = None, seed: int = 0
) -> Method:
    """A method with the small default backbone. `overrides` are settings that differ from the defaults."""
    task = make_task(seed)
    backbone_card = small_backbone(registry)
    with task.init("backbone"):
        backbone = backbone_card.load()(backbone_card.settings(**(backbone_card.small or {})), SIZE)
    method = card.load()(task, backbone, card.settings(**{**card.defaults(), **(overrides or {})}))
    assert isinstance(method, Method), f"{card.target} is not a subclass of ferbench.Method"
    return method


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
    return {"full": {}, **{name: dict(overrides) for name, overrides in card.ablations.items()}}


def training(seed: int = 0, device: Device = CPU, **more: Any) -> Training:
    """A training on random batches. `more` are further fields of Training."""
    task = make_task(seed)
    return Training(**{"batches": lambda step: make_batch(task, seed=step), "device": device, "seed": seed, **more})


def _method_checks(registry: Registry, card: MethodCard) -> Iterator[Check]:
    for variant, overrides in variants_of(card).items():
        name = card.name if variant == "full" else f"{card.name}-{variant}"

        def make(overrides: dict[str, object] = overrides) -> Method:
            return make_method(registry, card, overrides)

        for rule in (
            stages_match_card,
            step_on_cpu,
            step_on_meta,
            step_in_bf16,
            frozen_parts,
            outputs,
            outputs_repeat,
            own_randomness,
            construction_randomness,
            step_randomness,
        ):
            yield Check(rule.__name__, name, lambda rule=rule, make=make: rule(card, make))  # type: ignore[misc]
        if variant != "full":
            yield Check("ablation_name", name, lambda v=variant, o=overrides: ablation_name(card, v, o))  # type: ignore[misc]
            yield Check("stage_settings", name, lambda o=overrides: stage_settings(registry, card, o))  # type: ignore[misc]
    yield Check("resume", card.name, lambda: resume(card, lambda: make_method(registry, card)))
    yield Check("shared_weights", card.name, lambda: shared_weights(registry, card))


def stages_match_card(card: MethodCard, make: Callable[[], Method]) -> None:
    """stages() returns the stages of the card in the same order, and their groups have parameters and do not overlap."""
    method = make()
    names, stated = [s.name for s in method.stages()], [s.name for s in card.stages]
    assert names == stated, f"stages() returns {names}, but the card has {stated}"
    for stage in method.stages():
        freeze_all_but(method, stage)
        trained_state(method, modules_of(stage))


def step_on_cpu(card: MethodCard, make: Callable[[], Method]) -> None:
    """Training runs, its losses are finite, and it changes every parameter of every group."""
    method = make()
    for stage in method.stages():
        before = {name: p.detach().clone() for name, p in method.named_parameters()}
        losses = train(method, stage, STEPS, training()).losses
        assert losses, f"stage '{stage.name}' yields no update"
        own = trained_state(method, modules_of(stage))
        still = [n for n, p in method.named_parameters() if n in own and p.numel() and torch.equal(p, before[n])]
        assert not still, f"stage '{stage.name}' is to train {still}, but does not change them"


def step_on_meta(card: MethodCard, make: Callable[[], Method]) -> None:
    """A step and logits run on the meta device: no tensor is on a wrong device, and no value is copied to the CPU."""
    method = make().to("meta")
    batch = make_batch(method.task, device="meta")
    for stage in method.stages():
        parameters = freeze_all_but(method, stage)
        for update in stage.step(batch, Clock(0, STEPS)):
            update.loss.backward(inputs=parameters[update.group])
    method.eval()
    assert method.logits(batch.images).shape == (len(batch), len(EXPRESSIONS))


def step_in_bf16(card: MethodCard, make: Callable[[], Method]) -> None:
    """Training runs under bf16 autocast."""
    method = make()
    for stage in method.stages():
        train(method, stage, 1, training(device=Device(torch.device("cpu"), "bf16")))


def frozen_parts(card: MethodCard, make: Callable[[], Method]) -> None:
    """Modules that a stage does not train keep their weights and batch-norm statistics unchanged."""
    method = make()
    for stage in method.stages():
        before = {name: value.clone() for name, value in method.state_dict().items()}
        train(method, stage, STEPS, training())
        own = trained_state(method, modules_of(stage))
        moved = [n for n, v in method.state_dict().items() if n not in own and not torch.equal(v, before[n])]
        assert not moved, f"stage '{stage.name}' changes {moved}, which it does not train"


def outputs(card: MethodCard, make: Callable[[], Method]) -> None:
    """features, logits, identity_features and synthesize return finite tensors of the documented shapes."""
    method = make().eval()
    batch = make_batch(method.task)
    with torch.no_grad():
        features, logits = method.features(batch.images), method.logits(batch.images)
        assert features.ndim == 2, f"features has the shape {tuple(features.shape)}, not (B, D)"
        assert len(features) == len(batch), f"features returns {len(features)} rows for {len(batch)} images"
        assert logits.shape == (len(batch), len(EXPRESSIONS)), f"logits has the shape {tuple(logits.shape)}"
        assert features.isfinite().all(), "features has NaN or infinite values"
        assert logits.isfinite().all(), "logits has NaN or infinite values"
        if isinstance(method, Identifies):
            identity = method.identity_features(batch.images)
            assert identity.ndim == 2, f"identity_features has the shape {tuple(identity.shape)}, not (B, D)"
            assert identity.isfinite().all(), "identity_features has NaN or infinite values"
        if isinstance(method, Synthesizes):
            faces = method.synthesize(batch.images, make_batch(method.task, seed=1))
            assert faces.shape == batch.images.shape, f"synthesize returns the shape {tuple(faces.shape)}"
            assert faces.abs().max() <= 1, "synthesize returns values outside [-1, 1]"


def own_randomness(card: MethodCard, make: Callable[[], Method]) -> None:
    """Initial weights are drawn in `task.init`: they are reproducible, and the global random state is not changed."""
    state = torch.get_rng_state()
    first = make()
    assert torch.equal(state, torch.get_rng_state()), "creating the method draws from the global random generator"
    torch.manual_seed(1)
    second = make()
    differ = [n for n, v in second.state_dict().items() if not torch.equal(v, first.state_dict()[n])]
    assert not differ, f"{differ} have different initial weights each time; create them inside task.init(part)"


def ablation_name(card: MethodCard, variant: str, overrides: dict[str, object]) -> None:
    """The name of an ablation follows from its settings."""
    found = variant_name(card, {**card.defaults(), **overrides})
    assert found == variant, f"the settings of '{variant}' have the name '{found}'"


def stage_settings(registry: Registry, card: MethodCard, overrides: dict[str, object]) -> None:
    """A stage whose card does not list a setting of the ablation ends with the same weights with and without the ablation."""
    full, ablated = make_method(registry, card), make_method(registry, card, overrides)
    for stated, ours, theirs in zip(card.stages, full.stages(), ablated.stages(), strict=True):
        if stated.settings & set(overrides):
            return
        train(full, ours, STEPS, training())
        train(ablated, theirs, STEPS, training())
        a, b = trained_state(full, modules_of(ours)), trained_state(ablated, modules_of(theirs))
        assert a.keys() == b.keys(), (
            f"stage '{stated.name}' depends on {sorted(overrides)}, which its card does not state"
        )
        differ = [n for n in a if not torch.equal(a[n], b[n])]
        assert not differ, (
            f"stage '{stated.name}' depends on {sorted(overrides)}, which its card does not state: {differ}"
        )


def shared_weights(registry: Registry, card: MethodCard) -> None:
    """Layers of the same name and shape start from the same weights in all variants of a method."""

    def layers(method: Method) -> dict[str, dict[str, Tensor]]:
        return {name: dict(module.named_parameters(recurse=False)) for name, module in method.named_modules()}

    full = layers(make_method(registry, card))
    for variant, overrides in variants_of(card).items():
        for name, weights in layers(make_method(registry, card, overrides)).items():
            ours = full.get(name, {})
            if {n: w.shape for n, w in weights.items()} == {n: w.shape for n, w in ours.items()}:
                same = all(torch.equal(w, ours[n]) for n, w in weights.items())
                assert same, (
                    f"'{name}' has other initial weights in '{variant}' than in the full method; see Task.scope"
                )


def resume(card: MethodCard, make: Callable[[], Method]) -> None:
    """A stage that is resumed from a checkpoint ends with bitwise the same weights."""
    whole, broken = make(), make()
    with tempfile.TemporaryDirectory() as folder:
        for index, (ours, theirs) in enumerate(zip(whole.stages(), broken.stages(), strict=True)):
            train(whole, ours, 4, training())
            path = Path(folder) / f"{index}.safetensors"
            stopped = copy.deepcopy(broken)
            _train_and_stop(stopped, stopped.stages()[index], 4, 2, path)
            assert path.is_file(), "no checkpoint was written"
            train(broken, theirs, 4, training(checkpoint=path))
            differ = [n for n, v in broken.state_dict().items() if not torch.equal(v, whole.state_dict()[n])]
            assert not differ, f"stage '{ours.name}' resumed from a checkpoint differs in {differ}"


class _Stopped(Exception):
    pass


def _train_and_stop(method: Method, stage: Stage, steps: int, stop: int, path: Path) -> None:
    """Train `stop` steps and stop, so that there is a checkpoint."""
    interrupted = training(checkpoint=path, checkpoint_every=stop)

    def batches(step: int) -> Batch:
        if step == stop:
            raise _Stopped
        return make_batch(method.task, seed=step)

    interrupted.batches = batches
    try:
        train(method, stage, steps, interrupted)
    except _Stopped:
        return


# -- backbones


def _backbone_checks(registry: Registry, card: BackboneCard) -> Iterator[Check]:
    def make() -> Backbone:
        torch.manual_seed(0)
        backbone = card.load()(card.settings(), 64)
        assert isinstance(backbone, Backbone), f"{card.target} is not a subclass of ferbench.Backbone"
        return backbone

    for rule in (maps_as_stated, maps_on_meta):
        yield Check(rule.__name__, card.name, lambda rule=rule: rule(make()))  # type: ignore[misc]


def maps_as_stated(backbone: Backbone) -> None:
    """The maps have the channels and reductions that the backbone states, are ordered from fine to coarse, and are finite."""
    _check_maps(backbone, torch.rand(2, 3, 64, 64) * 2 - 1)


def maps_on_meta(backbone: Backbone) -> None:
    """The forward pass runs on the meta device."""
    _check_maps(backbone.to("meta"), torch.empty(2, 3, 64, 64, device="meta"))


def _check_maps(backbone: Backbone, images: Tensor) -> None:
    maps: Sequence[Tensor] = backbone.eval()(images)
    assert len(maps) == len(backbone.channels) == len(backbone.reductions), (
        f"{len(maps)} maps, {backbone.channels} stated"
    )
    assert list(backbone.reductions) == sorted(backbone.reductions), f"reductions {backbone.reductions} do not increase"
    for found, channels, reduction in zip(maps, backbone.channels, backbone.reductions, strict=True):
        expected = (2, channels, 64 // reduction, 64 // reduction)
        assert found.shape == expected, (
            f"a map has the shape {tuple(found.shape)}; channels and reductions state {expected}"
        )
        assert found.is_meta or found.isfinite().all(), "a map has NaN or infinite values"


# -- datasets


def _dataset_checks(registry: Registry, card: DatasetCard) -> Iterator[Check]:
    def make() -> Dataset:
        dataset = card.load()(card.settings())
        assert isinstance(dataset, Dataset), f"{card.target} is not a subclass of ferbench.Dataset"
        return dataset

    for rule in (dataset_frames, dataset_images, dataset_fingerprint):
        yield Check(rule.__name__, card.name, lambda rule=rule: rule(card, make()))  # type: ignore[misc]


def dataset_frames(card: DatasetCard, dataset: Dataset) -> None:
    """The frame table is valid and reproducible, and contains what the card says that the dataset provides."""
    frames = check_frames(dataset.frames(), card)
    assert frames.equals(check_frames(dataset.frames(), card)), "frames() returns a different table the second time"
    if "neutral" in card.provides:
        assert (frames["phase"] == "neutral").any(), "the card provides 'neutral', but no frame has that phase"
    if "subject" in card.provides:
        assert frames["subject"].nunique() > 1, "the card provides 'subject', but there is only one subject"


def dataset_images(card: DatasetCard, dataset: Dataset) -> None:
    """Images are (H, W, 3), uint8, and depend on the frame_id only, whether they are read singly or many at once."""
    chosen = dataset.frames()["frame_id"].iloc[[0, -1]].tolist()
    images = [dataset.image(frame) for frame in chosen]
    for image in images:
        assert image.dtype == np.uint8, f"an image is of type {image.dtype}"
        assert image.ndim == 3, f"an image has the shape {image.shape}"
        assert image.shape[2] == 3, f"an image has the shape {image.shape}"
    again = [dataset.image(frame) for frame in reversed(chosen)][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(images, again, strict=True)), (
        "an image depends on which images were read before"
    )
    if isinstance(dataset, BatchImages):
        both = dataset.images(chosen)
        same = [isinstance(b, np.ndarray) and np.array_equal(a, b) for a, b in zip(images, both, strict=True)]
        assert all(same), "images() differs from image()"


def dataset_fingerprint(card: DatasetCard, dataset: Dataset) -> None:
    """The fingerprint is reproducible."""
    assert dataset.fingerprint() == dataset.fingerprint(), "the fingerprint changes from one call to the next"
