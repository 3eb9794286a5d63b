"""The leaderboard on many records, the probes on one trial, and whether intervals hold what they promise.

python -m pytest benchmarks/test_leaderboard.py --benchmark-only -q -s
"""

from __future__ import annotations

import dataclasses
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ferbench.evaluation.evaluators import expression_probe, leakage, selectivity, verification
from ferbench.interfaces.evaluator import Outputs
from ferbench.records.identity import ComponentIdentity, DatasetIdentity, Identity
from ferbench.records.schema import Record, StageNode, StageRun, Trial
from ferbench.records.store import Store

FOLDS, METHODS, SEEDS = 10, 100, 10
SUBJECTS, CLASSES = 80, ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
FRAMES = 3
"""Of each subject and class."""


def generated(method: int, fold: int, seed: int, random: np.random.Generator) -> Record:
    """A record as a run on Oulu-CASIA leaves one: eight test subjects with eighteen frames each."""
    name = f"{method:03d}{fold:02d}{seed:02d}".ljust(16, "0")
    names = [f"P{i:03d}" for i in range(SUBJECTS)]
    config: dict[str, Any] = {
        "dataset": {"name": "oulu", "root": "/data/OuluCASIA", "image": "PreProcess Img", "camera": "VL"},
        "method": {"name": f"method{method}", **{f"setting{i}": i * 0.1 for i in range(20)}},
        "backbone": {"name": "timm", "model": "resnet18", "pretrained": False},
        "budget": {"name": "paper", "steps": 12000, "batch_size": 64},
        "results_dir": "results",
        **{part: {f"key{i}": i for i in range(8)} for part in ("preparation", "augment", "trainer", "evaluation")},
    }
    identity = Identity(
        dataset=DatasetIdentity("oulu", 1, "f" * 16),
        protocol=ComponentIdentity("subject_10fold_ordered", 1, {"frames": "last_3", "assignment": 0}),
        test_subjects=tuple(names[fold::FOLDS]),
        train_subjects=tuple(s for i, s in enumerate(names) if i % FOLDS != fold),
        frames_digest="f" * 16,
        backbone=ComponentIdentity("timm", 1, config["backbone"]),
        method=ComponentIdentity(f"method{method}", 1, config["method"]),
        stage_steps={"training": 12000},
        seed=seed,
        preparation={"image_size": 96},
        augment={"flip": 0.5},
        budget={"steps": 12000, "batch_size": 64},
    )
    trial = Trial(name, config, identity, "full", fold, FOLDS, seed, (StageNode("training", "k" * 24, 12000),))
    skill = 0.5 + 0.4 * method / METHODS
    tables = {}
    for subject in names[fold::FOLDS]:
        table = np.zeros((len(CLASSES), len(CLASSES)), int)
        for label in range(len(CLASSES)):
            for right in random.random(FRAMES) < skill:
                table[label, label if right else random.integers(len(CLASSES))] += 1
        tables[subject] = table.tolist()
    metrics: dict[str, float | None] = {f"metric_{i}": float(random.random()) for i in range(20)}
    metrics |= {"accuracy": skill, "identity_leakage": 0.3, "expression_probe": 0.8}
    files = {f"file{i}.npy": "0" * 64 for i in range(9)}
    return Record(
        trial, CLASSES, tuple(tables), metrics, tables, tables, (),
        (StageRun("training", "k" * 24, 12000, 12000, 900.0, "0" * 64),),
        {"steps": 12000, "images_seen": 768000, "parameters": 11e6, "train_seconds": 900.0},
        {"began": "2026-01-01T00:00:00", "seconds": 900.0, "device": "NVIDIA H100", "versions": {"torch": "2.14"},
         "code": dict.fromkeys(("core", "method", "backbone", "dataset", "protocol"), "0123456789abcdef")},
        files,
        {"identity_leakage": {subject: float(random.random()) for subject in tables}},
    )  # fmt: skip


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    store = Store(folder)
    store.prepare()
    random = np.random.default_rng(0)
    for method in range(METHODS):
        for fold in range(FOLDS):
            for seed in range(SEEDS):
                record = generated(method, fold, seed, random)
                folder_ = store.path(record.trial.id)
                folder_.mkdir()
                (folder_ / "record.json").write_text(json.dumps(dataclasses.asdict(record), indent=1))
    return folder


def test_ten_thousand_records(benchmark: Any, many: Path) -> None:
    """`ferbench leaderboard`, as a process, from its start to its last line."""
    command = [sys.executable, "-m", "ferbench", "leaderboard", str(many), "--format", "csv"]

    def run() -> int:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return len(done.stdout.splitlines()) - 1

    rows = benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    assert rows == METHODS
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    seconds = benchmark.stats["median"]
    print(f"\n{FOLDS * METHODS * SEEDS} records: {seconds:.1f} s (goal 15), {memory:.2f} GiB (goal 1)")


def test_the_probes_of_one_trial(benchmark: Any) -> None:
    """1,440 embeddings of 256, as a fold with all frames of Oulu-CASIA's apexes could have."""
    random = np.random.default_rng(0)
    subjects, per = 80, 18
    s, e = np.repeat(np.arange(subjects), per), np.tile(np.repeat(np.arange(6), 3), subjects)
    codes = random.normal(size=(subjects, 256))[s] * 0.5 + random.normal(size=(6, 256))[e] * 0.5
    features = (codes + random.normal(size=(len(s), 256))).astype(np.float32)
    frames = pd.DataFrame(
        {
            "frame_id": np.arange(len(s)).astype(str),
            "subject": s.astype(str),
            "sequence": [f"{a}-{b}" for a, b in zip(s, e, strict=True)],
            "expression": np.array(CLASSES)[e],
        }
    )

    def probes() -> dict[str, float]:
        outputs = Outputs(frames, CLASSES, np.zeros((len(s), 6), np.float32), features)
        found: dict[str, float] = {}
        for evaluator in (leakage, expression_probe, selectivity, verification):
            found |= {name: round(value.mean, 3) for name, value in evaluator.evaluate(outputs).items()}
        return found

    found = benchmark.pedantic(probes, rounds=3, warmup_rounds=1)
    print(f"\nprobes of 1,440 x 256: {benchmark.stats['median']:.1f} s (goal 5); {found}")
