"""The conformance checks of a component as a pytest test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ferbench.testing.checks import checks_of
from ferbench.testing.inputs import NotTried


def conformance(kind: str, name: str, fixture: str = "", **settings: Any) -> Callable[..., None]:
    """A pytest test with one case for each check of a component:

        test_conformance = conformance("method", "mine")
        test_conformance = conformance("dataset", "portraits", fixture="small_copy")

    Args:
        kind: "method", "backbone", "dataset", "protocol", "evaluator" or "executor".
        name: name of the component, of an installed plugin.
        fixture: name of a pytest fixture that returns a dict with settings which are known only when the test runs, such as
            {"root": folder}.
        settings: settings that differ from the defaults.

    Raises:
        UnknownName: there is no such component, or no checks for its kind, or no such setting.
    """
    import pytest

    @pytest.mark.parametrize("check", [str(check) for check in checks_of(kind, name, settings=settings)])
    def test(check: str, request: pytest.FixtureRequest) -> None:
        later = request.getfixturevalue(fixture) if fixture else {}
        (found,) = [c for c in checks_of(kind, name, settings={**settings, **later}) if str(c) == check]
        try:
            found.run()
        except NotTried as reason:
            pytest.skip(str(reason))

    return test
