"""What `stages()` of a method may not give is refused before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from torch import nn

from ferbench import Group, Stage
from ferbench.errors import TrainingError
from ferbench.execution.training import stages_of
from ferbench.interfaces.executor import Progress


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: [Stage("one", lambda batch, clock: iter(()), {"all": Group([nn.Linear(1, 1)], lr="0.1")})],  # type: ignore[arg-type]
            r"cannot be made: Group\.lr is '0\.1'; it has to be a number\.",
        ),
        (lambda: Stage("one", lambda batch, clock: iter(()), {}), r"returns Stage\(name='one', .*it has to be a list of stages\."),
        (lambda: None, r"returns None; it has to be a list of stages\."),
        (lambda: ["training"], r"returns \['training'\]; it has to be a list of stages\."),
    ],
)  # fmt: skip
def test_the_class_and_what_is_wrong_are_named(make: Callable[[], object], sentence: str) -> None:
    class Wrong:
        def stages(self) -> object:
            return make()

    setup = SimpleNamespace(method=Wrong(), fold=None, config=None)
    with pytest.raises(TrainingError, match=rf"stages\(\) of tests\.execution\.test_stages_of:Wrong {sentence}"):
        list(stages_of(None, setup, Progress()))  # type: ignore[arg-type]
