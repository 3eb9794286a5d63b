"""The example plugins are built, installed, used and removed as distributions of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.environments import Environment

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"

pytestmark = pytest.mark.slow


def wheel_of(example: str, folder: Path) -> Path:
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--quiet", "--wheel-dir", str(folder))
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(EXAMPLES / example)], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture
def installed(environment: Environment, tmp_path: Path) -> Callable[[str], Environment]:
    def install(example: str) -> Environment:
        wheel = wheel_of(example, tmp_path / "wheels")
        environment.pip("install", "--no-deps", "--no-index", wheel)
        return environment

    return install


def removed_without_a_trace(environment: Environment, before: set[Path], example: str) -> bool:
    environment.pip("uninstall", "--yes", example)
    return environment.files() == before and example not in environment.run("-m", "ferbench", "plugins")


def test_the_example_method(
    environment: Environment, installed: Callable[[str], Environment], smoke: tuple[str, ...]
) -> None:
    before = environment.files()
    here = installed("ferbench-example-method")
    assert "method center_loss" in here.run("-m", "ferbench", "plugins")
    assert "All hold." in here.run("-m", "ferbench", "check", "center_loss", "--only", "card_without_torch")
    assert "no_center" in here.run("-m", "ferbench", "run", "method=center_loss", "ablation=all", *smoke)
    tests = EXAMPLES / "ferbench-example-method" / "tests"
    here.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tests, tests)
    assert removed_without_a_trace(environment, before, "ferbench-example-method")


def test_the_example_with_a_teacher(
    environment: Environment, installed: Callable[[str], Environment], smoke: tuple[str, ...], tmp_path: Path
) -> None:
    """A variant that takes over another one's stage is the one that trained it in an empty folder."""
    before = environment.files()
    here = installed("ferbench-example-momentum")
    tests = EXAMPLES / "ferbench-example-momentum" / "tests"
    here.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tests, tests)
    words = [word for word in smoke if not word.startswith("results_dir")]
    for ablation in ("all", "judge_student"):
        settings = ("method=momentum_contrast", f"ablation={ablation}", *words, f"results_dir={tmp_path / ablation}")
        here.run("-m", "ferbench", "run", *settings)
    (alone,) = (tmp_path / "judge_student").glob("*/weights.safetensors")
    assert alone.read_bytes() == (tmp_path / "all" / alone.parent.name / alone.name).read_bytes()
    assert removed_without_a_trace(environment, before, "ferbench-example-momentum")


@pytest.mark.parametrize(
    ("name", "method", "ablation"),
    [
        ("ferbench-example-batches", "identity_triplets", "random_batches"),
        ("ferbench-example-clips", "frame_attention", "no_attention"),
    ],
)
def test_the_examples_of_what_a_step_sees(
    environment: Environment,
    installed: Callable[[str], Environment],
    smoke: tuple[str, ...],
    name: str,
    method: str,
    ablation: str,
) -> None:
    before = environment.files()
    here = installed(name)
    assert ablation in here.run("-m", "ferbench", "run", f"method={method}", "ablation=all", *smoke)
    tests = EXAMPLES / name / "tests"
    here.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tests, tests)
    assert removed_without_a_trace(environment, before, name)


@pytest.mark.parametrize(
    ("example", "method", "ablation"),
    [
        ("islands", "island_loss", "trained_centers"),
        ("relabel", "scn", "no_relabelling"),
        ("tuplets", "identity_tuplets", "fixed_threshold"),
        ("units", "unit_coupling", "no_coupling"),
        ("sharpness", "sharp_cross_entropy", "no_sam"),
    ],
)
def test_the_examples_of_papers(
    installed: Callable[[str], Environment],
    smoke: tuple[str, ...],
    example: str,
    method: str,
    ablation: str,
) -> None:
    name = f"ferbench-example-{example}"
    here = installed(name)
    words = (f"method={method}", f"ablation={ablation}", "evaluation.judges=0", "evaluation.test_curve_points=0")
    assert ablation in here.run("-m", "ferbench", "run", *words, *smoke)
    (results,) = (word.partition("=")[2] for word in smoke if word.startswith("results_dir"))
    board = ("-m", "ferbench", "leaderboard", results, "--include-ablations", "--format", "csv")
    assert f",{method},1,{ablation}," in here.run(*board)
    tests = EXAMPLES / name / "tests"
    here.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tests, tests)


def test_the_example_without_labels(installed: Callable[[str], Environment], smoke: tuple[str, ...]) -> None:
    """It asks for an extra dataset, whose board it is on; its own tests train it on a table without labels."""
    here = installed("ferbench-example-confidence")
    extra = (
        "extra_dataset=synthfaces",
        "extra_dataset.seed=1",
        "extra_dataset.subjects=8",
        "extra_dataset.image_size=48",
    )
    words = ("method=ada_cm", "ablation=no_contrast", "evaluation.judges=0", "evaluation.test_curve_points=0", *extra)
    assert "no_contrast" in here.run("-m", "ferbench", "run", *words, *smoke)
    (results,) = (word.partition("=")[2] for word in smoke if word.startswith("results_dir"))
    board = here.run("-m", "ferbench", "leaderboard", results, "--include-ablations", "--format", "csv")
    assert "ada_cm" in board
    assert "synthfaces" in board
    tests = EXAMPLES / "ferbench-example-confidence" / "tests"
    here.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tests, tests)


def test_the_example_dataset(environment: Environment, installed: Callable[[str], Environment], tmp_path: Path) -> None:
    before = environment.files()
    here = installed("ferbench-example-dataset")
    assert "dataset portraits" in here.run("-m", "ferbench", "plugins")
    tests = EXAMPLES / "ferbench-example-dataset" / "tests"
    here.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tests, "--basetemp", tmp_path / "base", tests)
    (root,) = (tmp_path / "base").glob("portraits0")
    done = here.run(
        "-m", "ferbench", "run", "method=cross_entropy", "dataset=portraits", f"dataset.root={root}", "budget=smoke",
        "protocol=subject_kfold",
        "protocol.k=2", "protocol.folds=[0]", "trainer.device=cpu", f"results_dir={tmp_path / 'results'}",
    )  # fmt: skip
    assert "cross_entropy" in done
    assert removed_without_a_trace(environment, before, "ferbench-example-dataset")


def test_the_example_command(environment: Environment, installed: Callable[[str], Environment]) -> None:
    before = environment.files()
    here = installed("ferbench-example-command")
    assert "command slowest" in here.run("-m", "ferbench", "plugins")
    tests = EXAMPLES / "ferbench-example-command" / "tests"
    here.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tests, tests)
    assert removed_without_a_trace(environment, before, "ferbench-example-command")


@pytest.mark.parametrize("example", [folder.name for folder in EXAMPLES.iterdir() if folder.is_dir()])
def test_examples_import_the_public_surface_only(example: str) -> None:
    import ast

    public = ("interfaces", "blocks", "metrics", "testing", "cards", "errors", "hookspecs", "hashing", "files")
    for path in (EXAMPLES / example).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                top, _, rest = name.partition(".")
                assert top != "ferbench" or not rest or rest.partition(".")[0] in public, f"{path.name}: {name}"
