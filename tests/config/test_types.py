"""Types that settings of plugins may have: from the card over the command line to the variant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferbench.cards import MethodCard
from ferbench.config.compose import compose
from ferbench.errors import FerbenchError
from ferbench.plan.variants import variant_name, variants
from ferbench.registry.loader import load_registry

PLUGIN = """
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal
from ferbench import MethodCard, StageCard, hookimpl

class Rule(StrEnum):
    PAPER = "paper"

@dataclass
class Settings:
    SETTING

@hookimpl
def ferbench_methods():
    return [MethodCard(name="typed", target="nowhere:Typed", title="t", settings=Settings, stages=[StageCard(name="training")],
                       ablations=ABLATIONS)]
"""

Compose = Callable[..., Any]


@pytest.fixture
def composed(tmp_path: Path) -> Compose:
    """composed("mode: int = 3", "{'other': {'mode': 4}}", "method.mode=5"): card and configuration of a plugin file."""

    def load(setting: str, ablations: str, *overrides: str) -> tuple[MethodCard, Any]:
        file = tmp_path / "typed.py"
        file.write_text(PLUGIN.replace("SETTING", setting).replace("ABLATIONS", ablations))
        registry = load_registry([str(file)])
        (config,) = compose(registry, ["method=typed", *overrides])
        return registry.get(MethodCard, "typed"), config

    return load


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("mode: Literal['a', 'b'] = 'a'", "'b'"),
        ("mode: Literal[1, 2] = 1", "2"),
        ("mode: Literal['a', 'b'] | None = None", "'a'"),
        ("mode: float | None = None", "0.3"),
        ("mode: int | str = 3", "'a'"),
        ("mode: tuple[float, ...] = (0.5, 0.8)", "(0.1,)"),
        ("mode: tuple[int, int] = (1, 2)", "[3, 4]"),
        ("mode: list[str] | None = None", "['x']"),
        ("mode: Any = 3", "'x'"),
    ],
)
def test_a_type_works_from_the_card_to_the_variant(composed: Compose, setting: str, value: str) -> None:
    card, config = composed(setting, f"{{'other': {{'mode': {value}}}}}", "ablation=all")
    full, other = variants(card, config)
    assert [variant_name(card, settings) for settings in (full, other)] == ["full", "other"]
    assert not any(isinstance(settings["mode"], tuple) for settings in (full, other)), "as records have it"


@pytest.mark.parametrize(
    ("setting", "typed", "expected"),
    [
        ("mode: Literal['a', 'b'] = 'a'", "b", "b"),
        ("mode: Literal[1, 2] = 1", "2", 2),
        ("mode: float | None = None", "0.25", 0.25),
        ("mode: tuple[float, ...] = (0.5, 0.8)", "[0.2,0.3]", [0.2, 0.3]),
    ],
)
def test_a_value_that_is_typed(composed: Compose, setting: str, typed: str, expected: object) -> None:
    _, config = composed(setting, "{}", f"method.mode={typed}")
    assert config.method.settings["mode"] == expected


def test_a_value_that_is_none_of_those_given(composed: Compose) -> None:
    with pytest.raises(
        FerbenchError, match=r"method\.mode is 'trainde'; it can be paper, trained. Did you mean 'trained'\?"
    ):
        composed("mode: Literal['paper', 'trained'] = 'paper'", "{}", "method.mode=trainde")


@pytest.mark.parametrize(
    ("setting", "ablations", "sentence"),
    [
        (
            "mode: Rule = Rule.PAPER",
            "{}",
            "'mode' of method 'typed' is a Rule; it can be bool, int, float, str, one of",
        ),
        ("mode: Path = Path('x')", "{}", "The setting 'mode' of method 'typed' is a Path; it can be bool"),
        ("mode: dict[str, int] = None", "{}", "is a dict[str, int]; it can be bool"),
        (
            "mode: 'Nowhere' = 3",
            "{}",
            "The types of the settings of method 'typed' cannot be read: name 'Nowhere' is not defined",
        ),
        (
            "mode: float = 1.0",
            "{'x': {'mode': 'a'}}",
            "sets 'mode' to 'a', but the setting is a float.",
        ),
        ("mode: float | None = None", "{'x': {'mode': 3}}", "sets 'mode' to 3, but the setting is a float | None"),
        (
            "mode: Literal['a', 'b'] = 'a'",
            "{'x': {'mode': 'c'}}",
            "sets 'mode' to 'c', but the setting is a Literal['a', 'b']",
        ),
        (
            "mode: tuple[float, ...] = (0.5,)",
            "{'x': {'mode': [0.5]}}",
            "Ablation 'x' of method 'typed' changes nothing",
        ),
    ],
)
def test_a_type_that_cannot_be_is_an_error_of_its_plugin(
    composed: Compose, setting: str, ablations: str, sentence: str
) -> None:
    """And of no other one: a run of another method without the file is as before."""
    with pytest.raises(FerbenchError) as error:
        composed(setting, ablations)
    assert sentence in str(error.value)
    assert "typed.py could not be loaded" in str(error.value)
