"""Submissions made to do harm: archives, arrays and tables that are not what they say, and records whose figures lie."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import shutil
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ferbench import Metric
from ferbench.audit import archive, untrusted
from ferbench.audit.archive import contents
from ferbench.audit.submission import _other_figures, unpack
from ferbench.audit.untrusted import check_file, check_record
from ferbench.errors import FerbenchError
from ferbench.execution.outputs import read_outputs
from ferbench.records.metrics import CARDS, as_stated
from ferbench.records.schema import Record
from ferbench.records.seals import seal, unseal
from ferbench.records.store import Store
from ferbench.registry.loader import load_registry
from tests.cli.test_evaluate import one

T = "0123456789abcdef"


@pytest.fixture
def results(ran: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ran, tmp_path / "results"))


def packed(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            file.writestr(name, data)
    return path


# -- archives


def of_mode(name: str, mode: int) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.external_attr = mode << 16
    return member


@pytest.mark.parametrize(
    "name",
    [
        f"{T}/../../outside",
        "/etc/passwd",
        f"/{T}/record.json",
        f"{T}/../{T}/record.json",
        f"..\\{T}\\record.json",
        f"{T}/sub/record.json",
        f"{T}/weights.safetensors",
        f"{T}/predictions.pkl",
        f"{T}/evil.py",
        f"{T}/",
        of_mode(f"{T}/record.json", stat.S_IFLNK | 0o777),
        of_mode(f"{T}/record.json", stat.S_IFCHR | 0o666),
        of_mode(f"{T}/record.json", stat.S_IFIFO | 0o666),
    ],
)
def test_members_that_no_submission_has(tmp_path: Path, name: str | zipfile.ZipInfo) -> None:
    with pytest.raises(FerbenchError, match=r"holds '.*', which no submission has; it is refused."):
        contents(packed(tmp_path / "x.zip", (name, b"/etc/passwd")))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice(tmp_path: Path) -> None:
    name = f"{T}/record.json"
    with pytest.raises(FerbenchError, match=f"holds '{name}' twice"):
        contents(packed(tmp_path / "x.zip", (name, b"{}"), (name, b"[]")))


def bomb(path: Path, stated: int, size: int) -> Path:
    """A member that unpacks to `size` zeros, and states another size in all headers."""
    packed(path, (f"{T}/logits.npy", bytes(size)))
    data = path.read_bytes()
    assert data.count(struct.pack("<I", size)) == 2
    path.write_bytes(data.replace(struct.pack("<I", size), struct.pack("<I", stated)))
    return path


@pytest.mark.parametrize("stated", [2**26, 10])
def test_a_bomb_is_counted_while_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stated: int) -> None:
    """Whatever its header states: no more is kept in memory than the limit."""
    monkeypatch.setattr(archive, "LARGEST", 2**22)
    path = bomb(tmp_path / "x.zip", stated, 2**26)
    assert path.stat().st_size < 2**18
    tracemalloc.start()
    with pytest.raises(
        FerbenchError, match=r"unpacks to more than 4 MiB; it is refused|cannot be read as a submission"
    ):
        contents(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**25


def test_ten_million_members_are_not_even_listed(tmp_path: Path) -> None:
    """The end of an archive that states a list of members of 460 MB, which is there."""
    path = tmp_path / "x.zip"
    entry = b"PK\x01\x02" + bytes(42)
    with path.open("wb") as file:
        file.truncate(10_000_000 * len(entry))  # a file with a hole
        file.seek(0, 2)
        file.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 10_000_000 * len(entry), 0, 0))
    tracemalloc.start()
    with pytest.raises(FerbenchError, match="has a list of members of more than 16 MiB, which no submission has"):
        contents(path)
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_archives_packed_in_another_way(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", method) as file:
        file.writestr(f"{T}/record.json", b"{}")
    with pytest.raises(FerbenchError, match="encrypted, or packed in a way that 'submit pack' does not use"):
        contents(tmp_path / "x.zip")


def test_an_encrypted_archive(tmp_path: Path) -> None:
    path = packed(tmp_path / "x.zip", (f"{T}/record.json", b"{}"))
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(FerbenchError, match="is encrypted, or packed in a way"):
        contents(path)


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:40] + bytes(20) + data[60:],
        lambda data: b"",
        lambda data: b"PK\x05\x06" + bytes(18),
        lambda data: data.replace(b"PK\x01\x02", b"PK\x01\x03"),
    ],
)
def test_damaged_archives(tmp_path: Path, harm: Callable[[bytes], bytes]) -> None:
    path = packed(tmp_path / "x.zip", (f"{T}/record.json", bytes(range(256)) * 4))
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(FerbenchError, match="cannot be read as a submission|holds no record"):
        contents(path)


# -- files of a record


def npy(values: np.ndarray, **options: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, values, **options)
    return out.getvalue()


def header(shape: tuple[int, ...], kind: str = "<f4") -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": kind, "fortran_order": False, "shape": shape})
    return out.getvalue()


def npz(**arrays: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in arrays.items():
            file.writestr(f"{name}.npy", data)
    return out.getvalue()


def parquet(table: pd.DataFrame) -> bytes:
    return bytes(table.to_parquet(index=False))


class Evil:
    """Unpickling it would run a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        raise AssertionError("only its class is pickled")


