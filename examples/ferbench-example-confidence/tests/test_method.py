"""Losses and margins are the paper's, and labels of the extra dataset have no part in training."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ferbench_example_confidence.method import contrast, margins
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

import ferbench
from ferbench import Batch, Clock, Epoch, Method
from ferbench.testing import make_batch, method_named


def test_margins_by_hand() -> None:
    """Class 0 has two frames that are right and one that is wrong, class 1 one that is unsure, class 2 none that is right."""
    chances = torch.tensor([[1.0, 0, 0], [0.9, 0.1, 0], [0.1, 0.9, 0], [0.3, 0.5, 0.2], [0.6, 0, 0.4]])
    labels = torch.tensor([0, 0, 0, 1, 2])
    for epoch, share in ((3, 0.97 / (1 + math.exp(-3))), (40, 0.97)):
        assert margins(chances, labels, epoch, 0.8).tolist() == pytest.approx([0.95 * share, 0.8, 0.8])
    assert margins(chances, labels, 0, 0.1).tolist() == pytest.approx([0.95 * 0.485, 0.5 * 0.485, 0.1])


def test_before_training_all_margins_are_the_lowest() -> None:
    perfect = torch.eye(4)
    assert margins(perfect, torch.arange(4), 0, 0.8).tolist() == pytest.approx([0.8] * 4)


def test_the_contrast_by_hand() -> None:
    """Two chosen images, whose views are at right angles, and one between them that is not chosen."""
    first = torch.tensor([[2.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    second = torch.tensor([[3.0, 0.0], [1.0, 0.5], [0.0, 5.0]])
    found = contrast(first, second, torch.tensor([True, False, True]), temperature=0.5)
    assert found.item() == pytest.approx(-math.log(math.exp(2) / (math.exp(2) + 2)))


def test_the_contrast_is_cross_entropy_with_the_other_view_as_the_class() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(5, 8, generator=generator) for _ in range(2))
    views = F.normalize(torch.cat([first, second]), dim=1)
    similar = (views @ views.T / 0.07).fill_diagonal_(-torch.inf)
    expected = F.cross_entropy(similar, torch.arange(10).roll(5))
    assert torch.allclose(contrast(first, second, torch.ones(5, dtype=torch.bool), 0.07), expected)


@pytest.mark.parametrize("chosen", [[False] * 4, [True, False, False, False]])
def test_without_others_the_contrast_and_its_gradient_are_0(chosen: list[bool]) -> None:
    first = torch.randn(4, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    loss = contrast(first, first.flip(1), torch.tensor(chosen), 0.07)
    loss.backward()
    assert loss.item() == 0
    assert first.grad is not None
    assert first.grad.abs().max().item() == 0


def batch_of(method: Method) -> Batch:
    return make_batch(method.task, stage=method.stages()[0], data="both")


def terms_of(method: Method, batch: Batch, margin: float) -> dict[str, float]:
    """The terms of a step's loss, where the margin of every class is `margin`."""
    method.margins.fill_(margin)
    torch.manual_seed(0)
    update = next(iter(method.stages()[0].step(batch, Clock(0, 1))))
    return {name: term.item() for name, term in update.parts.items()}


def test_a_frame_is_above_the_margin_or_below() -> None:
    method = method_named("ada_cm")
    batch = batch_of(method)
    unsure, sure = terms_of(method, batch, 1.1), terms_of(method, batch, 0.0)
    assert (unsure["pseudo"], sure["contrast"]) == (0, 0)
    assert unsure["contrast"] > 0
    assert sure["pseudo"] == pytest.approx(math.log(6), abs=0.5), "an untrained classifier"
    assert unsure["labelled"] == sure["labelled"] == pytest.approx(0.5 * math.log(6), abs=0.25)


def test_without_unlabelled_frames_labels_alone_count() -> None:
    method = method_named("ada_cm", pseudo_weight=0.0, contrast_weight=0.0)
    assert set(terms_of(method, batch_of(method), 0.8)) == {"labelled"}
    assert method.stages()[0].before_epoch is None


def test_margins_are_learnt_from_the_average() -> None:
    method = method_named("ada_cm", least_margin=0.0)
    batches = [batch_of(method), make_batch(method.task, seed=1)]
    epoch = Epoch(40, 24, lambda: iter(batches))
    with torch.no_grad():
        method.average.classifier.weight.zero_()
        method.average.classifier.bias.copy_(torch.tensor([0.0, 0, 0, math.log(5), 0, 0]))
        method.stages()[0].before_epoch(epoch)
    assert method.margins.tolist() == pytest.approx([0, 0, 0, 0.97 * 5 / 10, 0, 0])


def gradients(method: Method, batch: Batch) -> list[Tensor]:
    torch.manual_seed(0)
    update = next(iter(method.stages()[0].step(batch, Clock(0, 1))))
    return list(torch.autograd.grad(update.loss, list(method.student.parameters())))


def test_labels_of_the_extra_batch_change_no_gradient() -> None:
    method = method_named("ada_cm", least_margin=0.2)
    batch = batch_of(method)
    assert batch.extra is not None
    others = batch.extra.expression.roll(1)
    assert not torch.equal(others, batch.extra.expression)
    relabelled = replace(batch, extra=replace(batch.extra, expression=others))
    assert all(map(torch.equal, gradients(method, batch), gradients(method, relabelled)))


def test_labels_of_the_extra_dataset_change_no_weight(tmp_path: Path) -> None:
    """Trained with the labels of a file, with others, and with none, the weights are the same, bit by bit."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 48, 48, 3), np.uint8)
    for number, each in enumerate(pixels):
        Image.fromarray(each).save(tmp_path / f"{number:02d}.png")
    names = ["anger", "fear", "happiness"]
    weights = []
    for kind in ("labelled", "permuted", "unlabelled"):
        shift = kind == "permuted"
        lines = [f"{n:02d}.png,S{n % 4}" + f",{names[(n + shift) % 3]}" * (kind != "unlabelled") for n in range(24)]
        header = "path,subject" + ",expression" * (kind != "unlabelled")
        table = tmp_path / f"{kind}.csv"
        table.write_text("\n".join([header, *lines]))
        run = ferbench.run(
            method="ada_cm",
            dataset={"name": "synthfaces", "subjects": 8, "image_size": 48},
            extra_dataset={"name": "table", "file": table, "unlabelled": True},
            protocol={"name": "subject_kfold", "k": 2, "folds": [0]},
            budget="smoke",
            evaluation={"judges": 0, "test_curve_points": 0},
            trainer={"device": "cpu"},
            results_dir=tmp_path / kind,
            progress=ferbench.Progress(),
        )
        assert not run.failures
        (stored,) = (tmp_path / kind).glob("*/weights.safetensors")
        weights.append(stored.read_bytes())
    assert weights[0] == weights[1] == weights[2]
