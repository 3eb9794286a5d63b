"""Every block of code in the documentation works, or is on a short list here that says why it cannot be tried.

An indented block is commands. Commands of ferbench go through the real command line: those that read records are run on some of the
archived ones; those that train, prepare or download are stopped where they would begin to, when all options and settings were read.
A fenced block is of a language. Text is on a list with what it shows.
"""

from __future__ import annotations

import functools
import importlib
import json
import pkgutil
import re
import shlex
import sys
import tarfile
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import rich_click as click
import yaml
from markdown_it import MarkdownIt

import ferbench as ferbench_package
from ferbench.cards import EvaluatorCard
from ferbench.cli.main import cli
from ferbench.cli.reference import walk
from ferbench.config.studyfile import expand
from ferbench.registry.loader import load_registry

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])

GENERATED = {
    "docs/reference/plugin-interface.md": "its examples are those of docstrings, which tests/test_doctests.py runs",
}
"""Pages that are written from the code, and why their blocks need no test here. Those of commands.md do have one."""

TEXT = {
    ("docs/architecture.md", "cli"): "the layers, from above",
    ("docs/tutorials/first-plugin.md", "BROKEN"): "what check says; tests/test_docs.py compares it with the rule",
    ("docs/reference/degan.md", "L_disc"): "the losses",
    ("docs/reference/evaluation.md", "identity_leakage ="): "its definition",
    ("docs/reference/records.md", "results/<trial>/"): "the files of a record",
    ("docs/reference/statistics.md", "variance ="): "a formula",
    ("docs/reference/synthfaces.md", "      true"): "the answers of a judge that is not part of ferbench",
    ("docs/tutorials/first-study.md", "synthfaces ·"): "a board; tests/test_tutorials.py looks for its parts",
    ("docs/tutorials/first-study.md", "grl against"): "a comparison; the same",
    ("docs/tutorials/first-study.md", "trial "): "a plan; the same",
    ("docs/explanation/leakage.md", "identity_leakage ="): "its definition",
    ("examples/ferbench-example-dataset/README.md", "ROOT/"): "a folder",
}
"""Blocks of text by page and beginning, and what they show."""

OUTSIDE = {
    "cd": "a folder that the line before has made",
    "pytest": "the tests of a package; tests/kit and tests/test_examples.py run them",
    "tensorboard": "a server of another project",
    "sbatch": "needs a cluster; the command that it wraps is tried",
    "head": "shows the first lines of another command",
}
"""Programs that are not run here."""

RUN_ELSEWHERE = {
    "docs/howto/use-from-python.md": "tests/test_docs.py::test_the_notebook_of_the_howto_runs",
    "docs/howto/track-a-study.md": "tests/test_docs.py::test_the_tracker_of_the_howto_runs",
    "docs/howto/write-an-executor.md": "tests/execution/test_status.py::PAGE",
    "docs/tutorials/first-plugin.md": "tests/test_docs.py::test_the_howto_on_a_first_plugin",
}
"""Pages whose Python blocks are all run by another test, which has a name in that file."""

WHOLE = {
    ("docs/howto/write-a-method.md", "from dataclasses"): "tests/test_docs.py::test_the_method_of_the_howto_runs",
    (
        "docs/howto/write-a-method.md",
        "def stages",
    ): "tests/test_docs.py::test_the_stage_of_the_howto_is_that_of_the_example",
    ("docs/howto/choose-batches.md", "from dataclasses"): "tests/test_docs.py::test_the_method_with_action_units_runs",
    ("docs/howto/use-a-dataset.md", "from dataclasses"): "tests/test_docs.py::test_the_dataset_of_the_howto_runs",
}
"""Single Python blocks that another test runs, by page and beginning."""


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    def listed(self, among: Any) -> bool:
        """Whether a list by page and beginning has this block."""
        return any(page == self.page and self.text.startswith(start) for page, start in among)


