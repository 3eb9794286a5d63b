"""Nodes that do not have the results folder, nor the plugin file: both go there and come home."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferbench.records.store import Store
from tests.engines.ray.studies import SHARING, SMOKE, assert_equal, begin, checkpoints, records, wait_for
from tests.onehead import plugin

Run = Callable[..., Any]

TOLD = "the nodes have no results folder in common: results are sent here"

BESIDE = plugin("beside", 'yield Update("all", loss_of(self, batch))').replace(
    "from ferbench import", "from nearby.losses import loss_of\nfrom ferbench import"
)
LOSSES = """
from torch.nn import functional as F

from . import scale


def loss_of(method, batch):
    return method.settings.factor * scale.FACTOR * F.cross_entropy(method.logits(batch.images), batch.expression)
"""


def of_nodes() -> list[Path]:
    """Folders in which nodes work on a study."""
    return list(Path(tempfile.gettempdir()).glob("ferbench-*"))


@pytest.fixture
def hidden(tmp_path: Path) -> Path:
    """A folder that the nodes do not see."""
    folder = Path(os.environ["HIDE"], tmp_path.name)
    folder.mkdir()
    return folder


def test_records_are_those_of_one_process(ferbench: Run, tmp_path: Path, hidden: Path) -> None:
    done = ferbench(*SHARING, f"results_dir={hidden / 'r'}", "executor=ray")
    assert done.status == 0, done.out + done.err
    assert TOLD in done.out
    assert "2 trials: 2 run" in done.out
    assert done.out.count("synthesis: 6 steps") == 1, "its weights went to both trials"
    assert done.out.count("judges: 4 steps") == 1
    assert ferbench(*SHARING, f"results_dir={tmp_path / 'here'}", "executor=inprocess").status == 0
    there, here = records(hidden / "r"), records(tmp_path / "here")
    assert_equal(there, here)
    for trial, record in there.items():
        assert {**record.trial.config, "results_dir": ""} == {**here[trial].trial.config, "results_dir": ""} | {
            "executor": record.trial.config["executor"]
        }
        assert record.trial.config["results_dir"] == str(hidden / "r")
        assert (hidden / "r" / trial / "figures" / "confusion.png").is_file()
    store = Store(hidden / "r")
    assert all(store.trained(run.key) for record in there.values() for run in record.stages), "stages come home too"
    assert of_nodes() == []


def test_stages_that_are_there_are_not_trained_again(ferbench: Run, hidden: Path) -> None:
    first = ("run", "method=degan", *SMOKE, f"results_dir={hidden / 'r'}")
    assert ferbench(*first, "executor=inprocess").status == 0
    done = ferbench(*SHARING, f"results_dir={hidden / 'r'}", "executor=ray")
    assert done.status == 0, done.out + done.err
    assert "synthesis: trained already" in done.out
    assert "judges: trained already" in done.out


def test_plugin_files_and_what_they_import(ferbench: Run, hidden: Path) -> None:
    (hidden / "nearby").mkdir()
    (hidden / "beside.py").write_text(BESIDE)
    (hidden / "nearby" / "__init__.py").write_text("")
    (hidden / "nearby" / "losses.py").write_text(LOSSES)
    (hidden / "nearby" / "scale.py").write_text("FACTOR = 2.0\n")
    study = ("run", "--plugin", hidden / "beside.py", "--multirun", "method=beside", "ablation=none,broken", *SMOKE)
    done = ferbench(*study, f"results_dir={hidden / 'r'}", "executor=ray")
    assert done.status == 1, done.out + done.err
    assert "2 trials: 1 run, 1 failed" in done.out
    (record,) = records(hidden / "r").values()
    assert record.trial.plugin_files == (str(hidden / "beside.py"),)
    (failure,) = Store(hidden / "r").failures()
    assert failure.trial.variant == "broken"
    assert failure.trial.config["results_dir"] == str(hidden / "r")
    assert ferbench(*study, f"results_dir={hidden / 'r'}", "executor=ray").status == 1, "known failures"


def test_ctrl_c_sends_the_checkpoint_home(ferbench: Run, hidden: Path) -> None:
    results = hidden / "r"
    study = (
        "run",
        "method=cross_entropy",
        *SMOKE,
        "budget.steps=200",
        "trainer.checkpoint_every=5",
        f"results_dir={results}",
    )
    process = begin(*study, "executor=ray")
    wait_for(lambda: [path for folder in of_nodes() for path in checkpoints(folder / "results")], process)
    os.kill(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    assert checkpoints(results)
    assert of_nodes() == []
    done = ferbench(*study, "executor=ray")
    assert "training: goes on at step" in done.out, done.out + done.err
    assert done.status == 0
