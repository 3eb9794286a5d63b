"""New metrics for finished records, drill-down, submissions and the report, on records of a real run."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ferbench.cards import EvaluatorCard
from ferbench.hashing import file_digest
from ferbench.records.schema import Record
from ferbench.records.seals import seal, unseal
from ferbench.records.store import Store
from ferbench.registry.loader import load_registry
from tests.conftest import SMOKE

Ferbench = Callable[..., Any]


@pytest.fixture
def results(ran: Path, tmp_path: Path) -> Path:
    """A copy of its results that a test may change."""
    return Path(shutil.copytree(ran, tmp_path / "results"))


def one(results: Path, method: str = "tergan") -> Record:
    return next(r for r in Store(results).scan()[0] if r.trial.method == method)


@pytest.mark.slow
def test_metrics_on_request(ferbench: Ferbench, results: Path) -> None:
    assert "mig" not in one(results).metrics
    done = ferbench("evaluate", results, "--metric", "mig")
    assert done.status == 0, done.err
    assert "4 records evaluated." in done.out
    assert one(results).metrics["mig"] is not None
    assert "mig_blocks" in one(results).metrics, "TER-GAN has a representation of identity"
    assert "mig_blocks" not in one(results, "cross_entropy").metrics
    assert "0 records evaluated." in ferbench("evaluate", results, "--metric", "mig").out
    shown = ferbench("leaderboard", results, "--metric", "mig")
    assert "MIG" in shown.out, shown.err


def test_what_is_evaluated_again_is_what_was_evaluated_first(ferbench: Ferbench, results: Path) -> None:
    """The stored arrays hold all that the trial's own metrics were worked out from."""
    before = {r.trial.id: r.metrics for r in Store(results).scan()[0]}
    names = ("identity_leakage", "accuracy", "expression_consistency", "identity_leakage/identity", "synthesis_psnr")
    asked = [word for name in ("accuracy", "identity_leakage", "kid") for word in ("--metric", name)]
    assert "4 records evaluated." in ferbench("evaluate", results, "--again", *asked).out
    for record in Store(results).scan()[0]:
        for name in names:
            assert record.metrics.get(name) == pytest.approx(before[record.trial.id].get(name)), name


BROKEN = """
from ferbench import EvaluatorCard, Metric, hookimpl

@hookimpl
def ferbench_evaluators():
    return [EvaluatorCard(name="mine", target=__name__ + ":evaluate", title="t", metrics=[Metric(name="mine", title="mine")])]

def evaluate(outputs):
    raise RuntimeError("no such table")
"""


