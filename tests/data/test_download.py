"""`ferbench datasets get` against a server that speaks as Zenodo does: what is downloaded, kept, refused and said."""

from __future__ import annotations

import io
import json
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ferbench.cards import DatasetCard, ZenodoRecord
from ferbench.data import collect, download, unpack
from ferbench.errors import FerbenchError
from ferbench.registry.loader import load_registry
from tests.zenodo import Zenodo, archive

NUMBER = 7
PLUGIN = f"""
from dataclasses import dataclass
from ferbench import DatasetCard, ZenodoRecord, hookimpl

@dataclass
class Settings:
    root: str = ""

@hookimpl
def ferbench_datasets():
    return [DatasetCard(
        name="made", target=__name__ + ":Made", title="Made: faces of a test", settings=Settings, expressions=("a", "b"),
        licence="CC BY 4.0", paper="Somebody, Made faces, 2020", obtain="https://zenodo.org/records/{NUMBER}",
        download=ZenodoRecord(number={NUMBER}, files=("Video_*.zip",)),
    )]
"""
VIDEO = bytes(range(256)) * 40
ONE = archive({"Actor_01/a.mp4": VIDEO, "Actor_01/b.mp4": VIDEO[::-1], "__MACOSX/Actor_01/._a.mp4": b"x"})
TWO = archive({"Actor_02/a.mp4": VIDEO[5:]})


@pytest.fixture
def zenodo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Zenodo]:
    server = Zenodo()
    server.files[NUMBER] = {"Video_1.zip": ONE, "Video_2.zip": TWO, "Audio.zip": TWO, "list.csv": b"a,b\n"}
    monkeypatch.setattr(download, "ZENODO", server.address)
    monkeypatch.setattr(download, "sleep", lambda seconds: None)
    monkeypatch.setattr(download, "CHUNK", 1000)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    yield server
    server.close()


@pytest.fixture
def get(ferbench: Callable[..., Any], tmp_path: Path, zenodo: Zenodo) -> Callable[..., Any]:
    """get("--yes"): the command, with a dataset whose record the server has, to the folder `made`."""
    plugin = tmp_path / "made_plugin.py"
    plugin.write_text(PLUGIN)
    return lambda *words: ferbench("datasets", "get", "--plugin", plugin, "made", "--to", tmp_path / "made", *words)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


UNPACKED = {"Actor_01/a.mp4": VIDEO, "Actor_01/b.mp4": VIDEO[::-1], "Actor_02/a.mp4": VIDEO[5:]}


def files_of(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in contents(folder).items() if name != collect.NOTES}


def test_a_download_is_verified_unpacked_and_its_archives_removed(get: Any, tmp_path: Path) -> None:
    done = get("--yes")
    assert done.status == 0, done.err
    assert files_of(tmp_path / "made") == UNPACKED
    assert "Video_1.zip: verified, 2 files unpacked" in done.out
    assert done.out.rstrip().endswith(f"ferbench datasets check made dataset.root={tmp_path / 'made'}")


