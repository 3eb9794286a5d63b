"""Which term of a loss moves which part of a method."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferbench.execution.gradients import gradients
from ferbench.records.store import Store
from tests.onehead import plugin

Run = Callable[..., Any]

TUG = plugin(
    "tug",
    """
terms = {
    "up": -2.0 * self.head.weight.sum(),
    "down": 0.5 * self.head.weight.sum(),
    "beside": 3.0 * self.other.weight.sum(),
}
yield Update("all", sum(terms.values()), {**terms, "told": torch.tensor(7.0)})
""",
    trained="self.head, self.other",
)
"""Two terms pull at one layer, the first four times as hard; a third moves another layer; a fourth is told and not trained."""


def test_norms_shares_and_cosines_by_hand(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "tug.py"
    path.write_text(TUG)
    results = tmp_path / "results"
    assert ferbench("run", "--plugin", path, "method=tug", *smoke, "evaluation.judges=0").status == 0
    (record,), _ = Store(results).scan()
    table = gradients(record, results / record.trial.id, batches=2).set_index(["term", "module"])
    assert set(table.index) == {("all/up", "head"), ("all/down", "head"), ("all/beside", "other")}
    rows = table.to_dict("index")
    up, down, beside = (rows[key] for key in (("all/up", "head"), ("all/down", "head"), ("all/beside", "other")))
    assert up["norm"] / down["norm"] == pytest.approx(4)
    assert beside["norm"] == pytest.approx(3 * 4**0.5)
    assert (up["share"], down["share"], beside["share"]) == pytest.approx((0.8, 0.2, 1))
    assert (up["cosine"], down["cosine"], beside["cosine"]) == pytest.approx((1, -1, 1))

    shown = ferbench("gradients", record.trial.id[:8], str(results), "--batches", "1")
    assert shown.status == 0, shown.err
    assert max(map(len, shown.out.splitlines())) <= 80
    assert ["all/down", "head"] in [line.split()[:2] for line in shown.out.splitlines()]


def test_all_stages_of_degan(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    """The generator's terms reach encoder and decoder and leave the discriminator alone, and nothing is written."""
    results = tmp_path / "results"
    assert ferbench("run", "method=degan", *smoke, "evaluation.judges=0").status == 0
    (record,), _ = Store(results).scan()
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    table = gradients(record, results / record.trial.id, batches=1)
    of_generator = table[table["term"].str.startswith("generator/")]
    assert set(of_generator["module"]) == {"encoder", "decoder"}
    assert set(table.loc[table["stage"] == "recognition", "module"]) == {"branches", "classifier"}
    assert (table["norm"] > 0).all()
    assert table.groupby(["stage", table["term"].str.partition("/")[0], "module"])[
        "share"
    ].sum().tolist() == pytest.approx([1] * 5)
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*")} == before


def test_a_child_that_several_groups_share_is_told_apart(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    """DeRL's first stage is one module, of which one group trains the encoder and decoder and another the discriminator."""
    results = tmp_path / "results"
    assert ferbench("run", "method=derl", *smoke, "evaluation.judges=0").status == 0
    (record,), _ = Store(results).scan()
    table = gradients(record, results / record.trial.id, batches=1)
    parts = table.groupby("term")["module"].agg(set)
    assert parts["discriminator"] == {"generator.discriminator"}
    assert parts["generator/adversarial"] == {"generator.encoder", "generator.decoder"}


def test_what_cannot_be_looked_at(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    results = tmp_path / "results"
    assert ferbench("run", "method=cross_entropy", *smoke, "evaluation.judges=0").status == 0
    (record,), _ = Store(results).scan()
    unknown = ferbench("gradients", "zzz", str(results))
    assert unknown.status == 2
    assert "There is no record 'zzz'" in unknown.err
    (results / record.trial.id / "weights.safetensors").unlink()
    without = ferbench("gradients", record.trial.id, str(results))
    assert without.status == 2
    assert "the record was stored without its weights" in " ".join(without.err.split())