def test_an_evaluator_that_fails_costs_no_trained_trial(ferbench: Ferbench, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    words = [
        "method=cross_entropy",
        *SMOKE,
        "dataset.subjects=8",
        "protocol=subject_kfold",
        "protocol.k=2",
        "protocol.folds=0",
    ]
    results = tmp_path / "results"
    done = ferbench("run", "--plugin", tmp_path / "broken.py", *words, f"results_dir={results}")
    assert done.status == 0, done.err
    (record,) = Store(results).scan()[0]
    assert record.metrics["accuracy"] is not None
    assert "mine" not in record.metrics
    assert "mine" not in record.provenance["evaluators"]
    sentence = (
        f"The evaluator 'mine' of the plugin file {tmp_path / 'broken.py'} failed (RuntimeError: no such table); not measured: "
        "mine. 'ferbench evaluate --metric mine' runs it again."
    )
    assert sentence in record.notes
    assert sentence in " ".join(ferbench("leaderboard", results, "--format", "markdown").out.split())
    assert "RuntimeError: no such table" in done.out, "the traceback is shown"
    assert set(record.by_subject) >= {"identity_leakage", "expression_probe", "selectivity", "identity_auc"}
    for name, values in record.by_subject.items():
        assert record.metrics[name] == pytest.approx(np.mean(list(values.values())))


def test_leakage_is_compared_and_ranked_by_subject(ferbench: Ferbench, results: Path) -> None:
    shown = ferbench("leaderboard", results, "--metric", "identity_leakage", "--metric", "identity_leakage_strongest")
    assert "id leak max" in shown.out, shown.err
    assert not any("not ranked" in line for line in shown.out.splitlines())
    done = ferbench("compare", "tergan", "cross_entropy", results, "--metric", "identity_leakage")
    assert done.status == 0, done.err
    assert "difference        " in done.out
    assert " points" not in next(line for line in done.out.splitlines() if "difference   " in line)
    assert "no metric 'nonsense'" in ferbench("compare", "tergan", "cross_entropy", results, "--metric", "nonsense").err


@pytest.mark.slow
def test_metrics_of_another_version_are_computed_again(
    ferbench: Ferbench, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = one(results).provenance["evaluators"]
    assert versions["leakage"] == load_registry().get(EvaluatorCard, "leakage").version
    assert "disentanglement" not in versions, "it is computed on request"
    assert "4 records evaluated." in ferbench("evaluate", results, "--metric", "mig").out
    assert one(results).provenance["evaluators"] == {**versions, "disentanglement": 2}
    registry = load_registry()
    card = registry.get(EvaluatorCard, "disentanglement")
    raised = dataclasses.replace(card, version=3)
    monkeypatch.setattr("ferbench.execution.reevaluate.chosen", lambda registry, metrics: [raised])
    assert "4 records evaluated." in ferbench("evaluate", results, "--metric", "mig").out
    assert "0 records evaluated." in ferbench("evaluate", results, "--metric", "mig").out
    assert one(results).provenance["evaluators"]["disentanglement"] == 3


def test_a_changed_file_is_not_judged(ferbench: Ferbench, results: Path) -> None:
    record = one(results)
    np.save(results / record.trial.id / "embeddings.npy", np.zeros((3, 3)))
    done = ferbench("evaluate", results, "--metric", "identity_auc", "--again")
    assert done.status == 1
    assert "embeddings.npy is not the file that its record names; it was changed." in done.err
    assert "3 records evaluated, 1 could not be." in done.out


def test_unknown_metric(ferbench: Ferbench, results: Path) -> None:
    assert "no metric 'mgi'. Did you mean 'mig'?" in ferbench("evaluate", results, "--metric", "mgi").err


def test_accuracy_by_factor(ferbench: Ferbench, results: Path) -> None:
    shown = ferbench("leaderboard", results, "--by", "expression", "--format", "csv")
    table = pd.read_csv(io.StringIO(shown.out))
    record = one(results, "cross_entropy")
    records = [r for r in Store(results).scan()[0] if r.trial.method == "cross_entropy"]
    counts = np.sum([np.asarray(t) for r in records for t in r.confusion.values()], axis=0)
    for index, expression in enumerate(record.expressions):
        line = table[(table["method"] == "cross_entropy") & (table["level"] == expression)]
        assert line["accuracy"].item() == pytest.approx(counts[index, index] / counts[index].sum(), abs=1e-6)
        assert line["frames"].item() == counts[index].sum()
        assert line["low"].item() <= line["accuracy"].item() <= line["high"].item()
    by_subject = ferbench("leaderboard", results, "--by", "subject")
    assert "S001" in by_subject.out
    assert "yaw" in ferbench("leaderboard", results, "--by", "yaw").out, "a number is cut into groups"
    assert "no factor among the predictions 'age'" in ferbench("leaderboard", results, "--by", "age").err


def test_a_submission_goes_from_one_place_to_another(ferbench: Ferbench, results: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.zip"
    packed = ferbench("submit", "pack", results, "--method", "tergan", "--output", file)
    assert packed.status == 0, packed.err
    assert "2 records of tergan" in packed.out
    names = zipfile.ZipFile(file).namelist()
    assert not [n for n in names if n.endswith(("weights.safetensors", "synthesis.npy", ".png"))], (
        "no images, no weights"
    )
    into = tmp_path / "submitted"
    done = ferbench("submit", "verify", file, "--into", into, "--own", tmp_path / "none")
    assert done.status == 0, done.out
    assert "2 records: 2 submitted." in done.out
    assert "tergan (submitted)" in ferbench("leaderboard", into).out
    again = ferbench("submit", "verify", file, "--into", into, "--own", results)
    assert "2 records: 2 re-run." in again.out
    assert "tergan (re-run)" in ferbench("leaderboard", into).out
    wrong = ferbench("submit", "verify", file, "test_dataset.root=/x", "--into", tmp_path / "other")
    assert (wrong.status, "Traceback" in wrong.err) == (2, False)
    assert "'test_dataset.root' is set, and the record has no test dataset." in " ".join(wrong.err.split())


def test_a_submission_of_a_test_across_datasets(
    ferbench: Ferbench, lab_tree: Callable[[str], Path], tmp_path: Path
) -> None:
    """The host's copies lie elsewhere."""
    import shutil

    theirs = {name: Path(shutil.copytree(lab_tree(name), tmp_path / "theirs" / name)) for name in ("jaffe", "kdef")}
    words = ["method=cross_entropy", "dataset=jaffe", f"dataset.root={theirs['jaffe']}", "test_dataset=kdef"]
    words += [
        f"test_dataset.root={theirs['kdef']}",
        "budget=smoke",
        "trainer.device=cpu",
        f"results_dir={tmp_path / 'r'}",
    ]
    assert ferbench("run", *words).status == 0
    file, into = tmp_path / "mine.zip", tmp_path / "submitted"
    assert ferbench("submit", "pack", tmp_path / "r", "--method", "cross_entropy", "--output", file).status == 0
    shutil.rmtree(tmp_path / "theirs")
    ours = [f"dataset.root={lab_tree('jaffe')}", f"test_dataset.root={lab_tree('kdef')}"]
    done = ferbench("submit", "verify", file, *ours, "--into", into, "--own", tmp_path / "none")
    assert (done.status, "1 records: 1 submitted." in done.out) == (0, True), done.out + done.err
    wrong = ferbench("submit", "verify", file, f"root={lab_tree('jaffe')}", "--into", into)
    assert "write dataset.root=DIR, test_dataset.root=DIR or protocol.file=FILE" in wrong.err


def test_other_answers_with_an_equal_accuracy_are_disputed(ferbench: Ferbench, results: Path, tmp_path: Path) -> None:
    """The host's own trial errs on the same frames, and gives them another wrong class."""
    file = tmp_path / "mine.zip"
    ferbench("submit", "pack", results, "--method", "tergan", "--output", file)
    for record in Store(results).scan()[0]:
        path = results / record.trial.id / "predictions.parquet"
        table = pd.read_parquet(path)
        columns = [f"p_{expression}" for expression in record.expressions]
        scores = table[columns].to_numpy(copy=True)
        true = table["expression"].map({e: i for i, e in enumerate(record.expressions)}).to_numpy()
        wrong = np.flatnonzero(scores.argmax(1) != true)
        assert len(wrong) > 0.02 * len(table), "a smoke budget leaves enough errors"
        scores[wrong, scores[wrong].argmax(1)] = -2
        scores[wrong, true[wrong]] = -1
        table[columns] = scores
        assert ((scores.argmax(1) != true) == np.isin(np.arange(len(true)), wrong)).all(), "the accuracy is the same"
        table.to_parquet(path)
        values = unseal((path.parent / "record.json").read_text())
        values["files"][path.name] = file_digest(path)
        (path.parent / "record.json").write_text(seal(json.dumps(values)))
    done = ferbench("submit", "verify", file, "--into", tmp_path / "submitted", "--own", results)
    assert "2 records: 2 disputed." in done.out
    assert "of its frames get another class; up to 2% may." in done.out
    assert done.status == 1


def forged(file: Path, place: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The submission with another record.json."""
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(place, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith("record.json"):
                record = unseal(data.decode())
                change(record)
                data = seal(json.dumps(record)).encode()
            target.writestr(name, data)
    return place


def test_claims_that_the_predictions_do_not_bear_out(ferbench: Ferbench, results: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.zip"
    ferbench("submit", "pack", results, "--method", "tergan", "--output", file)
    better = forged(file, tmp_path / "better.zip", lambda r: r["metrics"].update(accuracy=0.99))
    done = ferbench("submit", "verify", better, "--into", tmp_path / "into")
    assert done.status == 1
    assert "0.990 is claimed." in done.out
    assert "2 records: 2 disputed." in done.out
    assert "tergan (disputed)" in ferbench("leaderboard", tmp_path / "into").out
    other = ferbench("submit", "verify", file, "--into", tmp_path / "into")
    assert other.status == 2
    assert "with other content; unpack" in other.err, "one submission never takes the place of another"


def test_values_by_subject_are_checked_and_older_measures_made_again(
    ferbench: Ferbench, results: Path, tmp_path: Path
) -> None:
    file = tmp_path / "mine.zip"
    ferbench("submit", "pack", results, "--method", "tergan", "--output", file)

    def narrower(record: dict[str, Any]) -> None:
        """The same mean with less spread: a narrower interval."""
        mean = record["metrics"]["identity_leakage"]
        record["by_subject"]["identity_leakage"] = dict.fromkeys(record["by_subject"]["identity_leakage"], mean)

    done = ferbench("submit", "verify", forged(file, tmp_path / "n.zip", narrower), "--into", tmp_path / "narrow")
    assert "The values of identity_leakage by subject are not those of its outputs." in done.out

    def older(record: dict[str, Any]) -> None:
        record["provenance"]["evaluators"]["leakage"] = 1
        record["metrics"]["identity_leakage"] = -0.5

    done = ferbench("submit", "verify", forged(file, tmp_path / "o.zip", older), "--into", tmp_path / "old")
    assert "2 records: 2 submitted." in done.out
    own = {r.trial.id: r for r in Store(results).scan()[0]}
    for record in Store(tmp_path / "old").scan()[0]:
        assert record.metrics["identity_leakage"] == pytest.approx(own[record.trial.id].metrics["identity_leakage"])
        assert (
            record.provenance["evaluators"]["leakage"] == own[record.trial.id].provenance["evaluators"]["leakage"] > 1
        )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda r: r["trial"]["identity"].update(seed=7), "was not made from the settings that it states"),
        (lambda r: r["files"].update({"logits.npy": "0" * 64}), "logits.npy is not the file that its record names"),
        (lambda r: r.pop("metrics"), "cannot be read"),
    ],
)
def test_what_is_no_submission(
    ferbench: Ferbench, results: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], sentence: str
) -> None:
    file = tmp_path / "mine.zip"
    ferbench("submit", "pack", results, "--output", file)
    done = ferbench("submit", "verify", forged(file, tmp_path / "forged.zip", change), "--into", tmp_path / "into")
    assert done.status == 2
    assert sentence in done.err
    assert not Store(tmp_path / "into").scan()[0], "nothing of it is taken"


def test_a_zip_that_would_leave_its_folder(ferbench: Ferbench, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../../outside.txt", "x")
    done = ferbench("submit", "verify", tmp_path / "evil.zip", "--into", tmp_path / "into")
    assert done.status == 2
    assert "holds '../../outside.txt', which no submission has; it is refused." in done.err
    (tmp_path / "no.zip").write_text("nothing")
    assert "cannot be read as a submission" in ferbench("submit", "verify", tmp_path / "no.zip").err


def test_a_site_never_lies_in_a_results_folder(ferbench: Ferbench, results: Path) -> None:
    done = ferbench("site", results, "--output", results / "page")
    assert done.status == 2
    assert "lies in the results folder" in done.err
    assert not (results / "page").exists()


def test_the_site(ferbench: Ferbench, results: Path, tmp_path: Path) -> None:
    done = ferbench("site", results, "--output", tmp_path / "site", "--baseline", "cross_entropy")
    assert done.status == 0, done.err
    assert "1 boards, 2 methods, " in done.out
    home, tergan = ((tmp_path / "site" / name).read_text() for name in ("index.html", "methods/tergan.html"))
    trials = {r.trial.id for r in Store(results).scan()[0]}
    names = {path.stem: path for path in (tmp_path / "site" / "figures").glob("*.svg")}
    assert sorted(name.partition("-")[0] for name in names) == ["curves", "leakage", *["representation"] * 2]
    for name in names:
        for ending in ("png", "pdf", "svg"):
            assert (tmp_path / "site" / "figures" / f"{name}.{ending}").stat().st_size > 1000
        assert (
            name in (tergan if "representation" in name else home)
            or name in (tmp_path / "site" / "methods" / "cross_entropy.html").read_text()
        )
    (leakage,) = (path for name, path in names.items() if name.startswith("leakage"))
    assert all(trial in leakage.read_text() for trial in trials)
    assert "ferbench run dataset=synthfaces" in tergan, "the command that reproduces a trial"
    assert "../pictures/" in tergan, "made faces of synthfaces may be shown"


def test_a_site_of_records_without_arrays(ferbench: Ferbench, results: Path, tmp_path: Path) -> None:
    """Such as the archive of docs/results.md: what can be drawn from the records is drawn, and the rest is named."""
    for name in ("predictions.parquet", "embeddings.npy"):
        for path in results.glob(f"*/{name}"):
            path.unlink()
    done = ferbench("site", results, "--output", tmp_path / "site")
    assert done.status == 0, done.err
    assert "has no predictions.parquet." in done.err
    assert done.err.count("The representation of ") == 2
    assert {path.stem.partition("-")[0] for path in (tmp_path / "site" / "figures").glob("*.png")} == {
        "leakage",
        "curves",
    }


def test_latex_compiles_in_principle(ferbench: Ferbench, results: Path) -> None:
    text = ferbench("leaderboard", results, "--format", "latex").out
    assert text.count("\\begin{tabular}") == text.count("\\end{tabular}") == 1
    assert "cross\\_entropy" in text
    assert "\\toprule" in text
    assert "accuracy \\%" in text
    plain = text.replace("\\%", "").replace("\\_", "").replace("\\#", "")
    assert "%" not in plain.partition("\n")[2], "an unescaped % would swallow its line"


def test_a_page_is_no_format_of_the_leaderboard(ferbench: Ferbench, results: Path) -> None:
    done = ferbench("leaderboard", results, "--format", "html")
    assert done.status == 2
    assert "Pages for a browser are written by 'ferbench site RESULTS --output DIR'." in done.err


def test_report_is_the_former_name_of_site(
    ferbench: Ferbench, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = ferbench("report", results)
    assert done.status == 0, done.err
    assert "'ferbench report' is now called 'ferbench site --output report'" in done.err
    assert (tmp_path / "report" / "index.html").is_file(), "where it was written under the former name"


def test_optimism_has_columns_of_its_own(ferbench: Ferbench, results: Path) -> None:
    shown = ferbench("leaderboard", results, "--optimism").out
    assert "best epoch %" in shown
    assert "optimism %" in shown
