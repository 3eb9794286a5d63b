"""What the documentation shows works."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md"), *ROOT.glob("*.md")]
)


def test_the_method_of_the_howto_runs(ferbench: Callable[..., Any], smoke: tuple[str, ...], tmp_path: Path) -> None:
    page = (ROOT / "docs" / "howto" / "write-a-method.md").read_text()
    file = tmp_path / "twoheads.py"
    file.write_text(re.findall(r"```python\n(.*?)```", page, re.S)[0])
    done = ferbench("run", "--plugin", file, "method=twoheads", "ablation=all", *smoke)
    assert done.status == 0, done.err
    checked = ferbench("check", "--plugin", file, "twoheads")
    assert checked.status == 0, checked.out


def test_the_stage_of_the_howto_is_that_of_the_example() -> None:
    page = (ROOT / "docs" / "howto" / "write-a-method.md").read_text()
    package = ROOT / "examples" / "ferbench-example-momentum" / "src" / "ferbench_example_momentum"
    source = textwrap.dedent((package / "method.py").read_text().partition("class MomentumContrast(Method):\n")[2])
    shown = re.findall(r"```python\n(.*?)```", page, re.S)[1]
    functions = re.split(r"\n\n(?=def )", shown.rstrip())
    assert len(functions) == 2
    assert all(function in source for function in functions)


def test_the_group_of_the_howto() -> None:
    from types import SimpleNamespace

    from torch import nn

    from ferbench import Group

    page = (ROOT / "docs" / "howto" / "write-a-method.md").read_text()
    names: dict[str, Any] = {
        "self": SimpleNamespace(expression=nn.Linear(2, 2), backbone=nn.Linear(2, 2), centres=nn.Embedding(2, 2))
    }
    exec(next(text for text in re.findall(r"```python\n(.*?)```", page, re.S) if "parts=" in text), names)
    group = names["group"]
    assert isinstance(group, Group)
    assert callable(group.schedule)
    assert [part.lr for part in group.parts] == pytest.approx([0.001, 0.5])
    half = 0.05 + 0.95 * 0.5
    found = [group.schedule(progress) for progress in (0.0, 0.025, 0.05, half - 0.01, half + 0.01, 0.9)]
    assert found == pytest.approx([0.0, 0.5, 1.0, 1.0, 0.1, 0.01]), (
        "the steps are fractions of what follows the warm-up"
    )


@pytest.mark.parametrize(
    ("page", "module", "name"),
    [
        *(
            ("write-a-method", "schedules", name)
            for name in ("Constant", "Cosine", "Exponential", "StepDecay", "Polynomial", "Warmup")
        ),
        *(
            ("choose-batches", "transforms", name)
            for name in ("Flip", "CropResize", "ColourJitter", "Grey", "Blur", "Erase")
        ),
    ],
)
def test_the_arguments_in_the_tables_of_the_howtos(page: str, module: str, name: str) -> None:
    import importlib
    import inspect

    text = (ROOT / "docs" / "howto" / f"{page}.md").read_text()
    (shown,) = re.findall(rf"^\| `{name}\((.*?)\)` \|", text, re.M)
    kind = getattr(importlib.import_module(f"ferbench.blocks.{module}"), name)
    parameters = inspect.signature(kind).parameters.values()
    exact = shown.replace("3/4, 4/3", f"{3 / 4}, {4 / 3}")
    assert exact == ", ".join(p.name if p.default is p.empty else f"{p.name}={p.default}" for p in parameters)


def test_the_method_with_action_units_runs(
    ferbench: Callable[..., Any], smoke: tuple[str, ...], tmp_path: Path
) -> None:
    """Its estimates are stored, measured again from the record, and held against a constant."""
    import json

    page = (ROOT / "docs" / "howto" / "choose-batches.md").read_text()
    file, results = tmp_path / "actionunits.py", tmp_path / "results"
    file.write_text(next(t for t in re.findall(r"```python\n(.*?)```", page, re.S) if "hookimpl" in t))
    done = ferbench("run", "--plugin", file, "method=actionunits", *smoke)
    assert done.status == 0, done.err
    (path,) = results.glob("*/record.json")
    record = json.loads(path.read_text())
    names = {"au_f1", "au_f1/constant", "intensity_mae", "intensity_mae/constant"}
    assert names <= set(record["metrics"])
    assert "estimates.npz" in record["files"]
    assert record["provenance"]["evaluators"]["estimates"] == 1
    assert set(record["by_subject"]["intensity_mae"]) == set(record["subjects"])
    assert ferbench("evaluate", results, "--metric", "au_f1", "--again").status == 0
    again = json.loads((results / ".evaluated" / f"{path.parent.name}.json").read_text())
    assert {name: again[name] for name in names} == {name: record["metrics"][name] for name in names}
    assert "a constant" in ferbench("leaderboard", results, "--metric", "au_f1").out
    checked = ferbench("check", "--plugin", file, "actionunits")
    assert checked.status == 0, checked.out


def test_the_dataset_of_the_howto_runs(ferbench: Callable[..., Any], smoke: tuple[str, ...], tmp_path: Path) -> None:
    page = (ROOT / "docs" / "howto" / "use-a-dataset.md").read_text()
    file, root = tmp_path / "mine.py", tmp_path / "images"
    file.write_text(next(t for t in re.findall(r"```python\n(.*?)```", page, re.S) if "hookimpl" in t))
    levels = {"anger": 40, "happiness": 120, "surprise": 200}
    for subject in range(10):
        for expression, level in levels.items():
            folder = root / f"S{subject}" / expression
            folder.mkdir(parents=True)
            Image.new("RGB", (48, 48), (level, level, 8 * subject)).save(folder / "1.png")
    words = [w for w in smoke if not w.startswith("dataset")]
    done = ferbench("run", "--plugin", file, "dataset=mine", f"dataset.root={root}", "method=cross_entropy", *words)
    assert done.status == 0, done.err


@pytest.mark.needs("torch")
def test_the_tracker_of_the_howto_runs(ferbench: Callable[..., Any], smoke: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "lines.py").write_text(
        re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "howto" / "track-a-study.md").read_text(), re.S)[0]
    )
    done = ferbench(
        "run", "--plugin", tmp_path / "lines.py", "method=cross_entropy", "tracker=lines", "evaluation.judges=0", *smoke
    )
    assert done.status == 0, done.err
    (file,) = (tmp_path / "results").glob(".lines-*.txt")
    text = file.read_text()
    assert "switched off" not in done.out
    assert all(
        what in text for what in (" settings {", " training 8 {", " test 8 {'accuracy'", " done {", "'macro_f1'")
    )


@pytest.mark.slow
@pytest.mark.needs("torch")
def test_the_notebook_of_the_howto_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "howto" / "use-from-python.md").read_text(), re.S):
        exec(compile(block, "use-from-python.md", "exec"), names)
    assert len(names["frame"]) == 4
    assert set(names["board"].frame["method"]) == {"cross_entropy", "grl"}


def test_the_howto_on_a_first_plugin(ferbench: Callable[..., Any], tmp_path: Path) -> None:
    """Its commands are those of the package's README, its code runs, and what it shows of a broken rule is what check says."""
    from ferbench.kit.package import first_steps
    from ferbench.testing import checks

    page = (ROOT / "docs" / "tutorials" / "first-plugin.md").read_text()
    assert ferbench("new", "method", "my-method", "--into", tmp_path).status == 0
    assert all(f"    {command}" in page for command in first_steps(tmp_path / "ferbench-my-method"))
    (conformance, own_test) = re.findall(r"```python\n(.*?)```", page, re.S)
    assert conformance in (tmp_path / "ferbench-my-method" / "tests" / "test_my_method.py").read_text().replace(
        "import conformance, make_batch, method_named", "import conformance"
    )
    found: dict[str, Any] = {}
    exec(own_test, found)
    assert found["features"].ndim == 2
    check = next(c for c in checks.checks_of("method", "cross_entropy") if c.name == "step_on_cpu")
    assert f"The rule: {check.rule}\n" in page
    assert f"What to do: {check.mend}\n" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_every_dependency_has_a_line() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    decisions = (ROOT / "docs" / "decisions.md").read_text()
    extras = [name for group in project["optional-dependencies"].values() for name in group]
    for dependency in [*project["dependencies"], *extras]:
        name = re.split(r"[>=<\[ ]", dependency)[0]
        assert name == "ferbench" or re.search(rf"^\|[^|]*\b{re.escape(name)}\b", decisions, re.M), name