PICKLED = npy(np.array([{"a": 1}], dtype=object), allow_pickle=True)


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("logits.npy", PICKLED, "an array of object, and only numbers are read"),
        ("logits.npy", npy(np.array(["text"])), "an array of <U4, and only numbers are read"),
        ("logits.npy", b"\x80\x04K\x01.", "magic"),
        ("logits.npy", header((10**12, 10**6)), "its header states 4000000000000000000 bytes, and it has 0"),
        ("logits.npy", header((-1, 4)) + bytes(16), "its header states -16 bytes"),
        ("logits.npy", npy(np.zeros((4, 2)))[:-1], "its header states 64 bytes, and it has 63"),
        ("logits.npy", npy(np.zeros(3)) + b"more", "its header states 24 bytes, and it has 28"),
        ("syntheses.npz", npz(a=PICKLED), "an array of object, and only numbers are read"),
        ("syntheses.npz", npz(a=header((2**40,))), "its header states 4398046511104 bytes, and it has 0"),
        ("syntheses.npz", b"no zip", "not a zip file"),
        ("predictions.parquet", b"PAR1", "Parquet"),
        ("predictions.parquet", parquet(pd.DataFrame({"a": [[1, 2]]})), "the column a is neither numbers nor text"),
        (
            "predictions.parquet",
            parquet(pd.DataFrame({"a": [b"\x80\x04K\x01."]})),
            "the column a is neither numbers nor",
        ),
        ("code.json", b'{"core": {"a": 1}}', "code.json.core.a is 1"),
        ("code.json", b"[" * 100_000, "recursion"),
        ("code.json", b"\xff", "utf-8"),
    ],
)
def test_files_that_are_not_what_they_say(name: str, data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=f"(?i){why}"):
        check_file(name, data)


def test_files_as_records_have_them() -> None:
    table = pd.DataFrame(
        {"frame_id": ["a", None], "position": [0, 1], "yaw": [0.5, None], "p_a": [1.0, 0.0], "b": [True, False]}
    )
    check_file("predictions.parquet", parquet(table))
    check_file("logits.npy", npy(np.zeros((2, 3), np.float32)))
    check_file("syntheses.npz", npz(a=npy(np.zeros((2, 3))), b=npy(np.arange(4))))
    check_file("code.json", b'{"core": {"module:f": "0a"}}')


