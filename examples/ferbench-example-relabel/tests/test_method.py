"""Losses are the paper's, and labels change where they should and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from ferbench_example_relabel.method import in_low_group, ranking_loss, relabelled
from PIL import Image
from safetensors.torch import load_file

import ferbench
from ferbench import Clock
from ferbench.testing import make_batch, method_named

NAMES = ("anger", "happiness", "sadness")


def test_logits_are_multiplied_by_the_importance_of_their_image() -> None:
    method = method_named("scn")
    images = make_batch(method.task).images
    features = method.features(images)
    alpha = 1 / (1 + (-(features @ method.importance.weight[0]) - method.importance.bias).exp())
    plain = method_named("scn", weighting=False).logits(images)
    assert torch.allclose(method.logits(images), alpha[:, None] * plain, atol=1e-6)


def test_the_ranking_by_hand() -> None:
    """Four of six in the high group: 0.2 - (0.75 - 0.6), then groups that are further apart than the margin."""
    alpha = torch.tensor([0.6, 0.8, 0.7, 0.9, 0.6, 0.6])
    assert in_low_group(alpha, 0.7).sum() == 2
    assert ranking_loss(alpha, 0.7, 0.2).item() == pytest.approx(0.05)
    assert ranking_loss(alpha, 0.7, 0.1).item() == 0


def test_the_ranking_lifts_the_high_group_and_lowers_the_low_one() -> None:
    alpha = torch.tensor([0.5, 0.6, 0.4, 0.7], requires_grad=True)
    ranking_loss(alpha, 0.5, 0.5).backward()
    assert alpha.grad is not None
    assert alpha.grad.tolist() == [0.5, -0.5, 0.5, -0.5]


def test_labels_change_in_the_low_group_by_the_margin() -> None:
    chances = torch.tensor([[0.2, 0.7, 0.1], [0.2, 0.7, 0.1], [0.45, 0.5, 0.05], [0.1, 0.8, 0.1]])
    low = torch.tensor([True, False, True, True])
    found = relabelled(torch.tensor([0, 0, 0, 1]), chances, low, 0.2)
    assert found.tolist() == [1, 0, 0, 1], "one changes; high group; too close; is the most probable one already"


def labels_after(progress: float, index: list[int], chances: list[list[float]], given: list[int]) -> list[int]:
    """The labels of all frames after a step in which the images of the batch have these numbers and labels."""
    method = method_named("scn", high_share=0.0)
    batch = make_batch(method.task, count=len(index))
    batch = replace(batch, index=torch.tensor(index), expression=torch.tensor(given))
    outputs = {"chances": torch.tensor(chances), "alpha": torch.full((len(index),), 0.5)}
    method.relabel(batch, outputs, Clock(int(100 * progress), 100))
    labels: list[int] = method.labels.tolist()
    return labels


SURE = [[0.1, 0.9, 0.0], [0.1, 0.0, 0.9], [0.9, 0.0, 0.1]]


def test_labels_are_kept_by_the_number_of_the_frame() -> None:
    found = labels_after(0.5, [4, 0, 2], SURE, [0, 2, 0])
    assert found[4] == 1
    assert {label for frame, label in enumerate(found) if frame != 4} == {-1}, "the labels of the dataset"


def test_labels_change_after_a_part_of_the_stage() -> None:
    assert set(labels_after(0.12, [4, 0, 2], SURE, [0, 0, 2])) == {-1}
    assert set(labels_after(0.13, [4, 0, 2], SURE, [0, 0, 2])) == {-1, 0, 1, 2}


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0]])
def test_a_frame_that_is_drawn_twice_has_one_label_whatever_the_order(order: list[int]) -> None:
    """Of the frame 3, drawn with two erased rectangles, one says 1 and the other nothing new."""
    chances = [[0.1, 0.9, 0.0], [0.9, 0.0, 0.1], [0.9, 0.1, 0.0]]
    found = labels_after(0.5, [[3, 3, 5][k] for k in order], [chances[k] for k in order], [0, 0, 0])
    assert found[3] == 1
    assert found.count(-1) == len(found) - 1


def test_later_steps_learn_the_changed_labels() -> None:
    method = method_named("scn", ranking_weight=0.0)
    batch = make_batch(method.task)
    assert batch.index is not None
    method.labels[batch.index[0]] = (batch.expression[0] + 1) % len(method.task.expressions)
    labels = batch.expression.clone()
    labels[batch.index == batch.index[0]] = method.labels[batch.index[0]]
    update = next(method.training_step(batch, Clock(0, 10)))
    chances = method.logits(batch.images).softmax(1).gather(1, labels[:, None])
    assert update.loss.item() == pytest.approx(-chances.log().mean().item(), abs=1e-6)


@pytest.fixture
def frames(tmp_path: Path) -> pd.DataFrame:
    """Pictures of one color for each expression, in a table in which the label of every tenth one is wrong."""
    random, rows = np.random.default_rng(0), []
    for split, count in (("train", 72), ("test", 36)):
        for number in range(count):
            true, name = number % 3, f"{split}{number:02}"
            pixels = random.integers(96, 160, (32, 32, 3))
            pixels[..., true] += 80
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{name}.png")
            label = (true + (number % 10 == 0)) % 3
            rows.append((f"{name}.png", split, f"{split}{number // 9}", NAMES[label], label, true))
    table = pd.DataFrame(rows, columns=["path", "split", "subject", "expression", "label", "true"])
    table[["path", "split", "subject", "expression"]].to_csv(tmp_path / "frames.csv", index=False)
    return table


def test_wrong_labels_are_mended_in_training_and_nowhere_else(frames: pd.DataFrame, tmp_path: Path) -> None:
    before = (tmp_path / "frames.csv").read_bytes()
    run = ferbench.run(
        method={"name": "scn", "relabel_from": 0.5, "high_share": 0.2},
        dataset={"name": "table", "file": str(tmp_path / "frames.csv")},
        protocol="fixed",
        backbone={"name": "convnet", "width": 16},
        preparation={"image_size": 32},
        budget={"name": "smoke", "steps": 80, "batch_size": 24},
        augment=dict.fromkeys(("rotation", "zoom", "shift"), 0.0),
        evaluation={"judges": 0, "test_curve_points": 0},
        results_dir=str(tmp_path / "results"),
        progress=ferbench.Progress(),
    )
    (trial,) = run.frame.to_dict("records")
    labels = load_file(Path(trial["folder"]) / "weights.safetensors")["labels"].numpy()
    train, test = (frames[frames.split == split] for split in ("train", "test"))
    wrong = (train.label != train.true).to_numpy()
    assert wrong.sum() == 8
    assert np.array_equal(np.where(labels < 0, train.label, labels), train.true)
    assert trial["accuracy"] == pytest.approx((test.label == test.true).mean()), "judged by the labels of the table"
    assert (tmp_path / "frames.csv").read_bytes() == before


def test_ablations_leave_out_what_they_say() -> None:
    (full,) = method_named("scn").stages()
    assert full.after is not None
    assert len(full.transforms) == 1
    (stage,) = method_named("scn", relabel_from=1.0).stages()
    assert stage.after is None
    (stage,) = method_named("scn", erasing=0.0).stages()
    assert not stage.transforms
    method = method_named("scn", ranking_weight=0.0)
    update = next(method.training_step(make_batch(method.task), Clock(0, 10)))
    assert set(update.parts) == {"expression"}
