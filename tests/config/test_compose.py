"""Hydra composes; its errors are sentences; every field counts for a trial's identity or does not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ferbench.config.compose import complete, compose
from ferbench.config.schema import COUNTS, DOES_NOT_COUNT, SECTIONS, RunConfig, from_dict
from ferbench.errors import FerbenchError
from ferbench.registry.loader import load_registry


def one(*overrides: str, **more: object) -> RunConfig:
    (config,) = compose(load_registry(), list(overrides), **more)  # type: ignore[arg-type]
    return config


def test_defaults() -> None:
    config = one("method=degan")
    assert config.dataset.name == "synthfaces"
    assert config.backbone.name == "convnet"
    assert config.budget.name == "paper"
    assert config.method.settings["identity_head"] is True


@pytest.mark.parametrize(("name", "steps", "size"), [("smoke", 8, 32), ("demo", 1200, 48), ("paper", 12000, 96)])
def test_budgets(name: str, steps: int, size: int) -> None:
    config = one("method=degan", f"budget={name}")
    assert (config.budget.name, config.budget.steps, config.preparation.image_size) == (name, steps, size)


def test_a_value_beside_a_budget_wins() -> None:
    assert one("method=degan", "budget=smoke", "budget.steps=3").budget.steps == 3


def test_settings_of_a_card_are_typed() -> None:
    assert one("method=degan", "method.lr=1").method.settings["lr"] == 1.0
    assert one("method=degan", "protocol.folds=[0,2]").protocol.settings["folds"] == [0, 2]
    assert one("method=degan", "backbone=timm", "backbone.model=resnet26").backbone.settings["model"] == "resnet26"


def test_a_sweep_is_expanded_into_one_study() -> None:
    configs = compose(load_registry(), ["method=degan,cross_entropy", "seeds=range(3)"], sweep=True)
    assert [(c.method.name, *c.seeds) for c in configs] == [
        (m, s) for m in ("degan", "cross_entropy") for s in range(3)
    ]


def test_a_folder_of_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "budget").mkdir()
    (tmp_path / "budget" / "mine.yaml").write_text("# @package _global_\nbudget:\n  name: mine\n  steps: 77\n")
    config = one("method=degan", "budget=mine", config_dir=str(tmp_path))
    assert config.budget.steps == 77
    with pytest.raises(FerbenchError, match="which is not a folder"):
        one("method=degan", config_dir=str(tmp_path / "no"))


def test_one_number_stands_for_a_list_of_one() -> None:
    assert one("method=degan", "seeds=3").seeds == [3]
    assert one("method=degan", "protocol.folds=0").protocol.settings["folds"] == [0]
    assert one("method=degan").protocol.settings["folds"] is None


def test_a_former_name_of_a_setting_works_and_is_said_to_be_one() -> None:
    told: list[str] = []
    (config,) = compose(load_registry(), ["method=degan", "evaluation.looks=5"], tell=told.append)
    assert config.evaluation.test_curve_points == 5
    assert told == [
        "The setting 'evaluation.looks' is now called 'evaluation.test_curve_points'; the former name will be refused later."
    ]


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
        (("method=degan", "method.lr=inf"), "method.lr is inf; it has to be a finite number"),
        (("method=degan", "seeds=x"), "seeds is x; write a whole number, or several such as seeds=.0,1,2."),
        (("method=degan", "preparation.fit=corp"), "it can be crop, pad, squash. Did you mean 'crop'"),
        (("method=degan", "protocol.folds=x"), "protocol.folds is x; write a whole number"),
        (("method=degan", "seed=1"), "There is no setting 'seed'. Write seeds=1, or several such as"),
        (("method=degan", "experiment=mine"), "There is no setting 'experiment'. A bundle of runs is a study file"),
        (("method=degan", "nonsense"), "'nonsense' is not an override. Write key=value"),
        (("method=degan", "--nonsense"), "'--nonsense' is not an option of ferbench run"),
        (("method=degan,cross_entropy",), "add --multirun"),
        (("method=degan", "method.name=x"), "method.name cannot be set; write method=x"),
        (("method=degan", "hydra/launcher=joblib"), "use executor=NAME"),
        (("method=degan", "trainer.precision=fp8"), "trainer.precision is 'fp8'; it can be auto, fp32, bf16, fp16"),
        (("method=degan", "preparation.image_size=2"), "at least 16"),
        (("method=degan", "trainer.accumulate=3"), "does not divide budget.batch_size=64"),
        (("method=degan", "trainer.devices=0"), "trainer.devices is 0; it has to be at least 1"),
        (
            ("method=degan", "trainer.devices=3"),
            "batch_size=64 cannot be divided into equal parts of 2 or more images for 3 devices; budget.batch_size=63 can",
        ),
        (
            ("method=degan", "trainer.devices=4", "trainer.accumulate=2", "budget.batch_size=8"),
            "for 4 devices x 2 micro-batches; budget.batch_size=16 can",
        ),
        (
            ("method=degan", "trainer.devices=2", "trainer.device=cuda:1"),
            "trainer.device=cuda:1 is one GPU, and trainer.devices=2 asks for 2. Type trainer.device=cuda",
        ),
        (("method=null",), "method=null leaves the run without method; write method=NAME"),
        (("method=degan", "~backbone"), "~backbone leaves the run without backbone; write backbone=NAME"),
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
        if f.name in SECTIONS and f.name not in COUNTS:
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
    assert from_dict(config.to_dict()) == config


def test_completion() -> None:
    registry = load_registry()
    assert "method=degan" in complete(registry, [], "method=de")
    assert "dataset=synthfaces" in complete(registry, ["method=degan"], "dataset=")
    assert "trainer.precision=bf16" in complete(registry, ["method=degan"], "trainer.precision=b")
    assert "method.identity_head=" in complete(registry, ["method=degan"], "method.identity_h")
