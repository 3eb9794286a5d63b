"""Which precision `trainer.precision=auto` is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from ferbench.training import precision
from ferbench.training.loop import Device


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CPU with AVX512-BF16 and no AMX, and an empty cache folder."""
    monkeypatch.setenv("FERBENCH_CACHE", str(tmp_path / "cache"))
    fields = {"flags": "fpu avx512_bf16 avx512f", "model name": "A CPU"}
    monkeypatch.setattr(precision, "_cpu", lambda field: fields[field])
    return tmp_path / "cache" / "bf16.json"


@pytest.mark.parametrize(("ratio", "expected"), [(0.6, "bf16"), (0.99, "fp32"), (1.8, "fp32")])
def test_a_cpu_that_only_converts_is_measured_once(
    machine: Path, monkeypatch: pytest.MonkeyPatch, ratio: float, expected: str
) -> None:
    measured = []

    def measure() -> float:
        measured.append(ratio)
        return ratio

    monkeypatch.setattr(precision, "measure", measure)
    assert [Device.choose("cpu", "auto").precision for _ in range(3)] == [expected] * 3
    assert len(measured) == 1
    assert json.loads(machine.read_text()) == {f"A CPU, torch {torch.__version__}": ratio}
    machine.write_text("{")  # a damaged file is written anew
    assert Device.choose("cpu", "auto").precision == expected
    assert len(measured) == 2


def test_what_is_asked_for_and_what_needs_no_measurement(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "measure", lambda: pytest.fail("nothing is to be measured"))
    assert Device.choose("cpu", "fp32").precision == "fp32"
    assert Device.choose("cpu", "bf16").precision == "bf16"
    for flags, expected in (("avx512_bf16 amx_bf16 amx_tile", "bf16"), ("avx2", "fp32"), ("", "fp32")):
        monkeypatch.setattr(precision, "_cpu", lambda field, flags=flags: flags)
        assert Device.choose("cpu", "auto").precision == expected
    assert not machine.exists()


def test_the_measurement_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(3)
    before = torch.rand(2)
    torch.manual_seed(3)
    assert precision.measure() > 0
    assert torch.rand(2).equal(before)
