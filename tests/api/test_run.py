"""`ferbench.run`: the command line's work from Python."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferbench as library
from ferbench import FerbenchError
from ferbench.api.run import _words
from ferbench.api.studies import planned
from ferbench.config.compose import compose
from ferbench.config.overrides import words_of
from ferbench.interfaces.executor import Progress
from ferbench.records.schema import Trial
from ferbench.registry.loader import load_registry
from tests.disks import Disk
from tests.onehead import plugin

SMALL: dict[str, Any] = {
    "method": "cross_entropy",
    "dataset": {"name": "synthfaces", "subjects": 10, "image_size": 48},
    "protocol": {"name": "subject_kfold", "k": 2, "folds": [0]},
    "budget": "smoke",
    "evaluation": {"judges": 0},
    "trainer": {"device": "cpu"},
}
QUIET = Progress()


def trials_of(*asked: Any, multirun: bool = False) -> list[str]:
    registry = load_registry()
    words = [word for given in asked for word in _words(given)]
    return [t.id for t in planned(registry, words, multirun=multirun, tell=print).trials]


def test_what_is_typed_on_the_command_line_and_mappings_are_the_same_study() -> None:
    typed = trials_of(
        "method=degan", "dataset=synthfaces", "dataset.subjects=10", "budget=smoke", "seeds=[0,1]", "trainer.clip_norm=0.5"
    )  # fmt: skip
    nested = {"method": "degan", "dataset": {"name": "synthfaces", "subjects": 10}, "budget": {"name": "smoke"}}
    assert trials_of({**nested, "seeds": (0, 1), "trainer": {"clip_norm": 0.5}}) == typed
    flat = {"dataset.subjects": 10, "budget": "smoke", "seeds": [0, 1], "trainer.clip_norm": np.float64(0.5)}
    assert trials_of(["method=degan", "dataset=synthfaces"], flat) == typed
    assert len(typed) == 20


def test_a_list_of_components_is_a_sweep() -> None:
    typed = trials_of("method=cross_entropy,grl", "dataset.subjects=10", multirun=True)
    assert trials_of({"method": ["cross_entropy", "grl"], "dataset.subjects": 10}, multirun=True) == typed
    with pytest.raises(FerbenchError, match="several values"):
        library.run(method=["cross_entropy", "grl"], progress=QUIET)


def test_texts_are_taken_as_they_are() -> None:
    for text in ("/data/CK+", "null", "1", "${HOME}", "it's [2], {3}", "a,b"):
        (word,) = words_of({"results_dir": text})
        registry = load_registry()
        study = planned(registry, ["method=cross_entropy", "dataset.subjects=10", word], tell=print)
        assert study.results_dir == text


def test_an_empty_text_is_taken_as_it_is() -> None:
    (config,) = compose(load_registry(), ["method=cross_entropy", *words_of({"results_dir": "", "cache_dir": ""})])
    assert (config.results_dir, config.cache_dir) == ("", "")


def test_a_results_folder_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        FerbenchError, match=r"The name of the results folder is empty\. Write one; '\.' is the current"
    ):
        library.run(SMALL, results_dir="", progress=QUIET)
    assert not any(tmp_path.iterdir())


def test_one_plugin_file_is_a_text_or_a_path(tmp_path: Path) -> None:
    file = tmp_path / "nothing.py"
    for plugins in (str(file), file, [file]):
        with pytest.raises(FerbenchError, match=f"There is no plugin file {file}"):
            library.run(SMALL, plugins=plugins, progress=QUIET)
    with pytest.raises(FerbenchError, match="plugins has 3, of type int; it is a text, or a list of texts"):
        library.run(SMALL, plugins=3, progress=QUIET)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "settings", "sentence"),
    [
        ([], {"method": "degna"}, "no method 'degna'. Did you mean 'degan'"),
        ([], {"method": "degan", "bugdet": "smoke"}, "bugdet"),
        ([], {"method": "degan", "dataset": {"name": "synthfaces", "subject": 3}}, "subjects"),
        ([3], {}, r"3 is no override. Write \"key=value\""),
        ([["method=degan", 3]], {}, "is no override"),
        (["degan"], {}, "'degan' is not an override"),
        ([], {}, "Which method"),
        ([], {"method": "degan", "retry": "fialed"}, "no value of retry 'fialed'. Did you mean 'failed'"),
        ([], {"method": "degan", "study": "nothing"}, "no study 'nothing'"),
        ([], {"method": "degan", "config_dir": "/nowhere"}, "/nowhere"),
    ],
)
def test_errors_are_sentences_and_no_exits(arguments: list[Any], settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FerbenchError, match=sentence):
        library.run(*arguments, progress=QUIET, **settings)


@pytest.mark.needs("torch")
def test_two_studies_at_once_are_as_if_alone(
    tmp_path: Path, ferbench: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """In threads, and afterwards from the command line, which finds nothing to do."""
    runs: dict[str, library.Run] = {}

    def study(name: str) -> None:
        runs[name] = library.run(SMALL, results_dir=tmp_path / name, progress=QUIET)

    threads = [threading.Thread(target=study, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert capsys.readouterr().out == ""
    first, second = (np.load(tmp_path / name / runs[name].outcomes[0].trial.id / "logits.npy") for name in "ab")
    assert np.array_equal(first, second)
    (record,) = runs["a"].records
    assert runs["a"].frame["accuracy"].tolist() == [record.metrics["accuracy"]]
    assert not runs["a"].failures
    assert str(runs["a"]) == f"1 trials: 1 run. Results: {tmp_path / 'a'}"
    done = ferbench(*runs["a"].command)
    assert done.status == 0
    assert "Nothing to run" in done.out
    assert (
        "ferbench run method=cross_entropy dataset=synthfaces dataset.subjects=10"
        in ferbench("status", tmp_path / "a").out
    )
    again = library.run(SMALL, results_dir=tmp_path / "a", progress=QUIET)
    assert [outcome.status for outcome in again.outcomes] == ["stored"]


@pytest.mark.needs("torch")
def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it

    class Interrupting(Progress):
        def step(self, step: int, losses: Mapping[str, float], images_per_second: float) -> None:
            signal.raise_signal(signal.SIGINT)

    class Listening(Progress):
        def __init__(self) -> None:
            self.began: list[int] = []

        def stage(self, name: str, step: int, steps: int) -> None:
            self.began.append(step)

    monkeypatch.setattr("ferbench.training.loop.LOG_EVERY", 3)
    settings = {**SMALL, "results_dir": tmp_path / "results"}
    try:
        with pytest.raises(KeyboardInterrupt):
            library.run(settings, progress=Interrupting())
    finally:
        signal.signal(signal.SIGINT, before)
    heard = Listening()
    done = library.run(settings, progress=heard)
    assert not done.failures
    assert heard.began[0] in (3, 4)


def test_a_run_within_a_run_is_refused(tmp_path: Path) -> None:
    class Calling(Progress):
        refused = ""

        def trial(self, trial: Trial) -> None:
            try:
                library.run(SMALL, results_dir=tmp_path)
            except FerbenchError as error:
                Calling.refused = str(error)
            raise KeyboardInterrupt

    pytest.importorskip("torch")
    with pytest.raises(KeyboardInterrupt):
        library.run(SMALL, results_dir=tmp_path, progress=Calling())
    assert "was called while it runs" in Calling.refused
    with pytest.raises(FerbenchError, match="no method"):  # and it can be called again
        library.run(method="nothing", progress=QUIET)


def test_a_results_folder_that_cannot_be_written(disk: Disk) -> None:
    disk.remount("ro")
    with pytest.raises(FerbenchError, match="cannot be written: Read-only file system"):
        library.run(SMALL, results_dir=disk.path / "results", progress=QUIET)


def test_a_script_that_uses_hydra_keeps_its_own() -> None:
    from hydra.core.global_hydra import GlobalHydra

    own = GlobalHydra.instance().hydra
    mark: Any = object()
    GlobalHydra.instance().hydra = mark
    try:
        trials_of("method=cross_entropy", "dataset.subjects=10")
        assert GlobalHydra.instance().hydra is mark
    finally:
        GlobalHydra.instance().hydra = own


@pytest.mark.slow
@pytest.mark.needs("torch")
def test_workers_do_not_run_the_script_again(tmp_path: Path) -> None:
    """A script without `if __name__ == "__main__"`."""
    script = tmp_path / "script.py"
    script.write_text(
        f"""
