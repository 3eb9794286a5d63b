"""Images of every kind and damage, and names that no program likes: the right pixels, or a sentence before anything is trained."""

from __future__ import annotations

import csv
import io
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import ExifTags, Image

from ferbench import DatasetCard, FerbenchError, FrameError
from ferbench.audit.splits import image_hash
from ferbench.records.files import read_predictions
from ferbench.records.store import Store
from ferbench.registry.component import Component
from ferbench.registry.loader import load_registry
from ferbench_labdata.files import content_fingerprint, open_image
from tests.plugins.test_labdata import huge_png

REGISTRY = load_registry()
RAMP = np.tile(np.arange(16, 80, dtype=np.uint8), (48, 1))
"""(48, 64) levels of gray, no two neighbours alike."""
COLOURED = np.stack([RAMP, RAMP + 100, 255 - RAMP], axis=-1)


def load(name: str, root: Path, **settings: Any) -> Any:
    return Component(name, {"root": str(root), **settings}).make(REGISTRY, DatasetCard)


def picture(values: np.ndarray = COLOURED, mode: str = "RGB") -> Image.Image:
    image = Image.fromarray(values)
    return image if image.mode == mode else image.convert(mode)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(open_image(path, "frame"))


# -- kinds of images


@pytest.mark.parametrize(
    ("name", "image", "options"),
    [
        ("cmyk.tif", picture(mode="CMYK"), {}),
        ("opaque.png", picture(mode="RGBA"), {}),
        ("alone.gif.png", picture(), {"format": "PNG"}),
        ("in-truth-webp.jpg", picture(), {"format": "WEBP", "lossless": True}),
        ("animated.png", picture(), {"save_all": True, "append_images": [Image.new("RGB", (64, 48), "red")]}),
        ("pages.tif", picture(), {"save_all": True, "append_images": [Image.new("RGB", (64, 48), "red")]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_colours_of_an_image(tmp_path: Path, name: str, image: Image.Image, options: dict[str, Any]) -> None:
    """Of an animation, or of several pages, those of the first picture."""
    image.save(tmp_path / name, **options)
    assert (pixels(tmp_path / name) == COLOURED).all()


def test_gray_and_palette(tmp_path: Path) -> None:
    gray = np.stack([RAMP] * 3, axis=-1)
    picture(RAMP, "L").save(tmp_path / "gray.png")
    picture(RAMP, "L").convert("P").save(tmp_path / "palette.png")
    for name in ("gray.png", "palette.png"):
        assert (pixels(tmp_path / name) == gray).all()


def test_a_cmyk_jpeg_is_no_negative(tmp_path: Path) -> None:
    picture(mode="CMYK").save(tmp_path / "cmyk.jpg", quality=98)
    assert np.abs(pixels(tmp_path / "cmyk.jpg").astype(int) - COLOURED).max() < 12


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_of_sixteen_bits_the_upper_eight_count(tmp_path: Path, suffix: str) -> None:
    """White is 65535. An image of 8 bits that was stored in 16 stays as it is."""
    path = tmp_path / f"deep{suffix}"
    Image.fromarray(RAMP.astype(np.uint16) * 257).save(path)
    assert (pixels(path) == RAMP[..., None]).all()
    Image.fromarray(RAMP.astype(np.uint16)).save(path)
    assert (pixels(path) == RAMP[..., None]).all()


@pytest.mark.parametrize(
    ("values", "span"),
    [
        (RAMP.astype(np.int32) * 1000, "16000 to 79000"),
        (RAMP.astype(np.float32) / 255, "0.0627451 to 0.309804"),
        (RAMP.astype(np.float32) - 20, "-4 to 59"),
        (np.where(RAMP == 20, np.float32("nan"), RAMP), "nan to nan"),
    ],
)
def test_where_nothing_says_what_is_white(tmp_path: Path, values: np.ndarray, span: str) -> None:
    Image.fromarray(values.astype(values.dtype)).save(tmp_path / "x.tif")
    with pytest.raises(
        FrameError, match=f"x.tif cannot be used: its gray values go from {span}, .* save it with 8 bits"
    ):
        pixels(tmp_path / "x.tif")


def test_what_is_transparent_is_on_black(tmp_path: Path) -> None:
    alpha = np.zeros((48, 64), np.uint8)
    alpha[:, 20:] = 255
    alpha[:, 40:] = 51  # a fifth
    Image.fromarray(np.dstack([COLOURED, alpha])).save(tmp_path / "x.png")
    found = pixels(tmp_path / "x.png").astype(int)
    assert (found[:, :20] == 0).all()
    assert (found[:, 20:40] == COLOURED[:, 20:40]).all()
    assert np.abs(found[:, 40:] - COLOURED[:, 40:] / 5).max() <= 1
    picture(RAMP, "L").convert("P").save(tmp_path / "palette.png", transparency=int(RAMP[0, 0]))
    assert (pixels(tmp_path / "palette.png")[:, 0] == 0).all()
    assert (pixels(tmp_path / "palette.png")[:, 1:] == RAMP[:, 1:, None]).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_an_image_is_turned_as_its_exif_says(tmp_path: Path, orientation: int, suffix: str) -> None:
    """The pixels are stored so that the tag's definition makes the ramp of them: row 0 and column 0 are the sides that it names."""
    stored = {
        1: COLOURED,
        2: COLOURED[:, ::-1],
        3: COLOURED[::-1, ::-1],
        4: COLOURED[::-1],
        5: COLOURED.transpose(1, 0, 2),
        6: COLOURED.transpose(1, 0, 2)[::-1],
        7: COLOURED.transpose(1, 0, 2)[::-1, ::-1],
        8: COLOURED.transpose(1, 0, 2)[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / f"x{suffix}"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
    assert (pixels(path) == COLOURED).all()
    if suffix == ".png":
        assert (np.asarray(open_image(path, "frame", as_stored=True)) == stored).all()


def test_exif_that_cannot_be_read_turns_nothing(tmp_path: Path) -> None:
    picture().save(tmp_path / "x.png", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert (pixels(tmp_path / "x.png") == COLOURED).all()


def test_a_copy_whose_pixels_are_read_anew_has_another_fingerprint(tmp_path: Path) -> None:
    """Records of them as they were read before are not taken for these; those of all other copies stay valid."""
    import hashlib

    def as_before(path: Path) -> str:
        whole = hashlib.sha256(hashlib.sha256(path.read_bytes()).digest()).hexdigest()
        return hashlib.sha256(f"\nframe\n{whole}".encode()).hexdigest()[:24]

    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 1
    picture().save(tmp_path / "plain.jpg", exif=exif)
    picture(mode="RGBA").save(tmp_path / "opaque.png")
    (tmp_path / "no.png").write_bytes(b"none")
    for name in ("plain.jpg", "opaque.png", "no.png"):
        assert content_fingerprint([("frame", tmp_path / name)]) == as_before(tmp_path / name), name
    exif[ExifTags.Base.Orientation] = 6
    picture().save(tmp_path / "turned.jpg", exif=exif)
    Image.fromarray(RAMP.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    for name in ("turned.jpg", "deep.png"):
        assert content_fingerprint([("frame", tmp_path / name)]) != as_before(tmp_path / name), name
    stored = content_fingerprint([("frame", tmp_path / "turned.jpg")], as_stored=True)
    assert stored == as_before(tmp_path / "turned.jpg")


# -- no images


def truncated(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def program(path: Path) -> None:
    """Pillow would start Ghostscript."""
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 48 48\n%%EndComments\n")


@pytest.mark.parametrize("name", ["folders", "jaffe"])
@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (truncated, "is damaged"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_text("no image"), "is no image in one of the formats JPEG, PNG"),
        (program, "is no image in one of the formats JPEG, PNG"),
        (lambda path: huge_png(path, 30_000), "is far too large for a face"),
        (pipe, "is a pipe, a socket or a device, and no file"),
        (loop, "cannot be read: Too many levels of symbolic links"),
    ],
    ids=["truncated", "empty", "text", "program", "huge", "pipe", "loop"],
)
def test_before_training_a_sentence_names_the_file(
    ferbench: Callable[..., Any], own_tree: Callable[[str], Path], name: str, harm: Callable[[Path], Any], words: str
) -> None:
    root = own_tree("jaffe")
    if name == "folders":
        root = sorted_into_folders(root)
    path = sorted(root.rglob("*.tiff"))[3]
    harm(path)
    study = ("run", "method=cross_entropy", f"dataset={name}", f"dataset.root={root}", "budget=smoke")
    refused = ferbench(*study, f"results_dir={root.parent / 'results'}", "trainer.device=cpu")
    assert refused.status == 2
    assert f"{path.name} {words}" in refused.err
    assert "Traceback" not in refused.err
    assert not list((root.parent / "results").glob("[0-9a-f]*")), "nothing was trained"


def sorted_into_folders(root: Path) -> Path:
    """The images of JAFFE in a folder for each expression."""
    names = {
        "AN": "anger",
        "DI": "disgust",
        "FE": "fear",
        "HA": "happiness",
        "NE": "neutral",
        "SA": "sadness",
        "SU": "surprise",
    }
    target = root.parent / "sorted"
    for path in sorted(root.rglob("*.tiff")):
        place = target / names[path.name.split(".")[1][:2]] / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    return target


def test_a_socket_is_no_image_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("x.png")
        with pytest.raises(FrameError, match="x.png is a pipe, a socket or a device"):
            pixels(Path("x.png"))


def test_an_audit_neither_waits_for_a_pipe_nor_opens_a_bomb(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    huge_png(tmp_path / "bomb.png", 30_000)
    assert [image_hash(tmp_path / name) for name in ("pipe.png", "bomb.png")] == ["", ""]


# -- names

NAMES = (
    "line\nbreak.png",
    "quotes\"'`.png",
    "<script>alert(1)</script>.png".replace("/", "∕"),
    "-rf.png",
    "=1+1.png",
    "escape\x1b[2J.png",
    os.fsdecode(b"\xbf\xaa\xd0\xc4.png"),
    "{braces}%s$x_1$.png",
)


@pytest.fixture
def strange(tmp_path: Path, faces: Callable[..., Image.Image]) -> Path:
    """Images in folders, each with a name that no program likes."""
    for number, expression in enumerate(("anger", "happiness")):
        for place, name in enumerate(NAMES):
            path = tmp_path / "strange" / expression / name
            path.parent.mkdir(parents=True, exist_ok=True)
            faces(place, expression, 7 - number).save(path)
    return tmp_path / "strange"


def test_strange_names_go_through_a_whole_study(
    ferbench: Callable[..., Any], strange: Path, tmp_path: Path, smoke: tuple[str, ...]
) -> None:
    """Frames are called by their names, with what cannot be shown escaped: in records, tables, sheets and pages."""
    data = ("dataset=folders", f"dataset.root={strange}", "protocol=image_kfold", "protocol.k=2", "protocol.folds=[0]")
    others = [word for word in smoke if not word.startswith(("dataset", "protocol"))]
    done = ferbench("run", "method=cross_entropy", *data, *others, "evaluation.judges=0")
    assert done.status == 0, done.err
    (record,), damaged = Store(tmp_path / "results").scan()
    assert not damaged
    frames, _ = read_predictions(tmp_path / "results" / record.trial.id, record.expressions)
    assert len(frames) == 8
    assert set(record.subjects) == set(frames["subject"])
    assert all(name.isprintable() for name in record.subjects)

    printed = ferbench("splits", *data[:-1])
    assert printed.status == 0
    rows = list(csv.DictReader(io.StringIO(printed.out)))
    assert {row["frame_id"] for row in rows} == {f"{e}/{n}/0" for e in ("anger", "happiness") for n in SHOWN}
    assert ferbench("show", record.trial.id, tmp_path / "results").status == 0
    sheet = ferbench("contact-sheet", *data[:2], "--output", tmp_path / "sheet.png", "--subjects", "16")
    assert sheet.status == 0, sheet.err
    with Image.open(tmp_path / "sheet.png") as drawn:
        assert drawn.height > 16 * 96
    page = ferbench("report", tmp_path / "results", "--output", tmp_path / "page")
    assert page.status == 0, page.err


SHOWN = (
    r"line\nbreak.png",
    "quotes\"'`.png",
    "<script>alert(1)<∕script>.png",
    "-rf.png",
    "=1+1.png",
    r"escape\x1b[2J.png",
    r"\xbf\xaa\xd0\xc4.png",
    "{braces}%s$x_1$.png",
)


def test_the_image_of_a_strange_name_is_its_own(strange: Path, faces: Callable[..., Image.Image]) -> None:
    dataset = load("folders", strange)
    for place, name in enumerate(SHOWN):
        assert (dataset.image(f"anger/{name}/0") == np.asarray(faces(place, "anger", 7))).all()


def test_an_error_shows_a_strange_name_in_one_line(strange: Path, ferbench: Callable[..., Any]) -> None:
    (strange / "anger" / NAMES[0]).write_bytes(b"")
    (strange / "anger" / NAMES[5]).write_bytes(b"")
    refused = ferbench("run", "method=cross_entropy", "dataset=folders", f"dataset.root={strange}", "budget=smoke")
    assert refused.status == 2
    assert r"line\nbreak.png is empty" in refused.err
    assert r"escape\x1b[2J.png is empty" in refused.err
    assert "\x1b" not in refused.err


def test_strange_names_in_a_table(tmp_path: Path, strange: Path) -> None:
    table = pd.DataFrame(
        {"path": [f"anger/{name}" for name in NAMES[:5]], "expression": ["anger", "fear"] * 2 + ["fear"]}
    )
    table["subject"] = [f"A\x1b[1m{i}" for i in range(5)]
    table.to_csv(tmp_path / "frames.csv", index=False)
    dataset = load("table", strange, file=str(tmp_path / "frames.csv"))
    frames = dataset.frames()
    assert list(frames["frame_id"]) == [f"anger/{name}" for name in SHOWN[:5]]
    assert frames["subject"].iloc[0] == r"A\x1b[1m0"
    assert dataset.image(f"anger/{SHOWN[0]}").shape == (48, 48, 3)


def test_two_names_that_are_shown_alike_are_refused(tmp_path: Path) -> None:
    for name in ("a\nb.png", r"a\nb.png", "c.png"):
        path = tmp_path / "D" / "anger" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(RAMP + len(name), "L").save(path)
    with pytest.raises(
        FerbenchError, match=r"1 folder or image .* belongs to no class and no split, or to two: anger/a\\nb.png"
    ):
        load("folders", tmp_path / "D")