def test_what_is_downloaded_is_shown_before(get: Any, tmp_path: Path) -> None:
    """Without a terminal and --yes nothing is: the sentence says what to add."""
    done = get()
    assert done.status == 2
    assert done.err == "Error: There is no terminal to ask whether to download: add --yes to do so.\n"
    for part in (
        "Made: faces of a test",
        "CC BY 4.0",
        "Somebody, Made faces, 2020",
        f"/records/{NUMBER}: Made faces",
        "Video_1.zip",
        "2 files, 31 kB; 31 kB to download",
        " free (",
        "The record has 2 more: Audio.zip, list.csv (--only PATTERN)",
    ):
        assert part in done.out, part
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("answer", ["y", "n"])
def test_a_terminal_is_asked(
    get: Any, tmp_path: Path, zenodo: Zenodo, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    stdin = io.StringIO(f"{answer}\n")
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", stdin)
    done = get()
    assert "Download 2 files under these terms to" in done.out
    assert (done.status, bool(zenodo.downloads)) == ((0, True) if answer == "y" else (1, False))


def test_what_is_there_and_verified_is_not_downloaded_again(get: Any, zenodo: Zenodo) -> None:
    get("--yes")
    before = len(zenodo.downloads)
    done = get()
    assert done.status == 0, "there is nothing to ask"
    assert len(zenodo.downloads) == before
    assert done.out.count("  here") == 2
    assert "0 bytes to download" in done.out


def test_a_file_that_was_lost_or_cut_comes_back(get: Any, tmp_path: Path, zenodo: Zenodo) -> None:
    get("--yes")
    (tmp_path / "made" / "Actor_02" / "a.mp4").unlink()
    done = get("--yes")
    assert done.status == 0, done.err
    assert files_of(tmp_path / "made") == UNPACKED
    assert [name for name, _ in zenodo.downloads] == [f"Video_{i}.zip/content" for i in (1, 2, 2)]


def test_an_archive_from_a_browser_is_used_and_stays(get: Any, tmp_path: Path, zenodo: Zenodo) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "Video_1.zip").write_bytes(ONE)
    assert get("--yes").status == 0
    assert [name for name, _ in zenodo.downloads] == ["Video_2.zip/content"]
    assert files_of(tmp_path / "made") == {**UNPACKED, "Video_1.zip": ONE}


def test_only_names_files_of_the_record(get: Any, tmp_path: Path) -> None:
    done = get("--yes", "--only", "*.csv", "--only", "Video_2*")
    assert done.status == 0, done.err
    assert files_of(tmp_path / "made") == {"Actor_02/a.mp4": VIDEO[5:], "list.csv": b"a,b\n"}
    none = get("--yes", "--only", "*Actor_99*")
    assert none.status == 2
    assert "matches '*Actor_99*'; it has Audio.zip, Video_1.zip, Video_2.zip, list.csv" in none.err


def test_a_download_goes_on_where_it_broke_off(get: Any, tmp_path: Path, zenodo: Zenodo) -> None:
    zenodo.cuts = [4000, 3000]
    done = get("--yes")
    assert done.status == 0
    assert "Video_1.zip (21 kB): the connection ended after 4 kB; the next try is in 2 s." in " ".join(done.err.split())
    assert [span for _, span in zenodo.downloads] == ["", "bytes=4000-", "bytes=7000-", ""]
    assert files_of(tmp_path / "made") == UNPACKED


def test_without_ranges_a_file_begins_anew(get: Any, tmp_path: Path, zenodo: Zenodo) -> None:
    zenodo.cuts, zenodo.ranges = [4000, 3000], "no"
    assert get("--yes").status == 0
    assert [span for _, span in zenodo.downloads] == ["", "bytes=4000-", "bytes=3000-", ""]
    assert files_of(tmp_path / "made") == UNPACKED


def test_a_range_that_begins_elsewhere_is_not_appended(get: Any, tmp_path: Path, zenodo: Zenodo) -> None:
    zenodo.cuts, zenodo.ranges = [4000], "wrong"
    assert get("--yes").status == 0
    assert [span for _, span in zenodo.downloads] == ["", "bytes=4000-", "", ""]
    assert files_of(tmp_path / "made") == UNPACKED


@pytest.mark.parametrize("left", [ONE[:5000], b"x" * 5000, ONE, ONE + b"more", b""])
def test_what_an_earlier_run_left_is_gone_on_from_or_replaced(get: Any, tmp_path: Path, left: bytes) -> None:
    """Half of the file, half of another one, the whole file, too much, nothing."""
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "Video_1.zip.part").write_bytes(left)
    assert get("--yes").status == 0
    assert files_of(tmp_path / "made") == UNPACKED


