"""A record printed, and the command that makes it again."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ferbench.config.compose import compose
from ferbench.plan.study import plan
from ferbench.records.store import Store
from ferbench.registry.loader import load_registry

Run = Callable[..., Any]


def test_the_printed_command_plans_the_same_trial(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    words = ("run", "method=degan", "ablation=no_identity_head+no_residue_loss", "augment.flip=0.25", "seeds=3", *smoke)
    assert ferbench(*words).status == 0
    ((record,), _) = Store(tmp_path / "results").scan()
    done = ferbench("show", record.trial.id[:6], tmp_path / "results")
    assert done.status == 0, done.err
    line = done.out.splitlines()[-1].strip()
    assert line.startswith("ferbench run ")
    registry = load_registry()
    (config,) = compose(registry, shlex.split(line)[2:])
    (trial,) = plan(registry, [config]).trials
    assert trial.id == record.trial.id


def test_what_is_shown(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    assert ferbench("run", "method=grl", *smoke).status == 0
    ((record,), _) = Store(tmp_path / "results").scan()
    out = ferbench("show", record.trial.id, tmp_path / "results").out
    assert f"{record.trial.id}  grl · fold 0 · seed 0" in out
    assert "tested on   5 subjects, fold 0 of 2" in out
    assert f"identity_leakage            {record.metrics['identity_leakage']:.3f}   (untrained " in out
    assert "training        8 steps, trained" in out
    assert f"{'images_seen':<18}128" in out


def test_names_that_are_none(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    assert ferbench("run", "method=grl", "seeds=[0,1]", *smoke).status == 0
    none = ferbench("show", "zzzz", tmp_path / "results")
    assert (none.status, "There is no record 'zzzz'" in none.err) == (2, True)
    many = ferbench("show", "", tmp_path / "results")
    assert (many.status, "is the beginning of 2 records" in many.err) == (2, True)
