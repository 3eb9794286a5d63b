"""Hydra composes; its errors are sentences; every field counts for a trial's identity or does not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ferbench.config import complete, compose
from ferbench.errors import FerbenchError
from ferbench.registry import load_registry
from ferbench.settings import COUNTS, DOES_NOT_COUNT, RunConfig, from_plain


def one(*overrides: str, **more: object) -> RunConfig:
    (config,) = compose(load_registry(), list(overrides), **more)  # type: ignore[arg-type]
    return config


def test_defaults() -> None:
    config = one("method=degan")
    assert config.dataset["name"] == "synthfaces"
    assert config.backbone["name"] == "convnet"
    assert config.budget.name == "paper"
    assert config.method["identity_head"] is True


@pytest.mark.parametrize(("name", "steps", "size"), [("smoke", 8, 32), ("demo", 1200, 48), ("paper", 12000, 96)])
def test_budgets(name: str, steps: int, size: int) -> None:
    config = one("method=degan", f"budget={name}")
    assert (config.budget.name, config.budget.steps, config.preparation.image_size) == (name, steps, size)


def test_a_value_beside_a_budget_wins() -> None:
    assert one("method=degan", "budget=smoke", "budget.steps=3").budget.steps == 3


def test_settings_of_a_card_are_typed() -> None:
    assert one("method=degan", "method.lr=1").method["lr"] == 1.0
    assert one("method=degan", "protocol.folds=[0,2]").protocol["folds"] == [0, 2]
    assert one("method=degan", "backbone=timm", "backbone.model=resnet26").backbone["model"] == "resnet26"


def test_a_sweep_is_expanded_into_one_study() -> None:
    configs = compose(load_registry(), ["method=degan,cross_entropy", "seed=range(3)"], sweep=True)
    assert [(c.method["name"], c.seed) for c in configs] == [
        (m, s) for m in ("degan", "cross_entropy") for s in range(3)
    ]


def test_a_folder_of_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /method: degan\nseed: 7\n"
    )
    config = one("experiment=mine", config_dir=str(tmp_path))
    assert (config.method["name"], config.seed) == ("degan", 7)
    with pytest.raises(FerbenchError, match="which is no folder"):
        one("method=degan", config_dir=str(tmp_path / "no"))


def test_a_shipped_experiment() -> None:
    config = one("experiment=synthfaces_degan")
    assert (config.method["name"], config.ablation) == ("degan", "all")


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ((), r"Which method\? Write method=NAME. Known: cross_entropy, degan"),
        (("method=degna",), "Did you mean 'degan'"),
        (("method=degan", "dataset=oulo"), "Did you mean 'oulu'"),
        (("method=degan", "backbone=tim"), "Did you mean 'timm'"),
        (("method=degan", "protocol=subject_kfolds"), "Did you mean 'subject_kfold'"),
        (("method=degan", "budget=smok"), "Did you mean 'smoke'"),
        (("method=degan", "method.identity_haed=false"), "Did you mean 'method.identity_head'"),
        (("method=degan", "trainer.devise=cpu"), "Did you mean 'trainer.device'"),
        (("method=degan", "bugdet=smoke"), "Did you mean 'budget'"),
        (
            ("method=degan", "method.lr=abc"),
            "method.lr=abc is not possible: value 'abc' .* could not be converted to Float",
        ),
        (("method=degan", "method.lr=inf"), "method.lr is inf; it has to be a number"),
        (("method=degan", "seeds=3"), "seeds=3 is not possible"),
        (("method=degan", "nonsense"), "'nonsense' is not an override; one reads key=value"),
        (("method=degan", "--nonsense"), "'--nonsense' is no option of ferbench run"),
        (("method=degan,cross_entropy",), "add --multirun"),
        (("method=degan", "method.name=x"), "method.name follows from method; write method=x"),
        (("method=degan", "hydra/launcher=joblib"), "use executor=NAME"),
        (("method=degan", "trainer.precision=fp16"), "trainer.precision is 'fp16'; it can be auto, fp32, bf16"),
        (("method=degan", "preparation.image_size=2"), "at least 16"),
        (("method=degan", "trainer.accumulate=3"), "does not divide budget.batch_size=64"),
        (("method=degan", "+extra=1"), "no setting 'extra'"),
        (("method=degan", "+method.extra=1"), "no setting of method 'degan' 'extra'"),
    ],
)
def test_errors_are_sentences(overrides: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(FerbenchError, match=sentence) as caught:
        one(*overrides)
    assert "\n" not in str(caught.value)


def leaves(config: RunConfig) -> set[str]:
    found = set()
    for f in dataclasses.fields(config):
        value = getattr(config, f.name)
        if dataclasses.is_dataclass(value) and f.name not in COUNTS:
            found |= {f"{f.name}.{inner.name}" for inner in dataclasses.fields(value)}
        else:
            found.add(f.name)
    return found


def test_every_field_counts_or_does_not() -> None:
    fields = leaves(one("method=degan"))
    assert COUNTS | set(DOES_NOT_COUNT) == fields
    assert not COUNTS & set(DOES_NOT_COUNT)


def test_plain_and_back() -> None:
    config = one("method=degan", "budget=smoke", "seeds=[1,2]")
    assert from_plain(config.plain()) == config


def test_completion() -> None:
    registry = load_registry()
    assert "method=degan" in complete(registry, [], "method=de")
    assert "dataset=synthfaces" in complete(registry, ["method=degan"], "dataset=")
    assert "method.identity_head=" in complete(registry, ["method=degan"], "method.identity_h")