def blocks_in(text: str, page: str) -> list[Block]:
    """The blocks of code of a page, fenced and indented, those in lists among them."""
    found = []
    for token in MarkdownIt().parse(text):
        if token.type in ("fence", "code_block"):
            language = token.info.strip() if token.type == "fence" else "commands"
            found.append(Block(page, (token.map or [0])[0] + 1, language, token.content))
    return found


BLOCKS = [
    block
    for path in PAGES
    if (page := path.relative_to(ROOT).as_posix()) not in GENERATED
    for block in blocks_in(path.read_text(encoding="utf-8"), page)
]


def of(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language]


def command_lines(text: str) -> list[str]:
    """The lines of a block of commands, each with those that continue it."""
    return [line for line in re.sub(r"\\\n\s*", "", text).splitlines() if line.strip() and not line.startswith("#")]


def parts_of(line: str) -> list[list[str]]:
    """The words of each program of a line: `a && b | c > file  # comment`."""
    reader = shlex.shlex(line, posix=True, punctuation_chars="|&>")
    reader.whitespace_split = True
    parts: list[list[str]] = [[]]
    for word in reader:
        if re.fullmatch(r"[|&]+", word):
            parts.append([])
        elif word == ">":
            reader.get_token()
        else:
            parts[-1].append(word)
    return parts


KINDS = {"commands", "python", "text", "yaml", "toml", "csv"}


def test_every_block_is_of_a_known_kind() -> None:
    """A block of another language has to be given a test here first."""
    assert [str(block) for block in BLOCKS if block.language not in KINDS] == []


def test_blocks_are_found_wherever_they_stand() -> None:
    page = "A\n\n    ferbench plugins\n\n- B\n\n    ```python\n    1\n    ```\n\n~~~ruby\n1\n~~~\n"
    assert [(b.line, b.language) for b in blocks_in(page, "p")] == [(3, "commands"), (7, "python"), (11, "ruby")]


def test_text_is_what_the_list_says() -> None:
    assert [str(block) for block in of("text") if not block.listed(TEXT)] == []


def test_no_list_has_more_than_there_is() -> None:
    for page, start in [*WHOLE, *TEXT]:
        assert any(b.page == page and b.text.startswith(start) for b in BLOCKS), f"{page}: {start}"
    for place in [*RUN_ELSEWHERE.values(), *WHOLE.values()]:
        file, _, name = place.partition("::")
        assert re.search(rf"\b{name}\b", (ROOT / file).read_text()), place


# Commands of ferbench


class Stopped(BaseException):
    """A command has read its options and settings, and would begin its work."""


STOPS = (
    "ferbench.api.studies.plan",
    "ferbench.audit.datasets.take",
    "ferbench.audit.submission.pack",
    "ferbench.audit.submission.unpack",
    "ferbench.audit.worth.show",
    "ferbench.data.download.offer_of",
    "ferbench.data.load.load_data",
    "ferbench.data.loaded.load_dataset",
    "ferbench.execution.gradients.gradients",
    "ferbench.execution.reevaluate.evaluate",
    "ferbench.records.migrate.migrate",
    "ferbench.ranking.breakdown.breakdown",
    "ferbench.records.studies.studies",
    "ferbench.report.site.build.build",
    "ferbench.testing.checks.checks_of",
)
"""Functions with which the work of a command begins that trains, prepares, downloads, or writes a site."""

