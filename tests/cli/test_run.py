"""The main job from the command line, end to end, on real layouts; and what it says when something is wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ferbench.records.schema import Outcome, Record
from ferbench.records.store import Store
from ferbench.registry.code import core_functions
from ferbench.training import checkpoint as checkpoints
from tests.onehead import plugin

Run = Callable[..., Any]


def records(folder: Path) -> list[Record]:
    whole, damaged = Store(folder).scan()
    assert not damaged
    return whole


def by_variant(folder: Path) -> dict[str, Record]:
    return {r.trial.variant: r for r in records(folder)}


def test_the_main_job_on_oulus_layout(ferbench: Run, oulu_tree: Callable[..., Path], tmp_path: Path) -> None:
    results = tmp_path / "results"
    arguments = (
        "run", "method=degan", "dataset=oulu", f"dataset.root={oulu_tree(subjects=12)}", "budget=smoke",
        "protocol.folds=[0]", f"results_dir={results}",
    )  # fmt: skip
    done = ferbench(*arguments)
    assert done.status == 0, done.err
    assert "1 trials: 1 run" in done.out
    (record,) = records(results)
    assert record.trial.identity.test_subjects == ("P001", "P011")
    folder = results / record.trial.id
    assert {p.name for p in folder.iterdir() if p.is_file()} == {
        "record.json", "predictions.parquet", "embeddings.npy", "logits.npy", "reference_pixels.npy", "reference_untrained.npy",
        "reference_identity.npy", "syntheses.npz", "code.json",
        "weights.safetensors", "losses.parquet", "synthesis.npy",
    }  # fmt: skip
    predictions = pd.read_parquet(folder / "predictions.parquet")
    assert len(predictions) == 2 * 6 * 3
    assert np.allclose(predictions.filter(regex="^p_").sum(axis=1), 1, atol=1e-5)
    assert set(predictions["subject"]) == {"P001", "P011"}
    assert np.load(folder / "embeddings.npy").shape == (36, 256 + 4 * 64)
    names = set(pd.read_parquet(folder / "losses.parquet")["loss"])
    assert {"discriminator/identity", "discriminator/fake", "generator/reconstruction", "classifier/branch_3"} <= names
    for name in ("losses", "confusion", "synthesis"):
        with Image.open(folder / "figures" / f"{name}.png") as figure:
            assert min(figure.size) > 200
            assert record.trial.id in str(figure.text)  # type: ignore[attr-defined]
    assert {"accuracy", "macro_f1", "sequence_accuracy", "identity_leakage/untrained", "expression_probe"} <= set(
        record.metrics
    )

    again = ferbench(*arguments)
    assert again.status == 0
    assert "Nothing to run: all 1 trials are stored" in again.out

    board = ferbench("leaderboard", str(results))
    assert board.status == 0
    assert "degan" in board.out
    assert "1/10" in board.out


@pytest.mark.slow
def test_all_ablations_share_stage_one_where_they_may(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    done = ferbench("run", "method=degan", "ablation=all", *smoke)
    assert done.status == 0, done.err
    found = by_variant(tmp_path / "results")
    assert len(found) == 9
    alike = ("full", "no_residue_loss", "no_branch_losses", "no_disentangled")
    same = [found[v].stages[0] for v in alike]
    assert len({stage.weights for stage in same}) == 1
    assert sum(stage.steps_run for stage in same) == same[0].steps
    others = [found[v].stages[0] for v in found if v not in alike]
    assert len({stage.weights for stage in [*others, same[0]]}) == 6
    assert all(stage.steps_run == stage.steps for stage in others)
    assert "trained already" in done.out
    # without the identity head the network is another, but its other parts start alike and see the same images
    assert found["no_identity_head"].stages[0].key != same[0].key


def test_two_runs_are_bit_identical(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    tensors = []
    for name in ("a", "b"):
        assert ferbench("run", "method=degan", *smoke, f"results_dir={tmp_path / name}").status == 0
        (record,) = records(tmp_path / name)
        weights = checkpoints.load_tensors(tmp_path / name / record.trial.id / "weights.safetensors")
        tensors.append((weights, record.metrics, np.load(tmp_path / name / record.trial.id / "embeddings.npy")))
    (ours, metrics, embeddings), (theirs, other_metrics, other_embeddings) = tensors
    assert all(ours[name].equal(theirs[name]) for name in ours)
    assert metrics == other_metrics
    assert np.array_equal(embeddings, other_embeddings)


@pytest.mark.slow
def test_killed_and_run_again_ends_with_the_same_metrics(smoke: tuple[str, ...], tmp_path: Path) -> None:
    """kill -9 in the middle of stage 1; the same command goes on from the checkpoint."""
    budget = ("budget.steps=120", "trainer.checkpoint_every=5")
    command = [sys.executable, "-m", "ferbench", "run", "method=degan", *smoke, *budget]
    whole = subprocess.run([*command, f"results_dir={tmp_path / 'whole'}"], capture_output=True, text=True)
    assert whole.returncode == 0, whole.stderr
    killed = subprocess.Popen([*command, f"results_dir={tmp_path / 'killed'}"], stdout=subprocess.DEVNULL)
    stages = tmp_path / "killed" / ".stages"
    deadline = time.monotonic() + 120
    while not list(stages.glob("*.checkpoint.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert not [p for p in (tmp_path / "killed").iterdir() if not p.name.startswith(".")]
    resumed = subprocess.run([*command, f"results_dir={tmp_path / 'killed'}"], capture_output=True, text=True)
    assert resumed.returncode == 0, resumed.stderr
    assert "goes on at step" in resumed.stdout
    (a,), (b,) = records(tmp_path / "whole"), records(tmp_path / "killed")
    assert a.trial.id == b.trial.id
    assert a.metrics == b.metrics
    assert [s.weights for s in a.stages] == [s.weights for s in b.stages]
    assert b.stages[0].steps_run < b.stages[0].steps


def test_a_timm_backbone(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    done = ferbench("run", "method=degan", "backbone=timm", "backbone.model=resnet18", "budget.steps=2", *smoke)
    assert done.status == 0, done.err
    assert records(tmp_path / "results")[0].trial.config["backbone"]["model"] == "resnet18"


def test_several_methods_as_one_study(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    done = ferbench("run", "method=degan,cross_entropy", *smoke, "--multirun")
    assert done.status == 0, done.err
    assert "2 trials: 2 run" in done.out
    assert not (Path.cwd() / "multirun.yaml").exists()
    assert not (Path.cwd() / "outputs").exists()


def test_micro_batches_and_compile_do_not_change_what_runs(ferbench: Run, smoke: tuple[str, ...]) -> None:
    assert ferbench("run", "method=cross_entropy", *smoke, "trainer.accumulate=2", "trainer.clip_norm=1").status == 0


PLUGIN = plugin(
    "mine",
    """
