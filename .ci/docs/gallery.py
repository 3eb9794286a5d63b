"""The gallery: figures that the build draws with ferbench's own commands, from the archived study and from a small one.

    python .ci/docs/gallery.py        # in an environment with torch: trains the small study into build/docs

The page itself is written by the hook, in an environment without torch.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "docs"

TRAIN = (
    "ferbench run --multirun method=cross_entropy,degan dataset=synthfaces dataset.subjects=24 dataset.takes=1 budget=demo "
    "budget.steps=400 protocol=subject_kfold protocol.k=2 protocol.folds=0 trainer.device=cpu"
)
SHEET = "ferbench contact-sheet dataset=synthfaces dataset.device=cpu --subjects 4"
SITE = "ferbench site synthfaces --output boards --baseline cross_entropy"
SMALL_SITE = "ferbench site results --output small"


@dataclass(frozen=True)
class Shown:
    """A figure of the gallery.

    Attributes:
        pattern: of its file, below build/docs; `name` is what it is called on the site.
        command: what makes it.
    """

    title: str
    words: str
    pattern: str
    name: str
    command: str


ARCHIVED = (
    Shown(
        "Leakage against accuracy",
        "Each point is a method: up is more accurate, left reveals less of who a person is. Dashed lines are what pixels and the "
        "untrained network reveal.",
        "boards/figures/leakage-synthfaces-confounded-*.png",
        "leakage",
        SITE,
    ),
    Shown(
        "What each part of a method is worth",
        "Each ablation minus the full method, on the same subjects, folds and seeds. Intervals that hold zero are gray.",
        "boards/figures/ablations-synthfaces-confounded-*.png",
        "ablations",
        SITE,
    ),
    Shown(
        "Methods over several datasets",
        "Mean ranks over the boards; a bar joins methods that Nemenyi's test does not tell apart. With two boards it tells few or "
        "none apart.",
        "boards/figures/critical-difference.png",
        "ranks",
        SITE,
    ),
)
TRAINED = (
    Shown(
        "A dataset at a glance",
        "Subjects in rows, neutral and each expression at its apex in columns.",
        "contact-sheet.png",
        "contact-sheet",
        SHEET,
    ),
    Shown(
        "Losses in training",
        "The losses of both stages of DE-GAN, which every trial draws when it ends.",
        "results/*/figures/losses.png",
        "losses",
        TRAIN,
    ),
    Shown(
        "Confusion",
        "Which expressions are taken for which. Every trial draws it for its test fold.",
        "results/*/figures/confusion.png",
        "confusion",
        TRAIN,
    ),
    Shown(
        "Made faces",
        "The expression of the row on the person of the column. After 400 steps they are blurred; they show what to look for.",
        "results/*/figures/synthesis.png",
        "synthesis",
        TRAIN,
    ),
    Shown(
        "Test accuracy in training",
        "Means over folds and seeds, written down and never used for a choice.",
        "small/figures/curves-*.png",
        "curves",
        SMALL_SITE,
    ),
    Shown(
        "A representation by expression and by person",
        "Clusters on the left and none on the right are what a method wants that separates expression from identity. Distances "
        "between clusters mean nothing in t-SNE.",
        "small/figures/representation-*.png",
        "representation",
        SMALL_SITE,
    ),
)


def files() -> Iterator[tuple[str, str | bytes]]:
    """The page of the gallery, its figures, and the boards of the archived study as a site of their own."""
    with tarfile.open(ROOT / "docs" / "records" / "synthfaces.tar.xz") as archive:
        archive.extractall(BUILD, filter="data")
    shutil.rmtree(BUILD / "boards", ignore_errors=True)
    _run(SITE)
    for path in sorted((BUILD / "boards").rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            yield path.relative_to(BUILD).as_posix(), path.read_bytes()
    page = [
        "# Gallery of figures",
        (
            "Nothing on this page is drawn by hand or kept in the repository: each figure is made when the documentation is built, "
            "by the command below it. Beside each PNG are PDF and SVG for a paper, with the identifiers of their trials inside."
        ),
        "## From 342 trials on synthfaces",
        (
            "The archived study behind [the results](results.md). The command writes these figures and [boards that can be sorted, "
            "filtered and compared](boards/index.html), as files that open from disk."
        ),
    ]
    for shown in ARCHIVED:
        yield from _figure(shown, page)
    page += [
        "## From a small study",
        "Two methods, one fold, 400 steps: enough to see what the figures look like, and no result.",
    ]
    for shown in TRAINED:
        yield from _figure(shown, page)
    yield "gallery.md", "\n\n".join(page) + "\n"


def _figure(shown: Shown, page: list[str]) -> Iterator[tuple[str, bytes]]:
    found = sorted(BUILD.glob(shown.pattern), key=lambda p: (len(p.read_bytes()), p))
    if not found:
        raise FileNotFoundError(
            f"There is no {shown.pattern} in {BUILD}. Train the small study with an environment that has torch: "
            ".venv/bin/python .ci/docs/gallery.py, or 'make docs', which does so."
        )
    name = f"figures/{shown.name}.png"
    page += [f"### {shown.title}", shown.words, f"![{shown.title}]({name})", f"    {shown.command}"]
    yield name, found[-1].read_bytes()


def _run(command: str) -> None:
    words = [sys.executable, "-m", "ferbench", *shlex.split(command)[1:]]
    done = subprocess.run(words, cwd=BUILD, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")


def train() -> None:
    """The small study and what is drawn of it."""
    BUILD.mkdir(parents=True, exist_ok=True)
    for command in (SHEET, TRAIN, SMALL_SITE):
        _run(command)


if __name__ == "__main__":
    train()
