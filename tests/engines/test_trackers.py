"""The trackers with the real libraries, offline: what they are told can be read back with the library's own reader.

They are part of `make test-engines`, since the libraries take some 200 MB.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ferbench import Tracked, Tracker
from ferbench.cards import TrackerCard
from ferbench.records.store import Store
from ferbench.registry.component import Component
from ferbench.registry.loader import load_registry
from tests.conftest import Result

RUN = Tracked("0123456789abcdef", "mine no_head · fold 3 · seed 0", "mine no_head", {
    "method": "mine", "method.lr": 0.1, "method.head": False, "dataset.root": "/data/Ünal", "method.rates": [1, 2], "seed": 0,
})  # fmt: skip
METRICS = {"accuracy": 0.5, "accuracy/pixels": 0.25}


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Addresses of other machines that this process connects to: there are none."""
    found: list[Any] = []
    connect = socket.socket.connect

    def noted(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "localhost", "::1"):
            found.append(address)
            raise OSError("there is no network here")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    yield found
    assert found == []


def made(name: str, folder: Path, **settings: Any) -> Tracker:
    tracker = Component(name, settings).make(load_registry(), TrackerCard, folder)
    assert isinstance(tracker, Tracker)
    return tracker


def tell(tracker: Tracker) -> None:
    """A trial with two stages, whose names of losses are those of others with a term."""
    tracker.begin(RUN)
    tracker.log(RUN, "synthesis", 25, {"generator": 2.0, "generator/adversarial": 1.5})
    tracker.log(RUN, "synthesis", 50, {"generator": 1.0, "generator/adversarial": 0.5})
    tracker.log(RUN, "expression", 25, {"network": 3.0})
    tracker.log(RUN, "test", 25, {"accuracy": 0.4})
    tracker.end(RUN, "done", METRICS, "")
    tracker.close()


@pytest.mark.needs("tensorboard")
def test_tensorboard(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tell(made("tensorboard", tmp_path))
    read = EventAccumulator(str(tmp_path / ".tensorboard" / "mine-no_head-0123456789abcdef")).Reload()
    scalars = {tag: [(e.step, e.value) for e in read.Scalars(tag)] for tag in read.Tags()["scalars"]}
    assert scalars == {
        "synthesis/generator": [(25, 2.0), (50, 1.0)],
        "synthesis/generator/adversarial": [(25, 1.5), (50, 0.5)],
        "expression/network": [(25, 3.0)],
        "test/accuracy": [(25, pytest.approx(0.4))],
        "metrics/accuracy": [(0, 0.5)],
        "metrics/accuracy/pixels": [(0, 0.25)],
    }
    from tensorboard.plugins.hparams import plugin_data_pb2

    (content,) = read.PluginTagToContent("hparams").values()
    settings = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert settings["method.lr"].number_value == 0.1
    assert settings["method.head"].bool_value is False
    assert settings["method.rates"].string_value == "[1, 2]"


@pytest.mark.needs("mlflow")
def test_mlflow(tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    tell(made("mlflow", tmp_path, experiment="mine"))
    client = MlflowClient(tracking_uri=(tmp_path / ".mlflow").as_uri())
    experiment = client.get_experiment_by_name("mine")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.info.run_name == RUN.label
    assert run.data.params == {name: str(value) for name, value in RUN.settings.items()}
    assert run.data.metrics["accuracy"] == 0.5
    assert run.data.metrics["accuracy.pixels"] == 0.25
    curve = client.get_metric_history(run.info.run_id, "synthesis.generator.adversarial")
    assert sorted((m.step, m.value) for m in curve) == [(25, 1.5), (50, 0.5)]
    assert run.data.metrics["test.accuracy"] == 0.4


@pytest.mark.needs("mlflow")
def test_mlflow_goes_on_with_the_run_of_a_trial_that_goes_on(tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    first = made("mlflow", tmp_path)
    first.begin(RUN)
    first.end(RUN, "interrupted", {}, "")
    second = made("mlflow", tmp_path)
    second.begin(RUN)
    second.end(RUN, "failed", {}, "No memory.")
    client = MlflowClient(tracking_uri=(tmp_path / ".mlflow").as_uri())
    (run,) = client.search_runs([e.experiment_id for e in client.search_experiments()])
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "No memory.")


@pytest.mark.needs("wandb")
def test_wandb(tmp_path: Path) -> None:
    tracker = made("wandb", tmp_path)
    other = Tracked("fedcba9876543210", "other", "other")
    tracker.begin(other)  # two at a time
    tell(tracker)
    (file,) = (tmp_path / ".wandb").glob(f"wandb/offline-run-*-{RUN.key}/*.wandb")
    assert len([*(tmp_path / ".wandb").glob("wandb/offline-run-*")]) == 2
    records = transaction_log(file)
    config = {
        item.key: json.loads(item.value_json) for r in records if r.HasField("run") for item in r.run.config.update
    }
    assert config["method.lr"] == 0.1
    assert config["dataset.root"] == "/data/Ünal"
    rows = [_items(r.history.item) for r in records if r.HasField("history")]
    assert [(row["synthesis/step"], row["synthesis/generator"]) for row in rows if "synthesis/step" in row] == [
        (25, 2.0),
        (50, 1.0),
    ]
    assert [row["test/accuracy"] for row in rows if "test/accuracy" in row] == [0.4]
    summary: dict[str, Any] = {}
    for r in records:
        if r.HasField("summary"):
            summary |= _items(r.summary.update)
    assert (summary["accuracy"], summary["accuracy/pixels"], summary["status"]) == (0.5, 0.25, "done")


def transaction_log(file: Path) -> list[Any]:
    """The records of a .wandb file: a header of 7 bytes, then LevelDB's log format, blocks of 32 KiB with parts of records."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, whole, found = file.read_bytes(), 7, b"", []
    while place + 7 <= len(data):
        if (left := 32768 - place % 32768) < 7:
            place += left
            continue
        length, kind = struct.unpack("<HB", data[place + 4 : place + 7])
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            found.append(Record.FromString(whole))
            whole = b""
    return found


def _items(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


@pytest.mark.slow
@pytest.mark.needs("torch")
@pytest.mark.parametrize(
    ("name", "package"), [("tensorboard", "tensorboard"), ("mlflow", "mlflow"), ("wandb", "wandb")]
)
def test_a_study(
    name: str, package: str, ferbench: Callable[..., Result], smoke: tuple[str, ...], tmp_path: Path
) -> None:
    """What it writes is no record, and nothing that fails is passed over in silence."""
    pytest.importorskip(package)
    done = ferbench("run", "method=cross_entropy", "evaluation.judges=0", f"tracker={name}", *smoke)
    assert done.status == 0, done.err
    assert "switched off" not in done.out
    assert [*(tmp_path / "results" / f".{name}").iterdir()]
    records, damaged = Store(tmp_path / "results").scan()
    assert (len(records), damaged) == (1, [])