def test_the_citation_names_the_version() -> None:
    import tomllib

    import yaml

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == project["version"]
    assert f"## {project['version']} (" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("page", sorted(ROOT.glob(".github/**/*.yml")), ids=lambda p: p.name)
def test_forge_files_can_be_read(page: Path) -> None:
    import yaml

    assert isinstance(yaml.safe_load(page.read_text()), dict)


def test_every_setting_of_the_configuration_is_documented() -> None:
    from ferbench.config.schema import COUNTS, DOES_NOT_COUNT, Augment, Budget, Preparation, Trainer

    page = (ROOT / "docs" / "reference" / "configuration.md").read_text()
    sections: dict[str, Any] = {"preparation": Preparation, "augment": Augment, "trainer": Trainer, "budget": Budget}
    for section, kind in sections.items():
        for name in kind.__dataclass_fields__:
            assert f"`{section}.{name}`" in page or f"`.{name}`" in page or name == "name", f"{section}.{name}"
    for name in {key.partition(".")[0] for key in COUNTS | set(DOES_NOT_COUNT)}:
        assert f"`{name}" in page, name


def test_every_metric_is_documented() -> None:
    from ferbench.cards import EvaluatorCard
    from ferbench.registry.loader import load_registry

    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    for card in load_registry().catalogue(EvaluatorCard).values():
        for metric in card.metrics:
            row = next((line for line in page.splitlines() if line.startswith("|") and f"`{metric.name}`" in line), "")
            assert row, metric.name
            assert ("↑" if metric.higher_is_better else "↓") in row, f"the direction of {metric.name}"


def test_the_results_are_those_of_their_records(tmp_path: Path) -> None:
    """Each row of the two tables that has records: trials, accuracy with its interval, leakage."""
    import tarfile

    from ferbench.api.reading import known_cards
    from ferbench.ranking.aggregate import BoardQuery, boards
    from ferbench.records.store import Store
    from ferbench.registry.loader import load_registry
    from ferbench.report.columns import cell

    with tarfile.open(ROOT / "docs" / "records" / "synthfaces.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    records, damaged = Store(tmp_path / "synthfaces").scan()
    assert not damaged
    page = (ROOT / "docs" / "results.md").read_text().partition("## confounded")
    found = boards(records, query=BoardQuery(include_ablations=False, cards=known_cards(load_registry())))
    assert [board.dataset for board in found] == ["synthfaces", "synthfaces confounded"]
    for board, text in zip(found, (page[0], page[2]), strict=True):
        for row in board.rows:
            line = next(line for line in text.splitlines() if f"| {row.method} |" in line)
            for part in (f"{row.done}/{row.planned}", cell(row, "accuracy"), cell(row, "identity_leakage")):
                assert f"| {part} |" in line, f"{row.method} on {board.dataset}: {part}"
