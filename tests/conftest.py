"""Small real data: generated faces in the layouts of the lab datasets, and ferbench's own command line."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import hypothesis
import pytest
from PIL import Image

from tests import trees

pytest_plugins = ["tests.made_records", "tests.ran_records", "tests.disks", "tests.environments", "tests.browser"]


hypothesis.settings.register_profile(
    "untimed", deadline=None
)  # machines are shared: how long an example takes says nothing
hypothesis.settings.load_profile("untimed")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test marked `needs("torch")` where that package is not installed."""
    for package in (name for mark in item.iter_markers("needs") for name in mark.args):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")


BASIC = ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Prepared images go to a temporary folder, shared by the tests of one run."""
    patch = pytest.MonkeyPatch()
    patch.setenv("FERBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    patch.delenv("FERBENCH_PLUGINS", raising=False)


@dataclass
class Result:
    status: int
    out: str
    err: str


@pytest.fixture
def ferbench(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """The command line in this process: ferbench("run", "method=degan") gives status, stdout and stderr."""
    from ferbench.cli import main as entry

    def call(*arguments: str) -> Result:
        patch = pytest.MonkeyPatch()
        patch.setattr("sys.argv", ["ferbench", *map(str, arguments)])
        capsys.readouterr()
        try:
            entry.main()
        except SystemExit as stop:
            status = 0 if stop.code is None else int(stop.code)
        finally:
            patch.undo()
        printed = capsys.readouterr()
        return Result(status, printed.out, printed.err)

    return call


@pytest.fixture(scope="session")
def faces() -> Callable[[int, str, int], Image.Image]:
    """The apex of synthfaces' first subjects by 'subject number/expression', as images."""
    from ferbench_synthfaces.dataset import SynthFaces
    from ferbench_synthfaces.plugin import SynthFacesSettings

    dataset = SynthFaces(SynthFacesSettings(subjects=12, image_size=48))

    @functools.cache
    def face(subject: int, expression: str, position: int) -> Image.Image:
        return Image.fromarray(dataset.image(f"S{subject + 1:03d}/{expression.lower()}/0/{position:03d}"))

    return face


@pytest.fixture(scope="session")
def lab_tree(faces: Callable[..., Image.Image], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The tree of a dataset's layout, built once for all tests, which leave it as it is: lab_tree("kdef")."""
    base = tmp_path_factory.mktemp("trees")

    @functools.cache
    def build(name: str) -> Path:
        builder = trees.BUILDERS[name]
        first = next(n for n, b in trees.BUILDERS.items() if b is builder)
        return builder(base / name, faces) if first == name else build(first)

    return build


@pytest.fixture
def own_tree(lab_tree: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """A copy of such a tree that a test may break."""
    return lambda name: Path(shutil.copytree(lab_tree(name), tmp_path / "copy of Ünal" / lab_tree(name).name))


@pytest.fixture
def oulu_tree(tmp_path: Path, faces: Callable[..., Image.Image]) -> Callable[..., Path]:
    """Builds a tree of Oulu-CASIA's layout: oulu_tree(subjects=12, frames=5)."""

    def build(
        subjects: int = 12,
        frames: int = 5,
        images: str = "PreProcess Img",
        camera: str = "VL",
        illumination: str = "Strong",
        suffix: str = ".jpeg",
        root: str = "Oulu",
    ) -> Path:
        top = tmp_path / root
        for subject in range(subjects):
            for expression in BASIC:
                folder = top / images / camera / illumination / f"P{subject + 1:03d}" / expression
                folder.mkdir(parents=True)
                for frame in range(frames):
                    position = frame * 7 // max(frames - 1, 1)
                    faces(subject, expression, position).save(folder / f"{frame:03d}{suffix}", quality=90)
        return top

    return build


SMOKE = ("budget=smoke", "dataset=synthfaces", "dataset.subjects=10", "dataset.image_size=48", "trainer.device=cpu")


@pytest.fixture
def smoke(tmp_path: Path) -> tuple[str, ...]:
    """Overrides of the smallest useful study, with a results folder of its own."""
    return (
        *SMOKE,
        "protocol=subject_kfold",
        "protocol.k=2",
        "protocol.folds=[0]",
        f"results_dir={tmp_path / 'results'}",
    )
