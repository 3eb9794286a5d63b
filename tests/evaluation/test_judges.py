"""Judges: trained once a fold, apart from every method, and what they say of made faces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from ferbench.evaluation import inference
from ferbench.interfaces.method import Batch, Synthesizes
from ferbench.records.store import Store
from ferbench.training.loop import steps_of_test_curve, train
from ferbench_baselines.cross_entropy import CrossEntropy
from tests.plugins.steps import make


def test_judges_are_trained_once_for_all_methods_of_a_fold(
    ferbench: Callable[..., Any], smoke: tuple[str, ...], tmp_path: Path
) -> None:
    done = ferbench("run", "--multirun", "method=degan,cross_entropy", *smoke)
    assert done.status == 0, done.err
    records, _ = Store(tmp_path / "results").scan()
    assert len({r.trial.judges.key for r in records if r.trial.judges}) == 1
    stages = [p for p in (tmp_path / "results" / ".stages").iterdir() if p.is_dir()]
    assert len(stages) == 2 + 1 + 1, "DE-GAN's two, cross-entropy's, and the judges"
    (degan,) = (r for r in records if r.trial.method == "degan")
    (plain,) = (r for r in records if r.trial.method == "cross_entropy")
    for name in ("identity_consistency", "expression_consistency", "judge_accuracy"):
        assert 0 <= (degan.metrics[name] or 0) <= 1
        assert name not in plain.metrics
    assert plain.metrics["identity_leakage/identity"] == degan.metrics["identity_leakage/identity"]
    made = np.load(tmp_path / "results" / degan.trial.id / "syntheses.npz")
    frames = pd.read_parquet(tmp_path / "results" / degan.trial.id / "predictions.parquet")
    assert len(made["expression"]) == len(frames)
    assert made["identity_logits"].shape == (len(frames), 5), "five of ten subjects are trained on"


def test_without_judges(ferbench: Callable[..., Any], smoke: tuple[str, ...], tmp_path: Path) -> None:
    done = ferbench("run", "method=degan", *smoke, "evaluation.judges=0", "evaluation.test_curve_points=0")
    assert done.status == 0, done.err
    ((record,), _) = Store(tmp_path / "results").scan()
    assert record.trial.judges is None
    assert "identity_leakage/identity" not in record.metrics
    assert "identity_consistency" not in record.metrics
    assert "optimism" not in record.metrics


def test_looks_are_written_down_and_change_nothing(
    ferbench: Callable[..., Any], smoke: tuple[str, ...], tmp_path: Path
) -> None:
    weights = []
    for looks in (0, 4):
        assert (
            ferbench(
                "run", "method=cross_entropy", *smoke, f"evaluation.test_curve_points={looks}", "budget.steps=20"
            ).status
            == 0
        )
    for record in Store(tmp_path / "results").scan()[0]:
        weights.append(record.files["weights.safetensors"])
        table = pd.read_parquet(tmp_path / "results" / record.trial.id / "losses.parquet")
        seen = table[table["loss"] == "test/accuracy"]
        if len(seen):
            assert seen["step"].max() == 19
            assert seen["value"].iloc[-1] == pytest.approx(record.metrics["accuracy"])
            assert record.metrics["best_epoch_accuracy"] == pytest.approx(seen["value"].max())
            best, last = record.metrics["best_epoch_accuracy"], record.metrics["accuracy"]
            assert best is not None
            assert last is not None
            assert record.metrics["optimism"] == pytest.approx(best - last, abs=1e-7)
    assert len(weights) == 2
    assert len(set(weights)) == 1, "the same weights, bit for bit"


@pytest.mark.parametrize(
    ("steps", "looks", "epoch", "wanted"),
    [(100, 4, 10, {25, 50, 75, 100}), (100, 20, 40, {33, 67, 100}), (5, 20, 100, {5}), (8, 20, 1, set(range(1, 9)))],
)
def test_moments(steps: int, looks: int, epoch: int, wanted: set[int]) -> None:
    assert steps_of_test_curve(steps, looks, epoch) == wanted


def test_a_look_sees_the_network_in_eval_mode_and_leaves_it_in_training() -> None:
    from ferbench.testing import training

    method = make("cross_entropy")
    assert isinstance(method, CrossEntropy)
    seen: list[bool] = []

    def measure_test() -> dict[str, float]:
        seen.append(any(module.training for module in method.modules()))
        return {"test/accuracy": 0.5}

    made = training()
    made.measure_test, made.test_curve_steps = measure_test, frozenset({1, 3})
    modes: list[bool] = []
    batches = made.batches

    def watched(step: int) -> Batch:
        modes.append(method.backbone.training)
        return batches(step)

    made.batches = watched
    trained = train(method, method.stages()[0], 4, made)
    assert seen == [False, False]
    assert modes == [True] * 4
    assert [(step, value) for step, name, value in trained.losses if name == "test/accuracy"] == [(0, 0.5), (2, 0.5)]


def test_transfers_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 'method' that copies the frame of the identity: the judges see the subject, PSNR is infinite where the subject's frame
    of that expression is the first one, and finite elsewhere."""
    method = make("tergan")
    monkeypatch.setattr(method, "synthesize", lambda images, identity: identity.images, raising=False)
    assert isinstance(method, Synthesizes)
    random = torch.Generator().manual_seed(0)
    faces = torch.rand((4, 3, 32, 32), generator=random) * 2 - 1
    train_ = Batch(faces, torch.tensor([0, 1, 0, 2]), torch.tensor([0, 0, 1, 1]))

    class Judges:
        def identity_logits(self, images: torch.Tensor) -> torch.Tensor:
            distance = ((images[:, None] - faces[None]) ** 2).mean((2, 3, 4))
            owner = train_.subject[distance.argmin(1)]
            return torch.nn.functional.one_hot(owner, 2).float()

        def expression_features(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean((2, 3))

        def logits(self, images: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.one_hot(torch.zeros(len(images), dtype=torch.long), 3).float()

    made = inference.transfers(
        method, Judges(), lambda rows: faces[rows], torch.tensor([0, 1, 2]), torch.tensor([0, 1, 2]), train_
    )
    assert made.subject.tolist() == [0, 1, 0]
    assert (made.identity_logits.argmax(1) == made.subject).all()
    assert np.isinf(made.psnr[0]), "the first frame of subject 0 shows expression 0"
    assert np.isnan(made.psnr[1]), "subject 1 has no frame of expression 1"
    assert np.isnan(made.psnr[2]), "subject 0 has no frame of expression 2"
    assert made.ssim[0] == pytest.approx(1, abs=1e-4)
