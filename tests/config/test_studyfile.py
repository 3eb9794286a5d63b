"""Study files: a whole comparison as one command."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferbench.config.compose import compose
from ferbench.config.studyfile import expand, find
from ferbench.errors import FerbenchError
from ferbench.plan.study import plan
from ferbench.registry.loader import load_registry

Run = Callable[..., Any]
REGISTRY = load_registry()


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return path


SMALL = """
methods: [degan, {name: grl, reversal: 0.5}, cross_entropy]
ablations: {degan: no_identity_head+no_residue_loss}
datasets:
  - {name: synthfaces, subjects: 10, image_size: 48}
  - {name: synthfaces, subjects: 10, image_size: 48, preset: confounded}
protocols: [{name: subject_kfold, k: 2, folds: [0]}]
seeds: [0, 1]
overrides: [budget=smoke]
"""


def test_every_method_on_every_dataset(tmp_path: Path) -> None:
    runs = expand(write(tmp_path, SMALL), REGISTRY, ["trainer.device=cpu"])
    assert len(runs) == 2 * 3
    assert runs[0] == [
        "dataset=synthfaces", "dataset.subjects=10", "dataset.image_size=48", "protocol=subject_kfold", "protocol.k=2",
        "protocol.folds=[0]", "method=degan", "ablation=no_identity_head+no_residue_loss", "budget=smoke", "seeds=[0,1]",
        "trainer.device=cpu",
    ]  # fmt: skip
    study = plan(REGISTRY, [config for words in runs for config in compose(REGISTRY, words)])
    assert len(study.trials) == 2 * 3 * 2
    assert {t.config["method"].get("reversal") for t in study.trials if t.method == "grl"} == {0.5}
    assert {t.variant for t in study.trials if t.method == "degan"} == {"no_identity_head+no_residue_loss"}


@pytest.mark.slow
@pytest.mark.needs("torch")
def test_the_shipped_studies_can_be_planned(monkeypatch: pytest.MonkeyPatch, lab_tree: Callable[[str], Path]) -> None:
    runs = expand(find("synthfaces", load_registry()), REGISTRY)
    study = plan(REGISTRY, [config for words in runs for config in compose(REGISTRY, words)])
    assert len(study.trials) == 2 * 3 * 3 * (10 + 9)
    for variable, name in {"CKPLUS_ROOT": "ckplus7c", "OULU_ROOT": "oulu", "MMI_ROOT": "mmi"}.items():
        monkeypatch.setenv(variable, str(lab_tree(name)))
    runs = expand(find("paper", load_registry()), REGISTRY)
    assert len(plan(REGISTRY, [c for words in runs for c in compose(REGISTRY, words)]).trials) == 3 * 10 * 3 * (10 + 9)


@pytest.mark.slow
@pytest.mark.needs("torch")
def test_a_study_runs(ferbench: Run, tmp_path: Path) -> None:
    file = write(tmp_path, SMALL.replace("seeds: [0, 1]", ""))
    words = ("run", f"study={file}", f"results_dir={tmp_path / 'r'}", "trainer.device=cpu")
    planned = ferbench(*words, "--dry-run")
    assert planned.status == 0, planned.err
    assert "6 trials" in planned.out
    without = ferbench(*words, "evaluation.judges=0", "--dry-run")
    kinds = []
    for told in (planned, without):
        found = re.search(
            r"It would take about .*: training .*, all else .* \((\d+) kinds? of stage", " ".join(told.out.split())
        )
        assert found is not None, told.out
        kinds.append(int(found[1]))
    assert kinds[0] == kinds[1] + 1  # the judges
    done = ferbench(*words)
    assert done.status == 0, done.err
    assert "6 trials: 6 run" in done.out
    assert "Nothing to run: all 6 trials are stored" in ferbench(*words).out
    again = ferbench(*words, "--dry-run")
    assert "It would take" not in again.out


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    path = tmp_path / "study" / "ours.yaml"
    path.write_text(SMALL)
    assert find("ours", load_registry(), str(tmp_path)) == path
    assert find(str(path), load_registry()) == path
    with pytest.raises(FerbenchError, match="no study 'our'. Did you mean 'ours'"):
        find("our", load_registry(), str(tmp_path))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("methods: [degan]", "has no datasets"),
        ("datasets: [oulu]", "has no methods"),
        ("- degan", "is not a mapping with methods and datasets"),
        ("methods: [degan", "mine.yaml cannot be read"),
        ("methods: [degna]\ndatasets: [oulu]", "no method 'degna'. Did you mean 'degan'"),
        ("methods: [degan]\ndatasets: [olu]", "no dataset 'olu'. Did you mean 'oulu'"),
        ("methods: [degan]\ndatasets: [oulu]\nprotocols: [loos]", "no protocol 'loos'"),
        ("methods: [degan]\ndatasets: [oulu]\nseed: 3", "no key of a study .* 'seed'. Did you mean 'seeds'"),
        ("methods: [degan]\ndatasets: [oulu]\nseeds: 3", "seeds of the study .* is not a list"),
        ("methods: [degan]\ndatasets: [oulu]\nablations: all", "ablations of the study .* is not a mapping"),
        ("methods: [degan]\ndatasets: [oulu]\nablations: {grl: all}", "no method of the study mine .* 'grl'"),
        ("methods: [{lr: 3}]\ndatasets: [oulu]", "methods of the study .* contains {'lr': 3}; write a name"),
        ("methods: [degan]\ndatasets: [{name: oulu, root: $NOT_THERE}]", "needs the environment variable NOT_THERE"),
    ],
)
def test_bad_studies(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(FerbenchError, match=sentence):
        expand(write(tmp_path, text), REGISTRY)


def test_studies_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FerbenchError, match="no study 'papper'. Did you mean 'paper'.*study=./mine.yaml"):
        find("papper", load_registry())
    with pytest.raises(FerbenchError, match="study=gone.yaml: there is no such file"):
        find("gone.yaml", load_registry())


def test_a_name_that_two_studies_share(tmp_path: Path) -> None:
    files = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        study = tmp_path / name / "theirs.yaml"
        study.write_text(SMALL)
        file = tmp_path / f"{name}.py"
        file.write_text(
            f"from ferbench import hookimpl\n\n@hookimpl\ndef ferbench_studies():\n    return [{str(study)!r}]\n"
        )
        files.append(str(file))
    with pytest.raises(
        FerbenchError, match=r"several studies 'theirs': .*one/theirs.yaml and .*two/theirs.yaml. Write study=FILE"
    ):
        find("theirs", load_registry(files))
    assert find("theirs", load_registry(files[:1])).parent.name == "one"
    assert find(str(tmp_path / "two" / "theirs.yaml"), load_registry(files)).parent.name == "two"


def test_what_the_study_names_is_not_named_again(tmp_path: Path) -> None:
    with pytest.raises(FerbenchError, match="'method=grl' does not go with study=mine, which sets method itself"):
        expand(write(tmp_path, SMALL), REGISTRY, ["method=grl"])


def test_a_root_with_blanks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OULU", "/data/Oulu CASIA's copy")
    (words,) = expand(write(tmp_path, "methods: [grl]\ndatasets: [{name: oulu, root: $OULU}]"), REGISTRY)
    (config,) = compose(REGISTRY, words)
    assert config.dataset.settings["root"] == "/data/Oulu CASIA's copy"
