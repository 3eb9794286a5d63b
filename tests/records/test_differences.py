"""In what two trials differ, in words."""

from __future__ import annotations

import dataclasses
from typing import Any

from ferbench.records.differences import code_words, differences, function_differences
from ferbench.records.identity import ComponentIdentity, DatasetIdentity, Identity

ONE = Identity(
    DatasetIdentity("oulu", 1, "aaaa"), ComponentIdentity("subject_kfold", 1, {"k": 5}), ("P1",), ("P2", "P3"), "ffff",
    ComponentIdentity("convnet", 1), ComponentIdentity("degan", 1, {"lr": 0.1}), {"synthesis": 8}, seed=0,
    budget={"steps": 8}, code={"method": "1"},
)  # fmt: skip


def words(**changes: Any) -> list[str]:
    return [found.words() for found in differences(ONE, dataclasses.replace(ONE, **changes))]


def test_equal_identities() -> None:
    assert words() == []


def test_each_kind_of_difference_is_named() -> None:
    assert words(method=ComponentIdentity("degan", 1, {"lr": 0.2})) == ["setting method.lr: 0.1 / 0.2"]
    assert words(method=ComponentIdentity("degan", 2, {"lr": 0.1})) == ["version method: 1 / 2"]
    assert words(core=2) == ["version core: 1 / 2"]
    assert words(dataset=DatasetIdentity("oulu", 1, "bbbb")) == ["data dataset.fingerprint: aaaa / bbbb"]
    assert words(seed=3) == ["setting seed: 0 / 3"]
    assert words(code={"method": "2"}) == ["code method: 1 / 2"]
    assert words(budget={}) == ["setting budget.steps: 8 / -"]


def test_long_lists_are_shortened() -> None:
    (line,) = words(train_subjects=tuple(f"P{i}" for i in range(9)))
    assert line == "data train_subjects: ('P2', 'P3') / [P0, P1, P2, P3 ... 9 in all]"


def test_functions_that_differ_are_named() -> None:
    ours = {"core": {"m:f": "1", "m:g": "1"}, "method": {"n:h": "1"}}
    theirs = {"core": {"m:f": "2", "m:g": "1"}, "method": {"n:k": "1"}}
    assert function_differences(ours, theirs) == [
        "function m:f (core)", "function n:h (method)", "function n:k (method)",
    ]  # fmt: skip
    assert function_differences(ours, {}) == []


def test_code_in_words() -> None:
    assert code_words({"core": "1"}, {"core": "1"}) == ""
    assert code_words({}, {"core": "1"}) == ""
    assert code_words({"core": "1", "method": "1"}, {"core": "2", "method": "1"}, ["function m:f (core)"]) == (
        "code of core: function m:f (core)"
    )
    assert "a record of version 1 states" in code_words({"core": "1", "plugins": "1"}, {"core": "2", "method": "1"})