KEPT = {("cross_entropy", "full"), ("grl", "full"), ("degan", "full"), ("degan", "no_identity_head")}
FOLDERS = (
    "results", "results/a", "results/b", "results/demo", "results/pilot", "results/synthfaces", "synthfaces", "submitted",
    "/shared/results",
)  # fmt: skip
TRIALS = ("TRIAL", "3f9a", "77b0")
"""What results folders and trials are called in the documentation."""

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def some_records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the archived study, two seeds of few variants on one dataset."""
    some = tmp_path_factory.mktemp("some")
    with tarfile.open(ROOT / "docs" / "records" / "synthfaces.tar.xz") as archive:
        for member in archive:
            if not member.name.endswith("/record.json"):
                continue
            text = archive.extractfile(member).read()  # type: ignore[union-attr]
            trial = json.loads(text)["trial"]
            kept = (trial["config"]["method"]["name"], trial["variant"]) in KEPT and trial["seed"] < 2
            if kept and trial["config"]["dataset"]["preset"] == "default":
                folder = some / trial["id"]
                folder.mkdir()
                (folder / "record.json").write_bytes(text)
    assert len(list(some.iterdir())) == 3 * 2 * len(KEPT)
    return some


@pytest.fixture(scope="module")
def all_imported() -> None:
    """Every module of ferbench, so that none is imported while functions are replaced, and keeps a replacement."""
    for module in pkgutil.walk_packages(ferbench_package.__path__, "ferbench."):
        if not module.name.endswith("__main__"):
            with suppress(ImportError):  # of an extra that is not installed
                importlib.import_module(module.name)


@pytest.fixture
def tried(
    ferbench: Call, all_imported: None, some_records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Sequence[str], str], str]:
    """tried(words, page): runs a command of ferbench up to its work; gives what is wrong with it, or ""."""

    def stop(*_: Any, **__: Any) -> None:
        raise Stopped

    monkeypatch.chdir(tmp_path)
    for place in STOPS:
        monkeypatch.setattr(place, stop)
    monkeypatch.setattr("ferbench.api.studies.expand", _first_and_last)
    for name in ("CKPLUS_ROOT", "OULU_ROOT", "MMI_ROOT"):
        monkeypatch.setenv(name, "/data")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "plugins").mkdir()
    trial = sorted(path.name for path in some_records.iterdir())[0]
    (tmp_path / "splits.csv").write_text("path,subject,split\na.png,S1,train\nb.png,S2,test\n")
    (tmp_path / "mine.zip").touch()

    def call(words: Sequence[str], page: str) -> str:
        given = list(words)
        for place, word in enumerate(words):
            before = words[place - 1] if place else ""
            if word in FOLDERS and not before.startswith("--"):
                given[place] = str(some_records)
            elif word in TRIALS:
                given[place] = trial
            elif before == "--metric" and words[0] in ("leaderboard", "compare") and word in _metrics(page):
                given[place] = "macro_f1"  # the archived records have few
            elif word in ("mine", "my_method") and (before == "--method" or words[0] in READS):
                given[place] = "degan"
            elif before == "--plugin" and not Path(word).is_absolute():
                _plugin_of(page, tmp_path / word)
        if given[0] in READS and str(some_records) not in given:
            given.append(str(some_records))
        plugins = _packages(page) if given[0] in ("run", "check") else []
        if "yale" in " ".join(words) and given[0] == "check":
            plugins = [tmp_path / "yale.py"]
            _plugin_of("", plugins[0])
        given += [word for file in plugins for word in ("--plugin", str(file))]
        if given[0] in COMMANDS_OF_PLUGINS:
            COMMANDS_OF_PLUGINS[given[0]](given[1:])
            return ""
        try:
            done = ferbench(*given)
        except Stopped:
            return ""
        return "" if done.status in ENDS.get(given[0], (0,)) else f"{done.status}: {done.err}{done.out}"

    return call


READS = {"leaderboard", "compare", "ablations", "show", "why", "status", "doctor", "evaluate", "gradients"}
"""Commands that take folders of records, and read `results` if none is named."""

ENDS = {"audit": (0, 1), "doctor": (0, 1), "plugins": (0, 1)}
"""How commands may end that found what they look for."""


def _first_and_last(*given: Any) -> list[list[str]]:
    """Of the runs of a study file, two, as all are composed alike."""
    runs = expand(*given)
    return [runs[0], runs[-1]]


@functools.cache
def _metrics(page: str) -> set[str]:
    """The metrics that there are, with those of the package that a page is about."""
    registry = load_registry(map(str, _packages(page)))
    return {metric.name for card in registry.catalogue(EvaluatorCard).values() for metric in card.metrics}


def _plugin_of(page: str, file: Path) -> None:
    """Write the file of `--plugin`: the block of the page that has hooks, or nothing but a hook where it is a stand-in."""
    shown = [b.text for b in BLOCKS if b.page == page and b.language == "python" and "hookimpl" in b.text]
    name = file.stem
    stand_in = f"""
