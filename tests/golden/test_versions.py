"""Golden values are of the versions that the cards state, and no component is without."""

from __future__ import annotations

import dataclasses

import pytest

from tests.golden import check as checking
from tests.golden import files
from tests.golden.cases import cases
from tests.golden.check import check


def test_every_component_has_golden_values_and_every_file_a_component() -> None:
    missing = sorted(set(cases()) - files.keys())
    assert not missing, (
        f"No golden values of {', '.join(missing)}: write them with `python -m tests.golden.write {' '.join(missing)}`."
    )
    left = sorted(files.keys() - set(cases()))
    assert not left, (
        f"Golden values of {', '.join(left)}, which are no more: `python -m tests.golden.write` removes them."
    )


def test_what_a_component_rests_on_is_a_case() -> None:
    for case in cases().values():
        assert set(case.rests_on) <= set(cases()), case.key


def test_a_raised_version_needs_new_values(monkeypatch: pytest.MonkeyPatch) -> None:
    real = checking.version
    monkeypatch.setattr(checking, "version", lambda kind, name: real(kind, name) + (name == "grl"))
    with pytest.raises(
        AssertionError,
        match=r"of version 2, its card says 3: write them anew with `python -m tests.golden.write method/grl`",
    ):
        check("method/grl")


def test_a_raised_core_needs_all_values_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "version", lambda kind, name: 99 if kind == "core" else 1)
    with pytest.raises(
        AssertionError, match=r"which is at 99: write all values anew with `python -m tests.golden.write`"
    ):
        check("protocol/loso")


def test_a_change_below_a_component_is_put_down_to_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method's values change with the backbone's: the backbone's version is to be raised."""
    case = dataclasses.replace(cases()["method/grl"], rests_on=("core/loop", "backbone/convnet"))
    monkeypatch.setattr(checking, "changes", lambda key: ("map 0",) if key == "backbone/convnet" else ())
    told = checking.explain(case, ("full/outputs/logits",))
    assert "raise `version` of the card of backbone 'convnet' (plugins/ferbench_convnet/plugin.py)," in told
    assert "grl' (plugins" not in told