loss = F.cross_entropy(self.logits(batch.images), batch.expression)
yield Update("all", loss * self.settings.factor)
""",
)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN)
    return path


def test_a_method_from_a_file(ferbench: Run, smoke: tuple[str, ...], mine: Path) -> None:
    done = ferbench("run", "--plugin", mine, "method=mine", *smoke)
    assert done.status == 0, done.err
    assert ferbench("check", "--plugin", mine, "mine", "--only", "step_on_meta[mine]").status == 0


@pytest.mark.slow
def test_one_that_fails_does_not_cost_the_others(
    ferbench: Run, smoke: tuple[str, ...], mine: Path, tmp_path: Path
) -> None:
    arguments = ("run", "--plugin", mine, "method=mine", "ablation=all", *smoke)
    done = ferbench(*arguments)
    assert done.status == 1
    assert "3 trials: 2 run, 1 failed" in done.out
    assert "The loss 'all' is inf in step 0 of stage 'training'" in done.out
    assert set(by_variant(tmp_path / "results")) == {"full", "twice"}
    (failure,) = Store(tmp_path / "results").failures()
    assert (failure.trial.variant, failure.status, failure.stage, failure.step) == ("broken", "failed", "training", 0)

    again = ferbench(*arguments)
    assert again.status == 1
    assert "2 stored before, 1 failed" in again.out
    assert "[1/" not in again.out
    retried = ferbench(*arguments, "--retry", "failed")
    assert retried.status == 1
    assert "[1/1] mine broken" in retried.out
    assert "[1/" not in ferbench(*arguments, "--retry", "oom").out
    board = ferbench("leaderboard", tmp_path / "results", "--include-ablations")
    assert "mine/broken: not ranked, 0 of 2 trials done, 1 failed" in " ".join(board.out.split())


def test_an_error_of_a_method_shows_its_traceback(ferbench: Run, smoke: tuple[str, ...], mine: Path) -> None:
    mine.write_text(PLUGIN.replace("loss * self.settings.factor", "loss * self.settings.no_such"))
    done = ferbench("run", "--plugin", mine, "method=mine", *smoke)
    assert done.status == 1
    assert "AttributeError: 'Settings' object has no attribute 'no_such'" in done.out
    assert "in training_step" in done.out


def test_out_of_memory_is_an_outcome_of_its_own(
    ferbench: Run, smoke: tuple[str, ...], mine: Path, tmp_path: Path
) -> None:
    mine.write_text(PLUGIN.replace("loss = ", "raise MemoryError\n        loss = "))
    done = ferbench("run", "--plugin", mine, "method=mine", *smoke)
    assert done.status == 1
    assert "Out of memory" in done.out
    assert "trainer.accumulate=4" in done.out
    (failure,) = Store(tmp_path / "results").failures()
    assert failure.status == "oom"


def test_a_full_disk_leaves_nothing_half_written(
    ferbench: Run, smoke: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **more: object) -> None:
        raise OSError(28, "No space left on device", "embeddings.npy")

    monkeypatch.setattr("ferbench.execution.trial.np.save", full)
    done = ferbench("run", "method=cross_entropy", *smoke)
    assert done.status == 1
    assert "could not be written: No space left on device (embeddings.npy)" in done.out
    results = tmp_path / "results"
    assert [p.name for p in results.iterdir() if not p.name.startswith(".")] == []
    assert list((results / ".drafts").iterdir()) == []
    monkeypatch.undo()
    assert Store(results).failures() == []
    again = ferbench("run", "method=cross_entropy", *smoke)
    assert again.status == 0
    assert "trained already" in again.out


def test_a_figure_that_cannot_be_drawn_costs_nothing(
    ferbench: Run, smoke: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ferbench.report.figures.trial.confusion", lambda record: 1 / 0)
    done = ferbench("run", "method=cross_entropy", *smoke)
    assert done.status == 0
    assert "could not be drawn: ZeroDivisionError" in done.out
    assert len(records(tmp_path / "results")) == 1


@pytest.mark.slow
def test_dry_run_says_what_is_known(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    plan = ferbench("run", "method=degan", "ablation=all", *smoke, "--dry-run")
    assert plan.status == 0
    assert "9 trials, 3 of 18 stage trainings shared" in " ".join(plan.out.split())
    assert not (tmp_path / "results").exists()
    assert ferbench("run", "method=degan", *smoke).status == 0
    assert "stored" in ferbench("run", "method=degan", *smoke, "--dry-run").out
    assert "synthesis is trained" in " ".join(
        ferbench("run", "method=degan", "ablation=no_disentangled", *smoke, "--dry-run").out.split()
    )
    told = " ".join(ferbench("run", "method=degan", "ablation=all", *smoke, "--dry-run").out.split())
    assert told.count("synthesis is trained") == 3, "what is stored is trained for every variant that shares it"


def test_a_dry_run_says_why_a_trial_is_new(
    ferbench: Run, smoke: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ferbench("run", "method=cross_entropy", *smoke).status == 0
    told = ferbench("run", "method=cross_entropy", "method.lr=0.5", "seeds=[0,1]", *smoke, "--dry-run").out
    assert "1 new trial: the nearest record differs in setting method.lr\n" in told
    assert "1 new trial: the nearest record differs in setting method.lr, setting seed\n" in told
    again = ferbench("run", "method=cross_entropy", "method.lr=0.5,0.1", "--multirun", *smoke, "--dry-run").out
    assert "2 new trials: the nearest record differs in setting method.lr\n" in again
    monkeypatch.setattr("ferbench.cli.progress.REASONS", 1)
    told = ferbench("run", "method=cross_entropy", "method.lr=0.5", "seeds=[0,1]", *smoke, "--dry-run").out
    assert "1 more: in other things\n" in told


def edited_core(monkeypatch: pytest.MonkeyPatch, mark: str) -> None:
    """As if somebody had edited ferbench itself without raising a version."""
    functions = {**core_functions(), "ferbench.training.loop:train": mark}
    monkeypatch.setattr("ferbench.plan.identity.core_functions", lambda: functions)


def test_a_record_of_other_code_is_reused_and_said_to_be(
    ferbench: Run, smoke: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("run", "method=cross_entropy", *smoke)
    assert ferbench(*words).status == 0
    (before,) = records(tmp_path / "results")
    silent = ferbench(*words)
    assert "other code" not in silent.out
    edited_core(monkeypatch, "edited")
    told = ferbench(*words)
    assert "1 of 1 trials are stored and were made by other code of the same declared versions: reused." in told.out
    assert "Nothing to run" in told.out
    shown = ferbench("show", before.trial.id[:6], tmp_path / "results").out
    names = "code of core: function ferbench.training.loop:train (core)\n"
    assert f"code: not as installed, with the same declared versions; {names}" in shown
    assert records(tmp_path / "results") == [before]


def test_fresh_runs_again_what_other_code_made(
    ferbench: Run, smoke: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("run", "method=cross_entropy", *smoke)
    assert ferbench(*words).status == 0
    (before,) = records(tmp_path / "results")
    assert "Nothing to run" in ferbench(*words, "--fresh").out, "the same code made it"
    edited_core(monkeypatch, "edited")
    assert "training 8 steps, again" in " ".join(ferbench(*words, "--fresh", "--dry-run").out.split())
    done = ferbench(*words, "--fresh")
    assert done.status == 0
    assert "1 run" in done.out
    (after,) = records(tmp_path / "results")
    assert after.trial.id == before.trial.id
    assert after.code != before.code
    assert after.stages[0].steps_run == after.stages[0].steps, "its stages are trained anew"
    assert after.stages[0].weights == before.stages[0].weights
    (old,) = (tmp_path / "results" / ".replaced").iterdir()
    assert (old / "record.json").is_file(), "nothing is lost"
    assert "Nothing to run" in ferbench(*words, "--fresh").out


def test_a_stage_of_other_code_is_reused_and_noted(
    ferbench: Run, smoke: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ferbench("run", "method=degan", *smoke).status == 0
    edited_core(monkeypatch, "edited")
    assert ferbench("run", "method=degan", "ablation=no_residue_loss", *smoke).status == 0
    (made,) = (r for r in records(tmp_path / "results") if r.trial.variant == "no_residue_loss")
    assert "Trained by other code of the same declared versions, and reused: stage synthesis, the judges." in made.notes


def test_judges_of_other_code_are_reused_and_noted(
    ferbench: Run, smoke: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*smoke, "evaluation.judges=2")
    assert ferbench("run", "method=cross_entropy", *words).status == 0
    edited_core(monkeypatch, "edited")
    assert ferbench("run", "method=grl", *words).status == 0
    (made,) = (r for r in records(tmp_path / "results") if r.trial.config["method"]["name"] == "grl")
    assert "Trained by other code of the same declared versions, and reused: the judges." in made.notes


def test_an_earlier_failure_does_not_keep_fresh_from_running(
    ferbench: Run, smoke: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("run", "method=cross_entropy", *smoke)
    assert ferbench(*words).status == 0
    (before,) = records(tmp_path / "results")
    store = Store(tmp_path / "results")
    edited_core(monkeypatch, "edited")
    store.write_failure(Outcome(before.trial, "failed", "the disk was full"))
    assert "1 run" in ferbench(*words, "--fresh").out
    assert store.failures() == []


def test_why_names_what_differs(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    results = tmp_path / "results"
    assert ferbench("run", "method=cross_entropy", *smoke).status == 0
    assert ferbench("run", "method=cross_entropy", "method.lr=0.01", *smoke).status == 0
    changed = next(r for r in records(tmp_path / "results") if r.trial.variant != "full")
    told = ferbench("why", changed.trial.id[:6], results)
    assert told.status == 0
    assert "setting method.lr: 0.01 / 0.001" in told.out
    assert ferbench("why", "zzz", results).status == 2


def test_hydras_own_options(ferbench: Run, capsys: pytest.CaptureFixture[str]) -> None:
    printed = ferbench("run", "method=degan", "--cfg", "job")
    assert printed.status == 0
    assert "identity_head: true" in printed.out
    assert "ferbench" in ferbench("run", "method=degan", "--info", "searchpath").out
    assert ferbench("run", "--config-path", "x", "method=degan").status == 2
    assert ferbench("run", "--cfg", "nonsense", "method=degan").status == 2


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (("method=degna",), "Error: There is no method 'degna'. Did you mean 'degan'"),
        (("method=degan", "dataset=oulo"), "There is no dataset 'oulo'"),
        (("method=degan", "dataset=oulu"), "add dataset.root=/path/to/it"),
        (("method=degan", "dataset=oulu", "dataset.root=/no/where"), "/no/where does not exist"),
        (("method=degan", "ablation=no_head"), "There is no ablation of method 'degan' 'no_head'"),
        (("method=degan", "backbone=vgg"), "There is no backbone 'vgg'"),
        (("method=degan", "protocol=frames"), "There is no protocol 'frames'"),
        (("method=degan", "protocol.folds=[99]"), "asks for fold 99"),
        (("method=degan", "dataset.subjects=5"), "There are 5 subjects for 10 folds"),
        (
            ("method=degan", "results_dir=/dev/null/x", "dataset.subjects=10"),
            "results_dir=/dev/null/x cannot be written",
        ),
        (("method=degan", "dataset.subjects=0"), "dataset.subjects is 0; it has to be at least 1"),
    ],
)
def test_wrong_usage_is_one_sentence_and_status_2(ferbench: Run, overrides: tuple[str, ...], sentence: str) -> None:
    done = ferbench("run", *overrides, "budget=smoke")
    assert done.status == 2
    assert sentence in done.err
    assert done.err.startswith("Error: ")
    assert done.err.strip().count("\n") == 0
    assert "Traceback" not in done.err


def test_a_truncated_image_is_named_before_anything_is_trained(
    ferbench: Run, oulu_tree: Callable[..., Path], tmp_path: Path
) -> None:
    root = oulu_tree(subjects=10)
    broken = root / "PreProcess Img" / "VL" / "Strong" / "P004" / "Anger" / "004.jpeg"
    broken.write_bytes(broken.read_bytes()[:400])
    results = tmp_path / "results"
    common = (
        "method=cross_entropy",
        "dataset=oulu",
        f"dataset.root={root}",
        "budget=smoke",
        "protocol.folds=[0]",
        f"results_dir={results}",
    )
    done = ferbench("run", *common)
    assert done.status == 2
    assert "P004/Anger/004.jpeg is damaged" in done.err
    assert not list((results / ".stages").iterdir())
    skipped = ferbench("run", *common, "preparation.bad_frames=skip")
    assert skipped.status == 0, skipped.err
    notes = " ".join(records(results)[0].notes)
    assert "1 frames cannot be read and were left out: P004/Anger/004" in notes
    assert "The copy of oulu: the cropped faces were read (PreProcess Img/VL/Strong)." in notes


def test_a_damaged_record_is_reported_left_alone_and_not_ranked(
    ferbench: Run, smoke: tuple[str, ...], tmp_path: Path
) -> None:
    results = tmp_path / "results"
    assert ferbench("run", "method=cross_entropy", *smoke).status == 0
    (record,) = records(results)
    bad = results / "0123456789abcdef"
    shutil.copytree(results / record.trial.id, bad)
    (bad / "record.json").write_text((bad / "record.json").read_text()[:500])
    board = ferbench("leaderboard", results, "--format", "json")
    assert board.status == 0
    assert f"Left out: {bad} (record.json cannot be read" in board.err
    assert [row["trials_done"] for row in json.loads(board.out)] == [1]
    assert bad.exists()


def test_splits_is_csv(ferbench: Run, oulu_tree: Callable[..., Path], tmp_path: Path) -> None:
    done = ferbench("splits", "dataset=oulu", f"dataset.root={oulu_tree(subjects=11)}")
    assert done.status == 0, done.err
    path = tmp_path / "s.csv"
    path.write_text(done.out)
    table = pd.read_csv(path)
    assert list(table.columns) == ["frame_id", "subject", "sequence", "expression", "phase", "fold"]
    assert len(table) == 11 * 18
    assert set(table.loc[table["fold"] == 0, "subject"]) == {"P001", "P011"}
    only = ferbench("splits", "dataset=synthfaces", "protocol=subject_kfold", "protocol.folds=[1]")
    assert {line.rpartition(",")[2] for line in only.out.splitlines()[1:]} == {"1"}


def test_completion_in_the_shell() -> None:
    words = "ferbench run method=de"
    environment = {
        **os.environ,
        "_FERBENCH_COMPLETE": "bash_complete",
        "COMP_WORDS": words.replace(" ", "\n"),
        "COMP_CWORD": "2",
    }
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ferbench")], env=environment, capture_output=True, text=True
    )
    assert "plain,method=degan" in done.stdout
