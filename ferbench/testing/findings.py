"""Running checks, and what they find, by rule."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ferbench.errors import FerbenchError
from ferbench.testing.checks import Check
from ferbench.testing.inputs import NotTried


@dataclass
class Finding:
    """What one rule found.

    Attributes:
        name, rule, mend: of the rule, as of `Check`.
        held: components, or variants of a method, that keep it.
        broken: those that break it, by what is wrong.
        not_tried: those to which it does not apply, by the reason.
    """

    name: str
    rule: str
    mend: str
    held: list[str] = field(default_factory=list)
    broken: dict[str, list[str]] = field(default_factory=dict)
    not_tried: dict[str, list[str]] = field(default_factory=dict)


def findings(checks: Iterable[Check]) -> Iterator[Finding]:
    """Run checks, one rule after another. What cannot even be made breaks the rule about that, and is not tried further."""
    by_rule: dict[str, list[Check]] = {}
    for check in checks:
        by_rule.setdefault(check.name, []).append(check)
    unmade: set[str] = set()
    for name, same in by_rule.items():
        finding = Finding(name, same[0].rule, same[0].mend)
        for check in same:
            if check.component in unmade and name != "card_without_torch":
                continue
            try:
                check.run()
            except NotTried as reason:
                finding.not_tried.setdefault(str(reason), []).append(check.component)
            except Exception as error:
                finding.broken.setdefault(in_words(error, check.package), []).append(check.component)
                unmade |= {check.component} if check.makes else set()
            else:
                finding.held.append(check.component)
        if finding.held or finding.broken or finding.not_tried:
            yield finding


def in_words(error: Exception, package: str) -> str:
    """What is wrong: the sentence of an assertion or of a FerbenchError; of any other error, or of one without a sentence, its kind
    and the line of the package that led to it."""
    if isinstance(error, AssertionError | FerbenchError) and str(error):
        return str(error)
    frames = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] == package
    ]
    where = f" ({frames[-1][0]}, line {frames[-1][1]})" if frames else ""
    return f"{type(error).__name__}: {str(error) or 'no message'}{where}"
