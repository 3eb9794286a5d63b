"""What a method costs, against counts by hand."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ferbench.cli.output import in_words
from ferbench.records.store import Store
from ferbench.training.cost import forward_flops, parameters
from tests.plugins.steps import make


def test_flops_and_parameters_by_hand() -> None:
    """The conformance backbone, eight channels wide at 32 px: a strided and a plain 3 x 3 convolution at each of four
    levels without bias, batch norms, and a linear classifier."""
    method = make("cross_entropy").eval()
    channels = (8, 16, 32, 64)
    operations, weights = 0, 0
    for level, (inputs, outputs) in enumerate(zip((3, *channels), channels, strict=False)):
        size = 16 // 2**level
        operations += 2 * 9 * size**2 * outputs * (inputs + outputs)
        weights += 9 * outputs * (inputs + outputs) + 4 * outputs
    assert forward_flops(method, torch.device("cpu")) == operations + 2 * 64 * 6
    assert parameters(method) == weights + 64 * 6 + 6


def test_peak_memory_grows_with_what_is_allocated() -> None:
    """In a process of its own: an array larger than all that the process has had so far."""
    code = (
        "import numpy, torch\nfrom ferbench.training.cost import peak_memory\ncpu = torch.device('cpu')\n"
        "before = peak_memory(cpu)\nones = numpy.ones(before // 8)\nprint(before, peak_memory(cpu))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert before < after <= 2.1 * before


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (40, "40 s"), (600, "10 min"), (5400, "1 h 30 min"), (7200, "2 h"), (200_000, "2 days 7 h")],
)
def test_times_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_records_hold_the_cost_and_the_board_shows_it(
    ferbench: Callable[..., Any], smoke: tuple[str, ...], tmp_path: Path
) -> None:
    done = ferbench("run", "method=degan", *smoke)
    assert done.status == 0, done.err
    ((record,), _) = Store(tmp_path / "results").scan()
    assert record.cost["steps"] == 8
    assert record.cost["images_seen"] == 8 * 16
    assert record.cost["train_seconds"] > 0
    shown = ferbench("leaderboard", tmp_path / "results", "--cost")
    assert "0.13 k" in shown.out
    assert "MiB" in shown.out
    assert "expr. probe" not in shown.out
    assert '"trial_images_seen": 128' in ferbench("leaderboard", tmp_path / "results", "--format", "json").out


def test_floors_and_ceiling_are_worked_out_once_a_fold(
    ferbench: Callable[..., Any], smoke: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are the same numbers for every method on the fold; another backbone has its own."""
    from ferbench.evaluation.evaluators import leakage

    seen: list[int] = []
    plain = leakage.evaluate

    def counted(outputs: Any) -> Any:
        seen.append(len(outputs.references))
        return plain(outputs)

    monkeypatch.setattr(leakage, "evaluate", counted)
    done = ferbench("run", "method=cross_entropy,grl", "--multirun", *smoke)
    assert done.status == 0, done.err
    assert seen == [3, 3, 0, 0], "asked for by leakage and by selectivity, with floors and ceiling and then with none"
    records, _ = Store(tmp_path / "results").scan()
    ours, theirs = ({k: v for k, v in r.metrics.items() if "/" in k} for r in records)
    assert ours == theirs
    assert {"identity_leakage/untrained", "identity_leakage/pixels", "identity_leakage/identity"} <= set(ours)
    ferbench("run", "method=cross_entropy", *smoke, "backbone.width=8")
    assert seen[-1] == 3
