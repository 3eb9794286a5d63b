"""What a card refuses."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ferbench import FerbenchError, MethodCard, StageCard


@dataclass
class Settings:
    head: bool = True
    width: int = 8


def card(**more: object) -> MethodCard:
    values: dict[str, object] = {
        "name": "mine", "target": "package.module:Mine", "title": "t", "settings": Settings, "stages": [StageCard(name="one")],
    }  # fmt: skip
    return MethodCard(**{**values, **more})  # type: ignore[arg-type]


def test_a_good_card() -> None:
    assert card(ablations={"no_head": {"head": False}}).defaults() == {"head": True, "width": 8}


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"name": "No Good"}, "lower-case letters"),
        ({"target": "package.module.Mine"}, "'package.module:Name'"),
        ({"api": 0}, "an older plugin interface"),
        ({"settings": int}, "not a dataclass"),
        (
            {"stages": [StageCard(name="one", share=0.5)]},
            r"do not add up to 1: .* Say StageCard\(name=\.\.\., share=\.\.\.\)",
        ),
        ({"stages": [StageCard(name="one", settings=frozenset({"heda"}))]}, "Did you mean 'head'"),
        ({"ablations": {"a": {"heda": False}}}, "Did you mean 'head'"),
        ({"ablations": {"a": {"head": 0}}}, "sets 'head' to 0, but the setting is a bool"),
        ({"ablations": {"a": {"head": True}}}, "changes nothing"),
    ],
)
def test_what_a_card_refuses(more: dict[str, object], sentence: str) -> None:
    with pytest.raises(FerbenchError, match=sentence):
        card(**more)


def test_a_target_that_is_not_there() -> None:
    with pytest.raises(FerbenchError, match="needs the module 'package'"):
        card().load()
    with pytest.raises(FerbenchError, match="has no 'Nothing'"):
        card(target="ferbench.errors:Nothing").load()
