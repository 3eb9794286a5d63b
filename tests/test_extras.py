"""Which extra of ferbench brings a package that is missing."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ferbench.errors import FerbenchError
from ferbench.extras import extra_of, needed_by, requirements

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
DECLARED = [
    f"{requirement}; extra == '{extra}'"
    for extra, group in PROJECT["optional-dependencies"].items()
    for requirement in group
]


@pytest.mark.parametrize(
    ("package", "extra"),
    [
        ("torch", "train"),
        ("matplotlib", "report"),
        ("scikit_posthocs", "report"),
        ("av", "video"),
        ("openpyxl", "excel"),
        ("uniface", "faces"),
        ("tensorboard", "tensorboard"),
        ("mlflow", "mlflow"),
        ("wandb", "wandb"),
    ],
)
def test_a_package_is_named_with_the_smallest_extra_that_has_it(package: str, extra: str) -> None:
    assert extra_of(package, DECLARED) == extra


def test_what_no_extra_has_is_no_matter_of_extras() -> None:
    assert extra_of("numpy", [*PROJECT["dependencies"], *DECLARED]) == ""
    with pytest.raises(ModuleNotFoundError), needed_by("A test"):
        import no_such_package  # type: ignore[import-not-found]  # noqa: F401


@pytest.mark.skipif(find_spec("torch") is not None, reason="torch is installed")
def test_a_command_that_lacks_its_extra_says_so_in_a_sentence(ferbench: Callable[..., Any], tmp_path: Path) -> None:
    done = ferbench("run", "method=degan", "budget=smoke", f"results_dir={tmp_path}")
    assert done.status == 2
    assert done.err.splitlines()[-1] == (
        "Error: `ferbench run` needs torch, which is not installed: pip install 'ferbench[train]'."
    )


@pytest.mark.skipif(find_spec("torch") is not None, reason="torch is installed")
def test_a_study_is_planned_without_torch(ferbench: Callable[..., Any], tmp_path: Path) -> None:
    done = ferbench("run", "method=degan", "--dry-run", f"results_dir={tmp_path}")
    assert done.status == 0, done.err
    assert "An estimate needs torch" in " ".join(done.out.split())


@pytest.mark.skipif(find_spec("torch") is not None, reason="torch is installed")
def test_a_component_that_lacks_its_extra_says_so() -> None:
    from ferbench import BackboneCard
    from ferbench.registry.loader import load_registry

    with pytest.raises(FerbenchError, match=r"backbone 'convnet' needs torch, .* pip install 'ferbench\[train\]'"):
        load_registry().get(BackboneCard, "convnet").load()


def test_the_installed_metadata_can_be_read() -> None:
    assert any(line.startswith("pluggy") for line in requirements())