from dataclasses import dataclass
from ferbench import DatasetCard, hookimpl
@dataclass
class Settings:
    root: str = ""
@hookimpl
def ferbench_datasets():
    return [DatasetCard(name="{name}", target="x:X", title="x", expressions=("anger", "fear"), settings=Settings)]
"""
    file.write_text(shown[0] if shown else stand_in)


@functools.cache
def _packages(page: str) -> list[Path]:
    """Plugin files of the packages that a page is about."""
    if page == "examples/README.md":
        return sorted(ROOT.glob("examples/ferbench-example-method/src/*/plugin.py"))
    if page.startswith("examples/"):
        return sorted((ROOT / page).parent.glob("src/*/plugin.py"))
    return []


def _slowest(words: Sequence[str]) -> None:
    sys.path.append(str(ROOT / "examples/ferbench-example-command/src"))
    from ferbench_example_command.slowest import main

    main(list(words))


def _trial_counts(words: Sequence[str]) -> None:
    names: dict[str, Any] = {}
    for block in of("python"):
        if block.page == "docs/howto/write-a-command.md":
            exec(compile(block.text, str(block), "exec"), names)
    (card,) = names["ferbench_commands"]()
    assert card.name == "trial_counts"
    names["main"](list(words))


COMMANDS_OF_PLUGINS = {"slowest": _slowest, "trial-counts": _trial_counts}


def complaints(block: Block, tried: Callable[[Sequence[str], str], str]) -> Iterator[str]:
    """What is wrong with the lines of a block of commands."""
    for line in command_lines(block.text):
        for words in parts_of(line):
            program, *rest = words
            if program == "ferbench":
                if block.page == FIRST_PLUGIN and "my_method" in line:
                    continue  # test_the_commands_of_the_first_plugin has the package
                wrong = tried(rest, block.page)
            elif program == "sbatch":
                wrapped = words[words.index("--wrap") + 1]
                wrong = tried(shlex.split(wrapped)[1:], block.page)
            elif program == "pip":
                wrong = _pip(rest, block.page)
            elif program == "make":
                wrong = "" if re.search(rf"^{rest[0]}:", (ROOT / "Makefile").read_text(), re.M) else "no such target"
            elif program in ("python", ".venv/bin/python"):
                file = rest[2] if rest[:2] == ["-m", "pytest"] else rest[0]
                wrong = "" if (ROOT / file).exists() else f"there is no {file}"
            elif program == "tar":
                wrong = "" if (ROOT / rest[-1]).exists() else f"there is no {rest[-1]}"
            else:
                wrong = "" if program in OUTSIDE else f"'{program}' is not a program that is known here"
            if wrong:
                yield f"{block}: {line.strip()}\n{wrong}"


FIRST_PLUGIN = "docs/tutorials/first-plugin.md"


def _pip(words: Sequence[str], page: str) -> str:
    """What is wrong with `pip install`: an extra or a folder that does not exist."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for word in words[1:]:
        if found := re.fullmatch(r"(ferbench|\.)\[(.*)\]", word):
            own = found[1] == "." and (page.startswith("examples/") or page == FIRST_PLUGIN)  # a package's own extras
            unknown = set(found[2].split(",")) - ({"test"} if own else set(extras))
            if unknown:
                return f"there is no extra {', '.join(sorted(unknown))}"
        elif word.startswith("./") and not (ROOT / word).is_dir():
            return f"there is no folder {word}"
        elif not word.startswith(("-", ".")):
            return f"'{word}' is no package of ours"
    return ""


@pytest.mark.parametrize("page", sorted({block.page for block in of("commands")} - {"docs/reference/commands.md"}))
def test_the_commands_of_a_page(page: str, tried: Any) -> None:
    found = [text for block in of("commands") if block.page == page for text in complaints(block, tried)]
    assert found == [], "\n\n".join(found)


