"""Columns of the frame table as labels: which a method gets, what is missing, and what is refused before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from ferbench import FerbenchError, MethodCard, StageCard
from ferbench.data.batches import Batches, Images, Labels
from ferbench.data.frames import factor_columns
from ferbench.execution.setup import factor_values
from ferbench.interfaces.method import Stage
from ferbench.interfaces.sampling import Partner
from tests.data.test_samplers import CPU, OFF, no_step

FRAMES = pd.DataFrame(
    {
        "frame_id": ["a", "b", "c"], "camera": ["left", None, "right"], "au1": [0, 1, 1], "au12": [0.5, np.nan, 1.0],
        "audio": [1.0, 2.0, 3.0], "talks": [True, False, True], "empty": [np.nan] * 3, "number": [10, 9, 10],
    }
)  # fmt: skip


def card(**more: Any) -> MethodCard:
    return MethodCard(name="mine", target="package.module:Mine", title="t", stages=[StageCard(name="one")], **more)


def test_columns_are_found_by_name_and_pattern_in_the_tables_order() -> None:
    asked = card(factors=["talks", "au[0-9]*"], levels=["camera", "number"])
    assert factor_columns(FRAMES, asked, "faces") == {
        "camera": False, "au1": True, "au12": True, "talks": True, "number": False,
    }  # fmt: skip
    assert factor_columns(FRAMES, card(), "faces") == {}


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"factors": ["au1", "au13"]}, r"no column 'au13'. Did you mean .*'au12'"),
        ({"factors": ["valence"]}, r"Method 'mine' is trained on it, and dataset 'faces' lacks it; another"),
        ({"factors": ["camera"]}, r"'camera' for numbers, and dataset 'faces' has text in it \(left\)"),
        ({"factors": ["empty"]}, r"no frame of dataset 'faces' that the protocol uses has a value in empty"),
        ({"factors": ["au1"], "levels": ["au*"]}, r"'au1' both for numbers and for levels"),
    ],
)
def test_what_is_refused(more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FerbenchError, match=sentence):
        factor_columns(FRAMES, card(**more), "faces")


def test_a_card_lists_columns() -> None:
    with pytest.raises(FerbenchError, match="factors of method 'mine' is a text"):
        card(factors="valence")


def test_values_and_what_is_missing() -> None:
    assert factor_values(FRAMES["au12"], ()).tolist() == pytest.approx([0.5, np.nan, 1.0], nan_ok=True)
    assert factor_values(FRAMES["talks"], ()).tolist() == [1.0, 0.0, 1.0]
    assert factor_values(FRAMES["au1"], ()).dtype == torch.float32
    assert factor_values(FRAMES["camera"], ("left", "right")).tolist() == [0, -1, 1]
    assert factor_values(FRAMES["number"], ("10", "9")).tolist() == [0, 1, 0]


def test_factors_belong_to_their_images_and_partners() -> None:
    rows = torch.arange(8)
    factors = {"camera": rows % 3 - 1, "valence": rows.float() / 8}
    labels = Labels(rows, rows % 2, rows // 4, rows, factors=factors)
    images = Images(np.zeros((8, 8, 8, 3), np.uint8), CPU)
    asked = Stage("training", no_step, {}, second=Partner.SUBJECT, third=Partner.NEUTRAL)
    batch = Batches(images, labels, OFF, 6, (0,)).of(asked)(3)
    second, third = batch.second, batch.third
    assert batch.index is not None
    assert second is not None
    assert second.index is not None
    assert third is not None
    for name, values in factors.items():
        assert torch.equal(batch.factors[name], values[batch.index])
        assert torch.equal(second.factors[name], values[second.index])
    assert third.factors["valence"].isnan().all()
    assert (third.factors["camera"] == -1).all()
    halves = batch.split(2)
    assert torch.equal(torch.cat([half.factors["valence"] for half in halves]), batch.factors["valence"])


def test_a_dataset_without_the_column_is_refused_when_the_study_is_planned(
    ferbench: Callable[..., Any], smoke: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from ferbench import MethodCard, StageCard, hookimpl\n\n\n@hookimpl\ndef ferbench_methods():\n"
        "    return [MethodCard(name='mine', target='a.b:C', title='t', stages=[StageCard(name='one')], factors=['valence'])]\n"
    )
    done = ferbench("run", "--plugin", file, "method=mine", *smoke, "--dry-run")
    assert done.status == 2
    assert "There is no column 'valence'." in done.err