def test_a_table_that_grows_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many times one text, which is stored once."""
    monkeypatch.setattr(untrusted, "LARGEST", 2**22)
    data = parquet(pd.DataFrame({"a": ["x" * 2**12] * 5_000}))
    assert len(data) < 2**16
    with pytest.raises(ValueError, match="it has more than 4 MiB in memory"):
        check_file("predictions.parquet", data)


def test_arrays_that_grow_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untrusted, "LARGEST", 2**20)
    with pytest.raises(ValueError, match="it has more than 1 MiB in memory"):
        check_file("syntheses.npz", npz(a=npy(np.zeros(2**16)), b=npy(np.zeros(2**17))))


# -- record.json

Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def record(results: Path) -> Record:
    return one(results)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda r: r["metrics"].update(accuracy=float("nan")), "not JSON compliant"),
        (lambda r: r["metrics"].update(accuracy=float("inf")), "not JSON compliant"),
        (lambda r: r["metrics"].update(accuracy="0.9"), "record.metrics.accuracy is '0.9'"),
        (lambda r: r["metrics"].update(accuracy=True), "record.metrics.accuracy is True"),
        (lambda r: r["metrics"].update(accuracy=10**400), "record.metrics.accuracy is 1000"),
        (lambda r: r["cost"].update(steps=[1]), r"record.cost.steps is \[1\]"),
        (lambda r: r["provenance"].update(seconds="long"), "record.provenance.seconds is 'long'"),
        (lambda r: r["provenance"].update(evaluators={"probe": "1"}), "record.provenance.evaluators.probe is '1'"),
        (lambda r: r["provenance"].update(metric_cards=["error"]), r"record.provenance.metric_cards is \['error'\]"),
        (lambda r: r["by_subject"].update(accuracy=[1]), r"record.by_subject.accuracy is \[1\]"),
        (lambda r: r.update(notes=["x" * 100_001]), r"record.notes\[0\] has 100001 characters"),
        (lambda r: r.update(notes=[["x"]]), r"record.notes\[0\] is \['x'\]"),
        (lambda r: r.update(evil=1), "evil"),
        (lambda r: r["trial"].update(fold=2**63), "record.trial.fold is a number of more than 18 digits"),
        (lambda r: r["trial"]["config"]["preparation"].update(image_size="wide"), "not supported between"),
        (
            lambda r: r["trial"]["config"].update(seeds={"a": 10**300 * 10**300}),
            "record.trial.config.seeds.a is 1000",
        ),
        (lambda r: r["expressions"].append(r["expressions"][0]), "confusion counts are not"),
        (lambda r: r["subjects"].append("nobody"), "the confusion counts are not of its subjects"),
        (lambda r: r["confusion"].update({r["subjects"][0]: [[10**9]]}), "the confusion counts are not"),
        (lambda r: r["sequence_confusion"][r["subjects"][0]][0].__setitem__(0, -5), "the confusion counts are not"),
    ],
)
def test_values_that_no_record_has(record: Record, change: Change, why: str) -> None:
    """Under a seal that is right: who forges a record computes it again."""
    values = unseal(record.to_json())
    change(values)
    with pytest.raises((ValueError, TypeError, FerbenchError), match=why):
        check_record(seal(json.dumps(values)))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"schema": 2, "notes": ' + "[" * 100_000, "9" * 10_000, "null", "{}"])
def test_json_made_to_break_its_reader(text: str) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError, RecursionError)):
        check_record(text)


def test_a_record_of_ours_passes(record: Record) -> None:
    assert check_record(record.to_json()) == record


# -- whole submissions


def forged(source: Path, place: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """A submission with the files of each record changed, and their checksums and seals made right."""
    with zipfile.ZipFile(place, "w") as target:
        for trial, members in contents(source).items():
            change(members)
            record = unseal(members["record.json"].decode())
            record["files"] |= {n: hashlib.sha256(d).hexdigest() for n, d in members.items() if n != "record.json"}
            members["record.json"] = seal(json.dumps(record)).encode()
            for name, data in members.items():
                target.writestr(f"{trial}/{name}", data)
    return place


@pytest.fixture
def mine(ferbench: Callable[..., Any], results: Path, tmp_path: Path) -> Path:
    assert ferbench("submit", "pack", results, "--method", "tergan", "--output", tmp_path / "mine.zip").status == 0
    return tmp_path / "mine.zip"


def changed(change: Change) -> Callable[[dict[str, bytes]], None]:
    def apply(members: dict[str, bytes]) -> None:
        record = unseal(members["record.json"].decode())
        change(record)
        members["record.json"] = seal(json.dumps(record)).encode()

    return apply


def other_sequences(record: dict[str, Any]) -> None:
    for table in record["sequence_confusion"].values():
        for number, row in enumerate(table):
            total, row[:] = sum(row), [0] * len(row)
            row[number] = total


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (changed(lambda r: r["metrics"].update(macro_f1=0.99)), "0.990 is claimed."),
        (changed(lambda r: r["metrics"].update(identity_leakage=None)), "the record states none."),
        (changed(other_sequences), "Its confusion counts are not those of its predictions."),
        (
            changed(lambda r: r["by_subject"].update(macro_f1=dict.fromkeys(r["subjects"], 1.0))),
            "macro_f1 has no values by subject here; the record states some.",
        ),
        (lambda members: members.update({"logits.npy": npy(np.zeros((3, 2)))}), "logits of the shape (3, 2) for"),
        (lambda members: members.update({"embeddings.npy": npy(np.zeros(5))}), "embeddings of the shape (5,) for"),
        (lambda members: members.pop("logits.npy"), "logits.npy is missing"),
        (
            lambda members: members.update({"predictions.parquet": parquet(pd.DataFrame({"frame_id": ["\x1b[2J"]}))}),
            "Its files cannot be read",
        ),
    ],
    ids=["figure", "hidden", "sequences", "by-subject", "logits", "embeddings", "missing", "table"],
)
def test_figures_and_files_that_lie_are_disputed(
    ferbench: Callable[..., Any], mine: Path, tmp_path: Path, change: Callable[[dict[str, bytes]], None], reason: str
) -> None:
    file = forged(mine, tmp_path / "forged.zip", change)
    done = ferbench("submit", "verify", file, "--into", tmp_path / "into", "--own", tmp_path / "none")
    assert done.status == 1, done.err
    assert reason in done.out
    assert "2 records: 2 disputed." in done.out
    assert "\x1b" not in done.out


def test_a_pickle_is_refused_with_all_that_came_with_it(
    ferbench: Callable[..., Any], mine: Path, tmp_path: Path
) -> None:
    file = forged(mine, tmp_path / "x.zip", lambda members: members.update({"embeddings.npy": PICKLED}))
    done = ferbench("submit", "verify", file, "--into", tmp_path / "into")
    assert done.status == 2
    assert "embeddings.npy is refused: it is an array of object, and only numbers are read." in done.err
    assert not Store(tmp_path / "into").scan()[0]


EVIL = "<script>alert(1)</script>\x1b[2J[/bold]$\\frac{|`=1+1"


def test_script_in_every_string_is_shown_as_text(ferbench: Callable[..., Any], mine: Path, tmp_path: Path) -> None:
    """On boards of every format, and in the answers of `show` and `submit verify`. What decides where a record stands stays."""

    def everywhere(record: dict[str, Any]) -> None:
        record["notes"] = [EVIL]
        record["trial"]["variant"] = EVIL
        record["provenance"] |= {
            "device": EVIL,
            "precision": EVIL,
            "revision": EVIL,
            "pretraining": EVIL,
            "began": EVIL,
        }
        record["trial"]["plugin_files"] = [str(tmp_path / "evil.py")]
        record["trial"]["config"]["budget"]["name"] = EVIL
        record["metrics"][EVIL] = 0.5

    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    into = tmp_path / "into"
    done = ferbench("submit", "verify", forged(mine, tmp_path / "x.zip", changed(everywhere)), "--into", into)
    shown = [done]
    name = next(iter(contents(mine)))
    shown.append(ferbench("show", name, into))
    for kind in ("table", "markdown", "csv", "json", "latex"):
        shown.append(ferbench("leaderboard", into, "--include-ablations", "--format", kind))
    shown.append(ferbench("site", into, "--include-ablations", "--output", tmp_path / "site"))
    assert [answer.status for answer in shown] == [1 if done.status == 1 else 0, *[0] * 7], [a.err for a in shown]
    assert not any("\x1b" in answer.out + answer.err for answer in shown)
    assert "&lt;script>" in shown[3].out
    assert r"\textbackslash" in shown[6].out
    pages = [path for path in (tmp_path / "site").rglob("*") if path.suffix in (".html", ".svg", ".js")]
    assert len(pages) > 10
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert "<script>alert" not in text
        assert "\x1b" not in text
    assert not (tmp_path / "ran").exists(), "a plugin file that a submission names is not loaded"


def test_what_was_unpacked_and_not_scored_is_disputed(mine: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "into")
    records = unpack(mine, store)
    assert store.submission_statuses() == {record.trial.id: "disputed" for record in records}


GAZE = """
from ferbench import EvaluatorCard, Metric, hookimpl

@hookimpl
def ferbench_evaluators():
    return [EvaluatorCard(name="gaze", target=__name__ + ":evaluate", title="t", metrics=[Metric(name="gaze", title="gaze")])]

def evaluate(outputs):
    return {"gaze": 0.5}
"""


@pytest.mark.parametrize(
    ("high", "reasons"),
    [(True, []), (False, ["It says otherwise than here what gaze means (direction, unit or range)."])],
)
def test_a_record_that_turns_a_metric_round_is_disputed(
    results: Path, tmp_path: Path, high: bool, reasons: list[str]
) -> None:
    (tmp_path / "gaze.py").write_text(GAZE)
    registry = load_registry([str(tmp_path / "gaze.py")])
    record, store = one(results), Store(results)
    said = as_stated([Metric(name="gaze", title="gaze", higher_is_better=high)], ["gaze"])
    forged_record = dataclasses.replace(record, provenance={**record.provenance, CARDS: said})
    outputs = read_outputs(store.path(record.trial.id), record)
    assert _other_figures(registry, forged_record, outputs, store) == reasons