def test_the_commands_of_the_reference(tried: Any) -> None:
    """Lines of use are those of the commands themselves (tests/cli/test_reference.py); examples are tried like any other."""
    words = {name for name, _ in walk()}
    found: list[str] = []
    for block in of("commands"):
        for line in command_lines(block.text) if block.page == "docs/reference/commands.md" else []:
            command = line.partition("    ")[0]
            usage = re.match(r"ferbench ([\w -]+?) (\[|NAME|KIND|A B|TRIAL|FILE|COMMAND)", line) or line[9:] in words
            if line.startswith("ferbench ") and not usage:
                found += complaints(Block(block.page, block.line, "commands", command), tried)
    assert found == [], "\n\n".join(found)


def test_the_commands_of_the_first_plugin(ferbench: Call, tried: Any, tmp_path: Path) -> None:
    """On the package that its first line writes."""
    assert ferbench("new", "method", "my-method").status == 0
    plugin = tmp_path / "ferbench-my-method" / "src" / "ferbench_my_method" / "plugin.py"
    lines = [line for b in of("commands") if b.page == FIRST_PLUGIN for line in command_lines(b.text)]
    mine = [line for line in lines if line.startswith("ferbench ") and "my_method" in line]
    assert len(mine) >= 3
    for line in mine:
        (words,) = parts_of(line)
        more = ["--plugin", str(plugin)] if words[1] in ("run", "check") else []
        assert tried([*words[1:], *more], FIRST_PLUGIN) == "", line


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("ferbench run method=degan datset=synthfaces", "datset"),
        ("ferbench run method=degan dataset=synthfaces method.lrr=1", "lrr"),
        ("ferbench run method=degan --dry-rum", "dry-rum"),
        ("ferbench run study=synthface", "synthface"),
        ("ferbench leaderboard --baselin grl", "baselin"),
        ("ferbench leaderboard --metric acuracy", "acuracy"),
        ("ferbench compare degan gril", "gril"),
        ("ferbench splits dataset=oulu dataset.rot=/data | head", "rot"),
        ("ferbench datasets check olu dataset.root=/data", "olu"),
        ("ferbench evaluate results --metric migg", "migg"),
        ("ferbench leaderbord", "leaderbord"),
        ("pip install '.[al]'", "extra al"),
        ("make tests", "target"),
        ("python benchmarks/fault.py", "fault.py"),
        ("rm -r results", "'rm' is not a program"),
    ],
)
def test_a_mistake_is_found(text: str, sentence: str, tried: Any) -> None:
    (found,) = complaints(Block("page.md", 1, "commands", text), tried)
    assert sentence in found


def wrong_options(text: str) -> set[str]:
    """What a command in running text has that does not exist: its name, or options."""
    words = text.split()[1:]
    command: click.Command = cli
    while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z][a-z-]*", words[0]):
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            return set() if words[0] in (*COMMANDS_OF_PLUGINS, "mytool") else {words[0]}  # what a reader may write
        command, words = found, words[1:]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help", "--multirun", "--cfg"}
    return {word for word in words if re.match(r"--[a-z]", word)} - known


def test_commands_in_running_text_exist() -> None:
    """Their names and options; what is between may be left out there, so that they are not run."""
    found = []
    for path in (page for page in PAGES if page.name != "CHANGELOG.md"):  # which names what was, too
        for token in MarkdownIt().enable("table").parse(path.read_text(encoding="utf-8")):
            for code in token.children or []:
                if (
                    code.type == "code_inline"
                    and code.content.startswith("ferbench ")
                    and (wrong := wrong_options(code.content))
                ):
                    found.append(f"{path.relative_to(ROOT)}: {code.content}: {', '.join(wrong)}")
    assert found == []
    assert wrong_options("ferbench leaderbord") == {"leaderbord"}
    assert wrong_options("ferbench submit pack results --methode mine") == {"--methode"}


