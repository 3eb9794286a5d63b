"""The direction of the arrows: what may import what, and what stays light."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

import ferbench

ROOT = Path(ferbench.__file__).parent
LIGHT = [
    "ferbench", "ferbench.errors", "ferbench.cards", "ferbench.hookspecs", "ferbench.registry", "ferbench.config",
    "ferbench.records", "ferbench.store", "ferbench.plan", "ferbench.study", "ferbench.statistics",
    "ferbench.builtin", "ferbench.fingerprint", "ferbench.data.cache", "ferbench.interfaces.dataset",
    "ferbench.interfaces.evaluator", "ferbench.executors.inprocess", "ferbench.executors.processes",
    "ferbench.inventory", "ferbench.data.joined",
    "ferbench.studyfile",
    "ferbench.interfaces.detector",
    "ferbench.cli.datasets", "ferbench.cli.prepare", "ferbench.cli.ablations", "ferbench.cli.compare", "ferbench.cli.show",
    "ferbench.report.ablations", "ferbench_labdata.kdef",
    "ferbench.leaderboard.aggregate",
    "ferbench.leaderboard.table", "ferbench.leaderboard.plain", "ferbench.report.figures",
    "ferbench.report.contact_sheet", "ferbench.cli.contact_sheet", "ferbench.cli.main", "ferbench.cli.run",
    "ferbench.cli.leaderboard", "ferbench.cli.progress", "ferbench.cli.splits", "ferbench.cli.why",
    "ferbench.protocols.subject_kfold",
]  # fmt: skip


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def modules_under(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def test_the_light_part_imports_no_torch() -> None:
    code = f"import importlib, sys\nfor name in {LIGHT!r}: importlib.import_module(name)\nprint('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_planning_a_study_imports_no_torch() -> None:
    code = """
import sys
from ferbench.config import compose
from ferbench.plan import plan
from ferbench.registry import load_registry
registry = load_registry()
study = plan(registry, compose(registry, ["method=degan", "ablation=all", "dataset.subjects=10"]))
print(len(study.trials), "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["90", "False"]


@pytest.mark.parametrize("path", modules_under("."), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_core_knows_no_plugin(path: Path) -> None:
    names = {name.partition(".")[0] for name in imports_of(path)}
    assert not names & {p.name for p in (ROOT.parent / "plugins").iterdir()}


@pytest.mark.parametrize(
    ("room", "strangers"),
    [
        ("training", ("ferbench.evaluation", "ferbench.data.cache", "ferbench.cli")),
        ("evaluation", ("ferbench.training", "ferbench.cli", "ferbench.store")),
        (
            "leaderboard",
            ("ferbench.training", "ferbench.evaluation", "ferbench.interfaces", "ferbench.plan", "ferbench.trial"),
        ),
        (
            "report",
            ("ferbench.training", "ferbench.evaluation", "ferbench.interfaces", "ferbench.plan", "ferbench.trial"),
        ),
        (
            "interfaces",
            ("ferbench.training", "ferbench.evaluation", "ferbench.data", "ferbench.registry", "ferbench.plan"),
        ),
        ("executors", ("ferbench.trial", "ferbench.training", "ferbench.evaluation")),
        ("protocols", ("ferbench.registry", "ferbench.plan", "ferbench.interfaces")),
    ],
)
def test_a_room_does_not_import_its_strangers(room: str, strangers: tuple[str, ...]) -> None:
    for path in modules_under(room):
        for name in imports_of(path):
            assert not name.startswith(strangers), f"{path.name} imports {name}"


def lines_of_code(path: Path) -> int:
    """Lines that hold code: no blank lines, comments or docstrings."""
    source = path.read_text(encoding="utf-8")
    prose = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in prose:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


BESIDE = (
    "testing", "blocks", "protocols", "metrics", "cli", "report", "audit.py", "inventory.py", "estimate.py", "studyfile.py",
    "synthesis.py", "disentanglement.py", "factors.py", "reevaluate.py", "submission.py", "processes.py", "gradients.py",
)  # fmt: skip
"""What stands beside the path of a trial: the conformance suite, networks, the catalogues of protocols and metrics, evaluators
of few methods or on request and what asks for them, submissions, commands, pictures, auditors, study files and what estimates
them, the executor of many processes, and what looks at gradients."""

RANKING = ("leaderboard", "statistics.py")
"""From records to boards; the renderings of boards and what is asked of two rows are not counted."""
RENDERINGS = (
    "ablations.py",
    "breakdown.py",
    "compare.py",
    "plain.py",
    "table.py",
    "columns.py",
    "page.py",
    "reported.py",
)


def test_the_core_stays_small() -> None:
    """The path of a trial, from the registry to its record, can be read in an hour, and that from records to boards in a
    quarter of one."""
    paths = [p for p in ROOT.rglob("*.py") if not set(BESIDE) & set(p.relative_to(ROOT).parts)]
    ranking = [p for p in paths if set(RANKING) & set(p.relative_to(ROOT).parts)]
    assert sum(lines_of_code(p) for p in paths if p not in ranking) < 3500
    assert sum(lines_of_code(p) for p in ranking if p.name not in RENDERINGS) < 700


def test_every_hook_is_documented() -> None:
    from ferbench import hookspecs

    hooks = [getattr(hookspecs, name) for name in dir(hookspecs) if name.startswith("ferbench_")]
    assert hooks
    assert all(hook.__doc__ for hook in hooks)


def test_public_names_can_be_imported() -> None:
    for name in ferbench.__all__:
        assert getattr(ferbench, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        ferbench.Nothing  # noqa: B018
