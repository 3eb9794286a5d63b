"""The coupling, the table and the metric by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from ferbench_example_units.evaluator import evaluate
from ferbench_example_units.method import UnitCoupling, coupling

from ferbench import Epoch
from ferbench.testing import make_batch, make_outputs, method_named


def test_the_coupling_by_hand() -> None:
    """Both expressions are as likely, so q = (0.2 + 0.6) / 2; p = 0.5."""
    expected = torch.tensor([[0.2], [0.6]])
    found = coupling(torch.zeros(1, 1), torch.zeros(1, 2), expected)
    assert found.item() == pytest.approx(-(math.log(0.4) + math.log(0.6)) / 2)


def test_the_table_is_counted_once_and_leaves_out_what_is_missing() -> None:
    method = method_named("unit_coupling")
    assert isinstance(method, UnitCoupling)
    batch = make_batch(method.task)
    levels = {name: torch.where(batch.expression == 0, 1.0, 0.0) for name in method.names}
    first = method.names[0]
    levels[first] = torch.full_like(levels[first], torch.nan)
    epoch = Epoch(0, len(batch.expression), lambda: iter([replace(batch, factors=levels)]))
    method.count(epoch)
    frames = (batch.expression == 0).sum()
    assert torch.equal(method.expected[:, 0], torch.full_like(method.expected[:, 0], 0.5)), "nothing is known of it"
    if len(method.names) > 1:
        assert method.expected[0, 1].item() == pytest.approx(float((1 + frames) / (2 + frames)))
    method.count(replace(epoch, number=1, batches=lambda: pytest.fail("it is counted again")))


def test_f1_by_hand() -> None:
    """The first subject shows the action unit in one frame of two that are found; another one is right, the others miss all."""
    outputs = make_outputs()
    subjects, level, found = outputs.subjects, np.zeros(len(outputs.frames)), np.zeros(len(outputs.frames))
    names = list(dict.fromkeys(subjects))
    for subject in names:
        level[np.flatnonzero(subjects == subject)[0]] = 0.4
    level[subjects == names[-1]] = np.nan
    found[np.flatnonzero(subjects == names[0])[:2]] = 0.5
    found[np.flatnonzero(subjects == names[1])[0]] = 0.9
    frames = outputs.frames[[name for name in outputs.frames if not name.startswith("au")]].assign(au12=level)
    metric = evaluate(replace(outputs, frames=frames, estimates={"au12": found}))["au_f1_by_subject"]
    expected = {names[0]: 2 / 3, names[1]: 1.0, **dict.fromkeys(names[2:-1], 0.0)}
    assert metric.values == pytest.approx(expected), "of the last subject nothing is known"
    none = evaluate(replace(outputs, frames=frames, estimates={}))["au_f1_by_subject"]
    assert set(none.values.values()) == {0.0}
