"""Former names go on working, with a sentence; plugins of an older interface too, as long as it is supported."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ferbench as package
from ferbench import BackboneCard, cards, deprecation
from ferbench.deprecation import RENAMED_SETTINGS, OutdatedPlugin, rename_overrides, renamed
from ferbench.errors import FerbenchError
from ferbench.registry.loader import load_registry

PLUGIN = """
from ferbench import BackboneCard, hookimpl

@hookimpl
def ferbench_backbones():
    return [BackboneCard(name=name, target="nowhere:Nothing", title="a backbone"{api}) for name in ("one", "two")]
"""


@pytest.fixture
def second_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ferbench whose plugin interface is 2 and which still loads 1."""
    monkeypatch.setattr(cards, "API", 2)
    monkeypatch.setattr(deprecation, "CHANGES", {2: "A backbone's `channels` become a tuple."})


def plugin_file(folder: Path, api: str = "") -> Path:
    file = folder / "mine.py"
    file.write_text(PLUGIN.format(api=api))
    return file


@pytest.mark.usefixtures("second_interface")
def test_an_older_plugin_is_loaded_with_one_warning_that_says_what_to_change(tmp_path: Path) -> None:
    file = plugin_file(tmp_path)
    with pytest.warns(OutdatedPlugin) as warned:
        registry = load_registry([str(file)])
    assert {"one", "two"} <= set(registry.catalogue(BackboneCard))
    of_mine = [str(w.message) for w in warned if "'mine'" in str(w.message)]
    sentence = (
        "The plugin 'mine' (file) was written for plugin interface 1; this ferbench has 2 and still loads it. "
        "Its authors bring it up to date so: A backbone's `channels` become a tuple. Then its cards state api=2."
    )
    assert of_mine == [sentence]


@pytest.mark.usefixtures("second_interface")
def test_a_plugin_of_the_present_interface_is_not_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERBENCH_PLUGINS", "")
    with pytest.warns(OutdatedPlugin) as warned:  # of the core, whose own cards are of interface 1
        load_registry([str(plugin_file(tmp_path, ", api=2"))])
    assert not any("'mine'" in str(w.message) for w in warned)


@pytest.mark.usefixtures("second_interface")
@pytest.mark.filterwarnings("default::ferbench.deprecation.OutdatedPlugin")
def test_the_command_line_says_it_in_a_sentence(ferbench: Callable[..., Any], tmp_path: Path) -> None:
    done = ferbench("list", "backbones", "--plugin", plugin_file(tmp_path))
    assert done.status == 0, done.err
    assert "Warning: The plugin 'mine' (file) was written for" in done.err
    assert "loader.py" not in done.err


@pytest.mark.parametrize(
    ("api", "oldest", "sentence"),
    [
        (
            1,
            2,
            r"an older plugin interface \(1; this ferbench has 3 and supports 2 and newer\). Install a newer release",
        ),
        (
            4,
            2,
            r"a newer plugin interface \(4; this ferbench has 3 and supports 2 and newer\). Install a newer ferbench",
        ),
    ],
)
def test_what_is_too_old_or_too_new_is_refused(
    monkeypatch: pytest.MonkeyPatch, api: int, oldest: int, sentence: str
) -> None:
    monkeypatch.setattr(cards, "API", 3)
    monkeypatch.setattr(cards, "OLDEST_API", oldest)
    with pytest.raises(FerbenchError, match=sentence):
        BackboneCard(name="x", target="a:B", title="t", api=api)


def test_every_supported_step_of_the_interface_says_what_to_change() -> None:
    assert set(deprecation.CHANGES) == set(range(cards.OLDEST_API + 1, cards.API + 1))


def test_a_former_name_of_a_module_warns_and_works(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("shelf")
    names = {"Carton": "ferbench.cards:Card"}
    module.__getattr__ = lambda name: renamed("shelf", name, names)  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, "shelf", module)
    with pytest.warns(DeprecationWarning, match=r"shelf\.Carton is now ferbench\.cards\.Card\.") as warned:
        from shelf import Carton  # type: ignore[import-not-found]
    assert Carton is cards.Card
    assert {w.filename for w in warned} == {__file__}, "the warning is shown where the name is used"
    with pytest.raises(AttributeError, match="module 'shelf' has no attribute 'Crate'"):
        module.Crate  # noqa: B018


def test_a_former_name_of_a_setting_is_translated_and_said() -> None:
    words, sentences = rename_overrides(
        ["method=degan", "evaluation.looks=5", "+evaluation.looks=apex", "~evaluation.looks"]
    )
    assert words == [
        "method=degan",
        "evaluation.test_curve_points=5",
        "+evaluation.test_curve_points=apex",
        "~evaluation.test_curve_points",
    ]
    assert sentences[0] == (
        "The setting 'evaluation.looks' is now called 'evaluation.test_curve_points'; the former name will be refused later."
    )


@pytest.mark.parametrize(
    "word", ["evaluation.looksout=1", "evaluation.test_curve_points=1", "study=evaluation.looks", "a b", ""]
)
def test_other_words_stay(word: str) -> None:
    assert rename_overrides([word]) == ([word], [])


def test_no_present_name_was_renamed_again() -> None:
    assert not set(RENAMED_SETTINGS) & set(RENAMED_SETTINGS.values())


def test_the_version_is_that_of_the_distribution(ferbench: Callable[..., Any]) -> None:
    from importlib.metadata import version

    assert package.__version__ == version("ferbench")
    assert ferbench("--version").out == f"ferbench {package.__version__}\n"
