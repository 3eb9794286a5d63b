"""Hold a component to its golden values, and say what to do where it has others."""

from __future__ import annotations

import functools

from tests.golden import files
from tests.golden.cases import Case, cases
from tests.golden.compare import differences
from tests.golden.versions import CORE, place, version

SHOWN = 8
"""Differences that a message lists."""


def versions(case: Case) -> dict[str, int]:
    """Of the component and of the core, as they are stored with the values."""
    return {case.key: version(case.kind, case.name), CORE: version(CORE, "")}


def command(key: str) -> str:
    return f"python -m tests.golden.write {key}"


def check(key: str) -> None:
    """Raises AssertionError, with the version to raise, where values differ from those held or are of another version."""
    case = cases()[key]
    assert files.path_of(key).is_file(), f"{_called(case)} has no golden values yet: write them with `{command(key)}`."
    held = files.read(key)["versions"]
    if case.kind != CORE and held[key] != versions(case)[key]:
        raise AssertionError(
            f"The golden values of {_called(case)} are of version {held[key]}, its card says {versions(case)[key]}: write them "
            f"anew with `{command(key)}`."
        )
    if held[CORE] != versions(case)[CORE]:
        raise AssertionError(
            f"The golden values of {_called(case)} are of version {held[CORE]} of the core, which is at {versions(case)[CORE]}: "
            "write all values anew with `python -m tests.golden.write`."
        )
    if found := changes(key):
        raise AssertionError(explain(case, found))


@functools.cache
def changes(key: str) -> tuple[str, ...]:
    """A line for each value that is not as it is held; worked out once."""
    return tuple(differences(files.read(key)["values"], cases()[key].values()))


def explain(case: Case, found: tuple[str, ...]) -> str:
    """What differs, why, and which version to raise."""
    causes = [cases()[key] for key in case.rests_on if changes(key)] or [case]
    listed = "".join(f"  {line}\n" for line in found[:SHOWN])
    more = f"  ... and {len(found) - SHOWN} more\n" if len(found) > SHOWN else ""
    raised = " and ".join(dict.fromkeys(place(cause.kind, cause.name) for cause in causes))
    others = "what it rests on differs too" if causes != [case] else "and nothing that it rests on does"
    return (
        f"{len(found)} golden values of {_called(case)} differ, {others}:\n{listed}{more}"
        f"The arithmetic of {', '.join(map(_called, causes))} has changed, so stored results and new ones may not be averaged. "
        f"If that is meant, raise {raised}, write the values anew with `{command(case.key)}`, and say so in CHANGELOG.md. If it is "
        f"not, undo the change.{_libraries(case)}"
    )


def _called(case: Case) -> str:
    return f"the core ({case.name})" if case.kind == CORE else f"{case.kind} '{case.name}'"


def _libraries(case: Case) -> str:
    then, now = files.read(case.key)["made_with"], files.libraries()
    other = [f"{name} {then[name]} (here {now[name]})" for name in then if then[name] != now[name]]
    return f" The values were made with {', '.join(other)}, which may be the cause." if other else ""