print("began")
import ferbench
run = ferbench.run({SMALL!r}, seeds=[0, 1], results_dir="results", executor={{"name": "processes", "workers": 2}})
print(run)
"""
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("began") == 1
    assert done.stdout.endswith(f"2 trials: 2 run. Results: {tmp_path / 'results'}\n")


def test_code_that_was_edited_after_it_was_loaded_is_not_run_under_the_name_of_the_edit(tmp_path: Path) -> None:
    """As in a notebook, where a plugin is edited between two cells."""
    file, helper = tmp_path / "edited_later.py", tmp_path / "scaled_later.py"
    text = plugin(
        "edited_later", "yield Update('all', scaled(F.cross_entropy(self.logits(batch.images), batch.expression)))"
    )
    file.write_text(f"from scaled_later import scaled\n{text}")
    helper.write_text("def scaled(loss):\n    return loss\n")
    asked = {
        **SMALL,
        "method": "edited_later",
        "results_dir": tmp_path / "results",
        "plugins": [file],
        "progress": QUIET,
    }
    done = library.run(**asked)
    assert [outcome.status for outcome in done.outcomes] == ["done"]
    helper.write_text("def scaled(loss):  # as it is\n    return loss\n")
    assert [outcome.status for outcome in library.run(**asked).outcomes] == ["stored"]
    helper.write_text("def scaled(loss):\n    return 5 * loss\n")
    with pytest.raises(FerbenchError, match=r"scaled_later\.py: changed since this Python loaded it.*Restart Python"):
        library.run(**asked)
    other = library.run(**{**asked, "method": "cross_entropy", "plugins": []})  # which does not run the edited code
    assert [outcome.status for outcome in other.outcomes] == ["done"]
    helper.write_text("def scaled(loss):\n    return loss\n")
    assert [outcome.status for outcome in library.run(**asked).outcomes] == ["stored"]


def test_what_a_study_gave_is_found_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook may change its folder, and the results folder may be relative."""
    monkeypatch.chdir(tmp_path)
    done = library.run(**SMALL, progress=QUIET)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert [record.trial.id for record in done.records] == [outcome.trial.id for outcome in done.outcomes]
    assert Path(done.frame["folder"][0]).is_dir()
