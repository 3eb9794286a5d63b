"""Reading datasets: indexing Oulu-CASIA's whole tree, decoding into the cache, memory of a preparation.

Goals: the index of 57,600 files under 3 s; decoding into the cache at no less than 0.9 of a plain decoder's speed in as many
processes (the printed ratio is of times, plain / ours: over 0.9); memory that does not grow with the dataset.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ferbench.config.schema import Preparation
from ferbench.data.cache import prepare
from ferbench_labdata.oulu import Oulu
from ferbench_labdata.settings import OuluSettings, TableSettings
from ferbench_labdata.table import Table

EXPRESSIONS = ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")


def photograph(path: Path, seed: int = 0) -> None:
    """A JPEG of 320 x 240 with as much detail as a photograph has."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 255, (30, 40, 3), dtype=np.uint8)).resize(
        (320, 240), Image.Resampling.BICUBIC
    )
    noise = random.normal(0, 6, (240, 320, 3))
    Image.fromarray((np.asarray(coarse) + noise).clip(0, 255).astype(np.uint8)).save(path, quality=90)


def test_index_of_oulu(benchmark: Any, tmp_path: Path) -> None:
    for camera in ("VL", "NI"):
        for light in ("Strong", "Weak", "Dark"):
            for subject in range(80):
                for expression in EXPRESSIONS:
                    folder = tmp_path / "OriginalImg" / camera / light / f"P{subject + 1:03d}" / expression
                    folder.mkdir(parents=True)
                    for frame in range(20):
                        (folder / f"{frame:03d}.jpeg").touch()

    def index() -> int:
        return len(Oulu(OuluSettings(root=str(tmp_path), camera="all", illumination="all")).frames())

    assert benchmark.pedantic(index, rounds=5, warmup_rounds=1) == 57_600
    print(f"\nindex of 57,600 files: {benchmark.stats.stats.median:.2f} s")


def decode(path: str) -> int:
    with Image.open(path) as image:
        return int(np.asarray(image.convert("RGB"))[0, 0, 0])


def decode_and_resize(path: str) -> int:
    with Image.open(path) as image:
        middle = image.convert("RGB").crop((40, 0, 280, 240))
        return int(np.asarray(middle.resize((96, 96), Image.Resampling.BICUBIC))[0, 0, 0])


def table_of(folder: Path, count: int) -> Table:
    folder.mkdir()
    photograph(folder / "0.jpg")
    for number in range(1, count):
        shutil.copy(folder / "0.jpg", folder / f"{number}.jpg")
    rows = "".join(f"{n}.jpg,anger\n" for n in range(count))
    (folder / "frames.csv").write_text(f"path,expression\n{rows}")
    return Table(TableSettings(file=str(folder / "frames.csv")))


@pytest.mark.parametrize("plain", [decode, decode_and_resize])
def test_decoding_into_the_cache(plain: Callable[[str], int], paired: Callable[..., float], tmp_path: Path) -> None:
    dataset = table_of(tmp_path / "images", 2000)
    frames = dataset.frames()
    paths = [str(tmp_path / "images" / name) for name in frames["frame_id"]]
    with ProcessPoolExecutor(os.cpu_count()) as pool:

        def theirs() -> None:
            list(pool.map(plain, paths, chunksize=64))

        def ours() -> None:
            shutil.rmtree(tmp_path / "cache", ignore_errors=True)
            prepare(dataset, "key", frames, frames, Preparation(96), tmp_path / "cache")

        ratio = paired(
            f"2,000 JPEGs of 320 x 240 into the cache at 96 px / a plain {plain.__name__}", ours, theirs, rounds=7
        )
    print(f"speed: {1 / ratio:.2f} of the plain one's")


PROGRAM = """
import resource, sys
from ferbench.data.cache import prepare
from ferbench.settings import Preparation
from ferbench_labdata.settings import TableSettings
from ferbench_labdata.table import Table
dataset = Table(TableSettings(file=sys.argv[1]))
frames = dataset.frames()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
prepare(dataset, "key", frames, frames, Preparation(96), __import__("pathlib").Path(sys.argv[2]))
anonymous = [l for l in open("/proc/self/status") if l.startswith(("RssAnon",))][0].split()[1]
print("MiB", int(anonymous) / 1024)
"""


def test_memory_of_a_preparation(benchmark: Any, tmp_path: Path) -> None:
    """Anonymous memory after preparing 500 and 8,000 images: the array itself is a file, which the system may drop."""
    used = {}
    for count in (500, 8000):
        table_of(tmp_path / str(count), count)
        words = [
            sys.executable,
            "-c",
            PROGRAM,
            str(tmp_path / str(count) / "frames.csv"),
            str(tmp_path / f"cache{count}"),
        ]
        out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        used[count] = float(re.findall(r"MiB ([\d.]+)", out)[0])
    benchmark.pedantic(lambda: None, rounds=1)
    print(f"\nmemory after preparing 500 images: {used[500]:.0f} MiB, after 8,000: {used[8000]:.0f} MiB")
