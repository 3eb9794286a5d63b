"""Records of version 1: read as they are, and taken over by `ferbench migrate`."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferbench.config.compose import compose
from ferbench.config.studyfile import expand, find
from ferbench.plan.study import plan
from ferbench.ranking.aggregate import boards
from ferbench.records.migrate import migrate
from ferbench.records.store import Store
from ferbench.registry.loader import load_registry

ROOT = Path(__file__).parent.parent.parent
VERSION_1 = Path(__file__).parent / "data" / "synthfaces-v1.tar.xz"
"""The 342 records of docs/results.md as they were written: several states of ferbench before identities had declared versions."""

EARLY = "00221c8f32c9e39c"


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("version-1")
    with tarfile.open(VERSION_1) as archive:
        archive.extractall(folder, filter="data")
    return folder / "synthfaces"


@pytest.fixture
def archive(unpacked: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(unpacked, tmp_path / "synthfaces"))


def test_records_of_version_1_are_read_as_before(unpacked: Path) -> None:
    records, damaged = Store(unpacked).scan()
    assert (len(records), damaged) == (342, [])
    raw = json.loads((unpacked / EARLY / "record.json").read_text())
    record = Store(unpacked).load(EARLY)
    assert record.trial.identity.version == 1
    assert record.metrics == raw["metrics"]
    assert record.trial.identity.method.settings == raw["trial"]["identity"]["method"]["settings"]
    assert record.trial.repetition == (0, raw["trial"]["fold"], raw["trial"]["seed"])
    assert record.trial.config["seeds"] == [raw["trial"]["seed"]]


def test_the_whole_archive_is_found_stored_after_it(archive: Path) -> None:
    """`ferbench run study=synthfaces --dry-run`, without its estimate."""
    before = {record.trial.label + str(record.metrics) for record in Store(archive).scan()[0]}
    found = list(migrate(Store(archive)))
    assert [item.state for item in found] == ["migrated"] * 342
    records, damaged = Store(archive).scan()
    assert damaged == []
    assert {record.trial.label + str(record.metrics) for record in records} == before
    registry = load_registry()
    runs = expand(find("synthfaces", registry), registry, [f"results_dir={archive}"])
    study = plan(registry, [config for words in runs for config in compose(registry, words)])
    assert {trial.id for trial in study.trials} == {record.trial.id for record in records}
    assert all(record.trial.id == record.trial.identity.id for record in records)


def test_boards_are_the_same_before_and_after(unpacked: Path, archive: Path) -> None:
    list(migrate(Store(archive)))
    old, new = (boards(Store(folder).scan()[0]) for folder in (unpacked, archive))

    def scores(board: Any) -> dict[str, Any]:
        return {row.name: (row.rank, row.scores, row.cost, row.done) for row in board.rows}

    assert [(b.dataset, b.protocol, b.setting) for b in old] == [(b.dataset, b.protocol, b.setting) for b in new]
    for one, other in zip(old, new, strict=True):
        assert scores(one) == scores(other)


def test_the_archive_of_the_documentation_is_the_migrated_one(archive: Path, tmp_path: Path) -> None:
    list(migrate(Store(archive)))
    with tarfile.open(ROOT / "docs" / "records" / "synthfaces.tar.xz") as file:
        file.extractall(tmp_path / "docs", filter="data")
    ours, theirs = (Store(folder).scan()[0] for folder in (archive, tmp_path / "docs" / "synthfaces"))
    assert ours == theirs


def test_an_interrupted_migration_goes_on(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after record.json was written, before the folder was renamed."""
    for folder in sorted(archive.glob("[!.]*"))[3:]:
        shutil.rmtree(folder)
    store = Store(archive)
    rename = Path.rename

    def killed(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        list(migrate(store))
    monkeypatch.setattr(Path, "rename", rename)
    assert [item.state for item in migrate(store)] == ["migrated"] * 3
    assert store.scan()[1] == []
    assert list(migrate(store)) == []


def test_what_is_kept_beside_a_record_is_renamed_with_it(archive: Path) -> None:
    for folder in sorted(archive.glob("[!.]*"))[1:]:
        shutil.rmtree(folder)
    (old,) = (path.name for path in archive.glob("[!.]*"))
    for name in (".evaluated", ".standing"):
        (archive / name).mkdir()
        (archive / name / f"{old}.json").write_text('{"mig": 0.5, "standing": "submitted", "reasons": []}')
    store = Store(archive)
    (found,) = migrate(store)
    assert (found.old, found.new) == (old, store.scan()[0][0].trial.id)
    assert store.scan()[0][0].metrics["mig"] == 0.5
    assert store.submission_statuses() == {found.new: "submitted"}
    assert not (archive / ".standing").exists()


def test_damaged_files_do_not_stop_a_migration(archive: Path) -> None:
    first, second = sorted(archive.glob("[!.]*"))[:2]
    for folder in sorted(archive.glob("[!.]*"))[3:]:
        shutil.rmtree(folder)
    (first / "record.json").write_text("[1]")
    (second / "record.json").write_text('{"schema": 1, "tri')
    (archive / ".evaluated").mkdir()
    (archive / ".evaluated" / "0000.json").write_text("{")
    assert [found.state for found in migrate(Store(archive))] == ["damaged", "damaged", "migrated"]
    assert (archive / ".evaluated" / "0000.json").read_text() == "{"


def test_a_failure_that_cannot_be_read_is_left_as_it_is(archive: Path) -> None:
    for folder in sorted(archive.glob("[!.]*"))[1:]:
        shutil.rmtree(folder)
    (archive / ".failures").mkdir()
    for name, text in (("0", '{"schema": 1, "trial": {}}'), ("1", '{"schema": 1}'), ("2", "[]")):
        (archive / ".failures" / f"{name}.json").write_text(text)
    assert [found.state for found in migrate(Store(archive))] == ["migrated"]
    assert {path.name for path in (archive / ".failures").iterdir()} == {"0.json", "1.json", "2.json"}


def test_run_tells_of_records_that_wait_for_it(ferbench: Callable[..., Any], archive: Path) -> None:
    words = ("run", "method=cross_entropy", "budget=smoke", "dataset=synthfaces", f"results_dir={archive}", "--dry-run")
    hint = f"'ferbench migrate {archive}' takes them over."
    assert hint in ferbench(*words).out
    list(migrate(Store(archive)))
    assert hint not in ferbench(*words).out


def test_the_command(ferbench: Callable[..., Any], archive: Path) -> None:
    for folder in sorted(archive.glob("[!.]*"))[4:]:
        shutil.rmtree(folder)
    broken = sorted(archive.glob("[!.]*"))[0]
    (broken / "record.json").write_text('{"schema": 1}')
    done = ferbench("migrate", archive)
    assert done.status == 1
    assert "3 records migrated." in done.out
    assert f"{broken.name} stays: its record.json cannot be read." in done.err
    again = ferbench("migrate", archive)
    assert "0 records migrated." in again.out
