"""What errors say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ferbench import FerbenchError, NoSuch, UnknownName
from ferbench.cards import DatasetCard
from ferbench.registry.component import Component
from ferbench.registry.loader import load_registry


def test_an_unknown_name_gets_the_nearest_and_all() -> None:
    assert str(UnknownName("method", "degna", ["degan", "grl"])) == (
        "There is no method 'degna'. Did you mean 'degan'? Known: degan, grl."
    )


def test_what_is_not_where_it_was_looked_for() -> None:
    assert str(NoSuch("frame", "F01/x", "kdef")) == "There is no frame 'F01/x' in kdef."


def test_a_dataset_without_that_frame_says_so(lab_tree: Callable[[str], Path]) -> None:
    kdef = Component("kdef", {"root": str(lab_tree("kdef"))}).make(load_registry(), DatasetCard)
    kdef.frames()
    with pytest.raises(FerbenchError, match=r"^There is no frame 'F01/x' in kdef\.$"):
        kdef.image("F01/x")