# Other languages


def _step(*_: Any) -> Any:
    """A training step that is not called."""


@dataclass
class _Clips:
    """Settings of a method of clips."""

    frames: int = 8


def _fragments() -> dict[tuple[str, str], Callable[[], dict[str, Any]]]:
    """Python that is part of a method, by page and beginning, with the names that its text takes for granted."""
    from torch import nn

    import ferbench
    from ferbench.blocks import transforms as changes
    from ferbench.testing import make_batch, method_named

    def method() -> dict[str, Any]:
        parts = {name: nn.Linear(2, 2) for name in ("expression", "backbone", "centres")}
        return {"self": SimpleNamespace(training_step=_step, **parts), "networks": [parts["expression"]]}

    def stage() -> dict[str, Any]:
        group = ferbench.Group([nn.Linear(2, 2)])
        transforms = {name: getattr(changes, name) for name in ("CropResize", "ColourJitter", "Erase")}
        return {**transforms, "Stage": lambda _, **more: ferbench.Stage("training", _step, {"network": group}, **more)}

    def mixed() -> dict[str, Any]:
        made = method_named("cross_entropy")
        return {"self": made, "batch": make_batch(made.task), "Mixup": changes.Mixup}

    def card() -> dict[str, Any]:
        given: dict[str, Any] = {
            "name": "mine",
            "target": "mine:Mine",
            "title": "t",
            "stages": [ferbench.StageCard(name="training")],
        }
        return {"MethodCard": lambda _, **more: ferbench.MethodCard(**given, **more), "Settings": _Clips}

    def face() -> dict[str, Any]:
        return {}

    return {
        ("docs/howto/choose-batches.md", "from ferbench import PK"): method,
        ("docs/howto/choose-batches.md", "Stage(..."): stage,
        ("docs/howto/choose-batches.md", "mixed ="): mixed,
        ("docs/howto/choose-batches.md", "MethodCard(..."): card,
        ("docs/howto/start-from-pretrained-weights.md", "def load_weights"): face,
        ("docs/howto/write-a-method.md", "from ferbench import Group, Part"): method,
        ("docs/howto/use-a-dataset.md", "import ferbench"): face,
        ("docs/howto/write-a-command.md", "from ferbench"): face,
        ("docs/howto/write-a-command.md", "import argparse"): face,
        ("docs/reference/evaluation.md", "from ferbench"): face,
    }


@pytest.mark.needs("torch")
@pytest.mark.parametrize("block", of("python"), ids=str)
def test_python_runs(block: Block) -> None:
    """Here with the names that the text around it has, or by the test that the lists name."""
    code = compile(block.text, str(block), "exec")
    if block.page in RUN_ELSEWHERE or block.listed(WHOLE):
        return
    fragments = _fragments()
    assert block.listed(fragments), f"{block} is run by no test"
    context = next(
        make for (page, start), make in fragments.items() if page == block.page and block.text.startswith(start)
    )
    exec(code, context())


@pytest.mark.parametrize("block", of("yaml"), ids=str)
def test_a_study_file_is_one(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ferbench.config.compose import compose

    monkeypatch.setenv("OULU_ROOT", "/data")
    file = tmp_path / "mine.yaml"
    file.write_text(block.text)
    runs = expand(file, load_registry())
    assert len(runs) == len(yaml.safe_load(block.text)["methods"]) * len(yaml.safe_load(block.text)["datasets"])
    assert all(compose(load_registry(), overrides) for overrides in runs)


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_an_entry_point_is_of_our_group(block: Block) -> None:
    assert set(tomllib.loads(block.text)["project"]["entry-points"]) == {"ferbench"}


@pytest.mark.parametrize("block", of("csv"), ids=str)
def test_a_split_can_be_audited(block: Block, ferbench: Call, tmp_path: Path) -> None:
    (tmp_path / "splits.csv").write_text(block.text)
    done = ferbench("audit", tmp_path / "splits.csv")
    assert done.status == 0, done.err