def test_a_server_that_always_breaks_off_ends_in_a_sentence_and_the_part_stays(
    get: Any, tmp_path: Path, zenodo: Zenodo
) -> None:
    zenodo.cuts = [4000, *[0] * 20]
    done = get("--yes")
    assert done.status == 2
    assert "Video_1.zip (21 kB) cannot be read: the connection ended after 4 kB, 6 times in a row." in done.err
    assert "4 kB are here and kept; the same command goes on from there." in done.err
    assert (tmp_path / "made" / "Video_1.zip.part").read_bytes() == ONE[:4000]
    zenodo.cuts = []
    again = get()
    assert "Video_1.zip      21 kB  4 kB are here" in again.out
    assert get("--yes").status == 0
    assert zenodo.downloads[-2][1] == "bytes=4000-"
    assert files_of(tmp_path / "made") == UNPACKED


def test_tries_that_bring_something_do_not_count(get: Any, zenodo: Zenodo) -> None:
    zenodo.cuts = [1000] * 15
    assert get("--yes").status == 0


def test_interrupted_it_keeps_what_is_there(
    get: Any, tmp_path: Path, zenodo: Zenodo, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = download._write, []

    def write(*arguments: Any) -> None:
        real(*arguments)
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(download, "_write", write)
    done = get("--yes")
    assert done.status == 130
    assert "The same command goes on where it stopped." in done.err
    assert (tmp_path / "made" / "Video_1.zip.part").read_bytes() == ONE[:3000]
    monkeypatch.setattr(download, "_write", real)
    assert get("--yes").status == 0
    assert zenodo.downloads[1][1] == "bytes=3000-"


def test_another_checksum_is_downloaded_once_more_and_never_kept(get: Any, tmp_path: Path, zenodo: Zenodo) -> None:
    zenodo.stated["Video_1.zip"] = {"checksum": f"md5:{'0' * 32}"}
    done = get("--yes")
    assert done.status == 2
    assert "Video_1.zip has the checksum md5:" in done.err
    assert f"states md5:{'0' * 32}. It was removed." in done.err
    assert len(zenodo.downloads) == 2
    assert files_of(tmp_path / "made") == {}


@pytest.mark.parametrize("stated", ["sha256:abc", "crc9:1", "1234"])
def test_a_checksum_of_another_kind(get: Any, zenodo: Zenodo, stated: str) -> None:
    zenodo.stated["Video_1.zip"] = {"checksum": stated}
    done = get("--yes")
    assert done.status == 2
    assert f"gives the checksum '{stated}' for Video_1.zip, which cannot be computed here" in done.err


def test_another_size_is_not_downloaded(get: Any, tmp_path: Path, zenodo: Zenodo) -> None:
    zenodo.served["Video_1.zip"] = b"<html>Log in</html>"
    done = get("--yes")
    assert done.status == 2
    assert f"sends 19 bytes, and Video_1.zip has {len(ONE)}. A login page or a proxy may answer" in done.err
    assert files_of(tmp_path / "made") == {}


def test_a_server_that_is_busy_is_asked_again_after_a_while(
    get: Any, zenodo: Zenodo, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(download, "sleep", waits.append)
    zenodo.failures, zenodo.retry_after = [500, 503, 429], "40"
    done = get("--yes")
    assert done.status == 0
    assert waits == [40, 40, 40]
    assert "the server answers 503 (Service Unavailable); the next try is in 40 s." in done.err
    waits.clear()
    zenodo.failures, zenodo.retry_after = [500] * 6, ""
    done = get("--yes")
    assert waits == list(download.WAITS)
    assert "answers 500 (Internal Server Error), 6 times in a row" in done.err


def test_a_record_that_is_gone_is_said_at_once(get: Any, zenodo: Zenodo) -> None:
    zenodo.files = {}
    done = get("--yes")
    assert done.status == 2
    assert "answers 404 (Not Found). The record may have been moved or closed" in done.err
    assert len(zenodo.asked) == 1


def test_a_restricted_record_offers_nothing(get: Any, zenodo: Zenodo) -> None:
    zenodo.metadata = {"access_right": "restricted"}
    assert "offers no files to everyone (access: restricted)" in get("--yes").err
    zenodo.metadata, zenodo.files[NUMBER] = {}, {}
    assert "offers no files to everyone" in get("--yes").err


def test_no_server_is_a_sentence(get: Any, zenodo: Zenodo) -> None:
    zenodo.close()
    done = get("--yes")
    assert done.status == 2
    assert "cannot be read: Connection refused, 6 times in a row" in done.err


def test_an_answer_that_is_no_record(get: Any, zenodo: Zenodo) -> None:
    zenodo.stated["Video_1.zip"] = {"links": {}}
    assert "does not answer with a list of files as Zenodo's API gives it" in get("--yes").err


@pytest.mark.parametrize("name", ["../evil.zip", "a/b.zip", "..", ".hidden", "a\\b.zip", "a\x1b[2J.zip"])
def test_a_file_name_that_is_a_path_is_refused(get: Any, tmp_path: Path, zenodo: Zenodo, name: str) -> None:
    zenodo.stated["Video_1.zip"] = {"key": name}
    done = get("--yes")
    assert done.status == 2
    assert f"lists a file called {name!r}, which is no plain name" in done.err
    assert not zenodo.downloads


def test_an_address_that_is_no_web_address_is_refused(get: Any, tmp_path: Path, zenodo: Zenodo) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    zenodo.stated["Video_1.zip"] = {"links": {"self": f"file://{secret}"}}
    assert "which is not at 127.0.0.1" in get("--yes").err


def test_a_full_disk_is_said_before(get: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect.Collection, "free", property(lambda self: 100))
    done = get("--yes")
    assert done.status == 2
    assert "needs about 52 kB of the disk, and 100 bytes are free" in done.err


def test_a_disk_that_fills_up_is_a_sentence(get: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "Video_1.zip.part").symlink_to("/dev/full")
    assert "cannot be written: No space left on device. What is here is kept" in get("--yes").err


def test_two_processes_do_not_download_to_one_folder(get: Any, tmp_path: Path) -> None:
    with collect.Collection(tmp_path / "made").alone():
        done = get("--yes")
    assert done.status == 2
    assert "Another process downloads to" in done.err


def test_a_folder_that_cannot_be_made(get: Any, tmp_path: Path) -> None:
    (tmp_path / "made").write_text("a file")
    done = get("--yes")
    assert done.status == 2
    assert f"{tmp_path / 'made'} cannot be made" in done.err


def test_a_link_in_the_folder_is_not_followed_out_of_it(get: Any, tmp_path: Path, zenodo: Zenodo) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "Actor_01").symlink_to(tmp_path / "elsewhere")
    done = get("--yes")
    assert done.status == 2
    assert "Actor_01 is a link that leads out of" in done.err
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_size_below_nothing_is_refused(get: Any, zenodo: Zenodo) -> None:
    zenodo.stated["Video_1.zip"] = {"size": -5}
    assert "says that Video_1.zip has -5 bytes; nothing is downloaded" in get("--yes").err


def link(name: str, target: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(entry, target)
        made.writestr(f"{name}/a", b"x")
    return out.getvalue()


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a.mp4", bytes(30_000_000))
    return out.getvalue()


def encrypted() -> bytes:
    content = bytearray(archive({"a.mp4": b"x"}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 1
    return bytes(content)


def damaged() -> bytes:
    content = bytearray(archive({"a.mp4": VIDEO}))
    content[200] ^= 255
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (archive({"fine.mp4": b"x", "../evil.mp4": b"x"}), "'../evil.mp4' in it leads out of the folder"),
        (archive({"a/../../evil.mp4": b"x"}), "leads out of the folder"),
        (archive({"/tmp/evil.mp4": b"x"}), "leads out of the folder"),
        (archive({"C:/evil.mp4": b"x"}), "leads out of the folder"),
        (link("Actor_01", "/etc"), "'Actor_01' in it is a link or a device"),
        (bomb(), "its 1 files would have 30000000 bytes"),
        (encrypted(), "is encrypted; unpack it yourself"),
        (damaged(), "cannot be unpacked: Bad CRC-32"),
        (b"not a zip", "cannot be unpacked: File is not a zip file"),
    ],
    ids=["parent", "parent within", "root", "drive", "link", "bomb", "encrypted", "damaged", "no archive"],
)
def test_an_archive_that_may_do_harm_is_not_unpacked(
    get: Any, tmp_path: Path, zenodo: Zenodo, content: bytes, said: str
) -> None:
    zenodo.files[NUMBER] = {"Video_1.zip": content}
    done = get("--yes")
    assert done.status == 2
    assert said in done.err
    assert set(files_of(tmp_path / "made")) == {"Video_1.zip.part"}
    assert {p.name for p in tmp_path.iterdir()} == {"made", "made_plugin.py"}
    assert get("--yes").status != 0, "it is not taken for unpacked"


def test_a_file_of_another_content_is_not_overwritten(get: Any, tmp_path: Path) -> None:
    mine = tmp_path / "made" / "Actor_01" / "a.mp4"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    done = get("--yes")
    assert done.status == 2
    assert f"{mine} is there already and is not the file of that name in the archive" in done.err
    assert mine.read_bytes() == b"mine"
    (tmp_path / "made" / "list.csv").write_bytes(b"mine")
    assert "list.csv is there already and is not the file of" in get("--yes", "--only", "list.csv").err


def test_unpacking_again_leaves_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(ONE)
    sizes = unpack.unpack(path, tmp_path / "out")
    assert sizes == {"Actor_01/a.mp4": len(VIDEO), "Actor_01/b.mp4": len(VIDEO)}
    os.utime(tmp_path / "out" / "Actor_01" / "a.mp4", (1, 1))
    assert unpack.unpack(path, tmp_path / "out") == sizes
    assert (tmp_path / "out" / "Actor_01" / "a.mp4").stat().st_mtime == 1


@pytest.mark.parametrize("notes", ["{", "[]", '{"Video_1.zip": 5}'])
def test_notes_that_cannot_be_read_are_made_anew(get: Any, tmp_path: Path, notes: str) -> None:
    get("--yes")
    (tmp_path / "made" / collect.NOTES).write_text(notes)
    assert get("--yes").status == 0
    assert set(json.loads((tmp_path / "made" / collect.NOTES).read_text())) == {"Video_1.zip", "Video_2.zip"}


def test_a_proxy_of_the_environment_is_used(get: Any, zenodo: Zenodo, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert "cannot be read: Connection refused" in get("--yes").err
    assert not zenodo.asked


@pytest.mark.parametrize("name", ["jaffe", "kdef", "cremad", "oulu"])
def test_what_owners_do_not_offer_to_everyone_is_not_downloaded(ferbench: Callable[..., Any], name: str) -> None:
    card = load_registry().get(DatasetCard, name)
    done = ferbench("datasets", "get", name, "--yes")
    assert done.status == 2
    assert f"dataset={name} cannot be downloaded from here" in done.err
    assert f"It can be had from {card.obtain}. Terms: {card.licence}." in done.err


@pytest.mark.parametrize("name", ["synthfaces", "table"])
def test_where_nothing_is_to_download_it_is_said(ferbench: Callable[..., Any], name: str) -> None:
    assert f"There is nothing to download for dataset={name}" in ferbench("datasets", "get", name).err


def test_the_record_of_ravdess_and_the_list_of_datasets(ferbench: Callable[..., Any]) -> None:
    cards = load_registry().catalogue(DatasetCard)
    assert {name: card.download for name, card in cards.items() if card.download} == {
        "ravdess": ZenodoRecord(number=1188976, files=("Video_Speech_Actor_*.zip",))
    }
    assert "download  ferbench datasets get ravdess" in ferbench("datasets").out
    with pytest.raises(FerbenchError, match="no plain name"):
        download._check(download.RemoteFile("a/b", 1, "md5:0", "https://x"), "page")
