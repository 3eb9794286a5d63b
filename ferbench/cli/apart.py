"""What sets a trial apart from another one of the same results folders, for `show` and `why`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ferbench.errors import FerbenchError

if TYPE_CHECKING:
    from ferbench.records.schema import Trial


@dataclass(frozen=True)
class Candidate:
    """A trial that is stored or failed: the code that ran it, by part, and the folder of its record."""

    trial: Trial
    code: Mapping[str, str]
    folder: Path


def candidates(folders: Sequence[str]) -> dict[str, Candidate]:
    """Every record and every failure of the results folders, by trial."""
    from ferbench.cli.records import collected

    given = collected(folders)
    failed = {o.trial.id: Candidate(o.trial, o.trial.code, Path()) for o in given.failures}
    return failed | {name: Candidate(r.trial, r.code, given.where[name]) for name, r in given.records.items()}


def nearest(name: str, known: Mapping[str, Candidate]) -> str:
    """The other trial with the fewest differences.

    Raises:
        FerbenchError: there is no other.
    """
    from ferbench.records.differences import differences

    mine = known[name].trial.identity
    others = [key for key in known if key != name]
    if not others:
        raise FerbenchError(f"There is no other trial to compare {name} with.")

    def distance(key: str) -> tuple[int, int]:
        found = differences(mine, known[key].trial.identity)
        return len(found), sum(difference.kind != "code" for difference in found)

    return min(others, key=distance)


def apart(ours: Candidate, theirs: Candidate) -> list[str]:
    """A line for each difference of their identities, and one for the code; "nothing" for none."""
    from ferbench.records import files
    from ferbench.records.differences import code_words, differences, function_differences

    lines = [found.words() for found in differences(ours.trial.identity, theirs.trial.identity)]
    functions = function_differences(files.read_code(ours.folder), files.read_code(theirs.folder))
    code = code_words(ours.code, theirs.code, functions)
    return [*lines, *([code] if code else [])] or ["nothing"]
