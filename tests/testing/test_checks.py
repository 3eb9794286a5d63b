"""The conformance checks as authors of plugins use them."""

from __future__ import annotations

import inspect
import re

import pytest

from ferbench import UnknownName
from ferbench.testing import checks, conformance, method_named

LISTS = {name: rules for name, rules in vars(checks).items() if name.startswith("OF_")}

test_a_backbone_in_one_line = conformance("backbone", "convnet")
test_a_dataset_with_settings_of_a_fixture = conformance("dataset", "synthfaces", fixture="few")


@pytest.fixture
def few() -> dict[str, int]:
    return {"subjects": 2, "image_size": 16}


def test_settings_reach_the_component(monkeypatch: pytest.MonkeyPatch) -> None:
    from ferbench_synthfaces.dataset import SynthFaces

    seen: list[int | None] = []

    def look(card: object, dataset: SynthFaces) -> None:
        """Look."""
        seen.append(dataset.settings.subjects)

    monkeypatch.setitem(checks._RULES, "dataset", [look])
    *_, check = checks.checks_of("dataset", "synthfaces", settings={"subjects": 3})
    check.run()
    assert seen == [3]


def test_an_unknown_setting_or_kind() -> None:
    with pytest.raises(UnknownName, match=r"no setting of dataset 'synthfaces' 'subject'\. Did you mean 'subjects'"):
        checks.checks_of("dataset", "synthfaces", settings={"subject": 3})
    with pytest.raises(UnknownName, match=r"no setting of method 'cross_entropy' 'lrr'\. Did you mean 'lr'"):
        method_named("cross_entropy", lrr=0.1)
    with pytest.raises(UnknownName, match="no kind of component with checks 'metod'. Did you mean 'method'"):
        checks.checks_of("metod", "degan")


@pytest.mark.parametrize(
    "check", [c for name in ("cross_entropy", "degan") for c in checks.checks_of("method", name)][::7], ids=str
)
def test_a_check_says_what_it_asks_and_what_to_do(check: checks.Check) -> None:
    assert check.rule.endswith(".")
    assert check.mend.endswith(".")


def test_every_rule_says_what_it_asks_and_what_to_do() -> None:
    for rules in LISTS.values():
        for rule in rules:
            paragraphs = (inspect.getdoc(rule) or "").split("\n\n")
            assert len(paragraphs) == 2, f"{rule.__name__}: a paragraph with the rule, one with what its breaker does"


def test_former_names_are_found_with_a_warning() -> None:
    from ferbench.testing import inputs, steps

    with pytest.warns(DeprecationWarning, match=r"ferbench\.testing\.inputs"):
        assert checks.make_batch is inputs.make_batch
    with pytest.warns(DeprecationWarning, match=r"ferbench\.testing\.steps"):
        assert checks.step_on_cpu is steps.step_on_cpu
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        checks.nothing  # noqa: B018


def test_an_assertion_of_a_plugin_without_a_sentence() -> None:
    from ferbench.testing.findings import in_words

    with pytest.raises(AssertionError) as caught:
        raise AssertionError
    assert re.fullmatch(r"AssertionError: no message \(.*test_checks\.py, line \d+\)", in_words(caught.value, "tests"))
