"""Records as trials leave them, made directly."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ferbench.records.identity import ComponentIdentity, DatasetIdentity, Identity
from ferbench.records.schema import Record, StageNode, Trial

Make = Callable[..., Record]


@pytest.fixture(scope="session")
def make() -> Make:
    """make(method, fold, right): a record whose two test subjects have `right` of 10 frames right."""

    def build(
        method: str = "m",
        fold: int = 0,
        right: int = 8,
        seed: int = 0,
        variant: str = "full",
        dataset: str = "made",
        folds: int = 2,
        version: int = 1,
        steps: int = 10,
        metrics: dict[str, float | None] | None = None,
        settings: dict[str, object] | None = None,
    ) -> Record:
        config = {
            "dataset": {"name": dataset}, "method": {"name": method}, "backbone": {"name": "net"}, "budget": {"name": "demo"},
        }  # fmt: skip
        identity = Identity(
            dataset=DatasetIdentity(dataset, 1, "f" * 16),
            protocol=ComponentIdentity("folds", 1, {"frames": "all"}),
            test_subjects=(f"P{2 * fold}", f"P{2 * fold + 1}"),
            train_subjects=tuple(f"P{i}" for i in range(2 * folds) if i // 2 != fold),
            frames_digest="0",
            backbone=ComponentIdentity("net", 1),
            method=ComponentIdentity(method, version, settings or {"v": variant}),
            stage_steps={},
            seed=seed,
            preparation={"image_size": 32},
            budget={"steps": steps, "batch_size": 4},
        )
        name = f"{method}-{variant}-{dataset}-{fold}-{seed}-{version}-{steps}"
        trial = Trial(name, config, identity, variant, fold, folds, seed, (StageNode("s", "k", steps),))
        subjects = [f"P{2 * fold}", f"P{2 * fold + 1}"]
        table = [[right, 10 - right], [0, 0]]
        found = {"accuracy": right / 10, "identity_leakage": 0.1 * fold, **(metrics or {})}
        return Record(
            trial, ("a", "b"), tuple(subjects), found, dict.fromkeys(subjects, table), dict.fromkeys(subjects, table),
            provenance={"seconds": 1.0},
        )  # fmt: skip

    return build
