"""Which edits give a trial another identity: settings, data and declared versions do; code only where nothing is released."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ferbench.cards import MethodCard
from ferbench.config.compose import compose
from ferbench.plan import identity
from ferbench.plan.study import plan
from ferbench.records.schema import Trial
from ferbench.registry import code, loader
from ferbench.registry.loader import load_registry
from tests.onehead import plugin

BASE = ("dataset=synthfaces", "dataset.subjects=10", "protocol=subject_kfold", "protocol.k=2", "budget=smoke")

STEP = """
loss = F.cross_entropy(self.logits(batch.images), batch.expression)
yield Update("all", self.settings.factor * loss)
"""
EDITS: Mapping[str, Callable[[str], str]] = {
    "comment": lambda text: text.replace("loss = F", "# as in the paper\n        loss = F"),
    "docstring": lambda text: text.replace("class Settings:", 'class Settings:\n    """How it is weighted."""\n'),
    "annotation": lambda text: text.replace("factor: float", "factor: 'float'").replace(
        "(self, images)", "(self, images: object)"
    ),
    "renamed import": lambda text: text.replace("functional as F", "functional as nnf").replace("F.cross", "nnf.cross"),
    "loss": lambda text: text.replace("cross_entropy(", "multi_margin_loss("),
    "default": lambda text: text.replace("factor: float = 1.0", "factor: float = 1.5"),
    "version": lambda text: text.replace('name="edited",', 'name="edited", version=2,'),
}
SAME = ("comment", "docstring", "annotation", "renamed import")


def first(*overrides: str, files: tuple[str, ...] = ()) -> Trial:
    registry = load_registry(files)
    return plan(registry, compose(registry, [*BASE, "protocol.folds=[0]", *overrides])).trials[0]


@pytest.fixture(autouse=True)
def _read_anew() -> Iterator[None]:
    """Files that tests edit are read again."""
    for cache in (loader._load, code.source, code._read):
        cache.cache_clear()
    yield
    loader._load.cache_clear()


@pytest.mark.needs("torch")
@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_plugin_file_is_a_new_trial_only_where_a_result_may_change(tmp_path: Path, edit: str) -> None:
    text = plugin("edited", STEP)
    changed = EDITS[edit](text)
    assert changed != text
    names = []
    for number, content in enumerate((text, changed)):  # two files: a moved module
        path = tmp_path / f"file{number}.py"
        path.write_text(content)
        names.append(first("method=edited", files=(str(path),)).id)
    assert (names[0] == names[1]) is (edit in SAME)


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """outside(text, editable): a distribution of somebody else's, as pip leaves it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(text: str, editable: bool) -> None:
        import sys

        (tmp_path / "outside_plugin.py").write_text(text)
        info = tmp_path / "outside_plugin-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside-plugin\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[ferbench]\noutside = outside_plugin\n")
        (info / "direct_url.json").write_text(json.dumps({"url": "file:///x", "dir_info": {"editable": editable}}))
        sys.modules.pop("outside_plugin", None)
        for cache in (loader._load, code.source, code._read):
            cache.cache_clear()

    return install


@pytest.mark.needs("torch")
@pytest.mark.parametrize("editable", [False, True])
def test_code_counts_where_no_released_version_stands_for_it(outside: Any, editable: bool) -> None:
    text = plugin("edited", STEP)
    outside(text, editable)
    before = first("method=edited")
    assert set(before.identity.code) == ({"method"} if editable else set())
    outside(EDITS["loss"](text), editable)
    after = first("method=edited")
    assert (after.id == before.id) is not editable
    assert after.code["method"] != before.code["method"], "the provenance tells the two apart"
    outside(EDITS["version"](text), editable)
    assert first("method=edited").id != before.id


@pytest.mark.needs("torch")
def test_a_file_that_becomes_a_package_keeps_its_trials(tmp_path: Path, outside: Any) -> None:
    """The hook with the card goes into a module of its own, as docs/howto/write-a-method.md describes."""
    text = plugin("edited", STEP)
    file = tmp_path / "files" / "edited.py"
    file.parent.mkdir()
    file.write_text(text)
    before = first("method=edited", files=(str(file),))
    method, hook = text.partition("@hookimpl")[::2]
    assert "MethodCard(" in hook
    (tmp_path / "outside_method.py").write_text(method)
    imports = "from ferbench import *\nfrom outside_method import *\n"
    outside(imports + "@hookimpl" + hook.replace('f"{__name__}:', '"outside_method:'), True)
    assert first("method=edited").id == before.id


def test_a_face_detector_counts_where_images_are_aligned(tmp_path: Path) -> None:
    finder = """
from ferbench import DetectorCard, hookimpl

@hookimpl
def ferbench_detectors():
    return [DetectorCard(name="mine", target=__name__ + ":Finder", title="finds faces", version={version})]

class Finder:
    threshold = {threshold}
"""

    def trial(number: int, version: int, threshold: float, mode: str = "align") -> Trial:
        path = tmp_path / f"finder{number}.py"
        path.write_text(finder.format(version=version, threshold=threshold))
        words = ("method=cross_entropy", f"preparation.mode={mode}")
        return first(*words, *(["preparation.detector=mine"] if mode == "align" else []), files=(str(path),))

    before = trial(0, 1, 0.5)
    assert before.identity.preparation["detector_version"] == 1
    assert set(before.identity.code) == {"detector"}, "a file has no released version"
    assert trial(1, 1, 0.5).id == before.id
    assert trial(2, 2, 0.5).id != before.id
    assert trial(3, 1, 0.6).id != before.id
    assert trial(4, 1, 0.5, "resize").id == trial(5, 2, 0.6, "resize").id, "nothing is aligned"


def test_our_own_code_counts_by_its_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    before = first("method=grl")
    assert before.identity.code == {}
    monkeypatch.setattr(identity, "core_functions", lambda: {"ferbench.training.loop:train": "edited"})
    edited = first("method=grl")
    assert edited.id == before.id
    assert edited.code["core"] != before.code["core"]
    assert edited.stages == before.stages
    monkeypatch.setattr(identity, "CORE_VERSION", 2)
    raised = first("method=grl")
    assert raised.id != before.id
    assert raised.stages[0].key != before.stages[0].key


@pytest.mark.needs("torch")
def test_a_setting_that_is_added_leaves_stored_trials_alone(tmp_path: Path) -> None:
    text = plugin("edited", STEP)
    grown = text.replace("    factor: float = 1.0\n", "    factor: float = 1.0\n    blur: float = added(0.0)\n")
    grown = grown.replace("Update, hookimpl", "Update, added, hookimpl")
    assert "added(0.0)" in grown
    assert "added, hookimpl" in grown
    settings = []
    for number, content in enumerate((text, grown)):
        (tmp_path / f"file{number}.py").write_text(content)
        settings.append(first("method=edited", files=(str(tmp_path / f"file{number}.py"),)).identity.method.settings)
    assert settings[0] == settings[1] == {"factor": 1.0}
    changed = first("method=edited", "method.blur=0.5", files=(str(tmp_path / "file1.py"),))
    assert changed.identity.method.settings == {"factor": 1.0, "blur": 0.5}


def test_the_sampling_counts_where_it_is_not_the_default() -> None:
    before, uniform = first("method=grl"), first("method=grl", "trainer.sampling=uniform")
    balanced = first("method=grl", "trainer.sampling=class_balanced")
    assert "sampling" not in before.identity.trainer, "trials that were stored before there was a choice stay valid"
    assert uniform.id == before.id
    assert balanced.identity.trainer == {**before.identity.trainer, "sampling": "class_balanced"}
    assert balanced.id != before.id
    assert balanced.stages[0].key != before.stages[0].key
    assert before.judges is not None
    assert balanced.judges is not None
    assert balanced.judges.key != before.judges.key


def test_methods_that_train_alike_share_their_stage() -> None:
    ours, theirs = (first(f"method={name}").stages[0] for name in ("degan", "residue_only"))
    assert ours == theirs
    assert load_registry().get(MethodCard, "residue_only").trains_as == "degan"


def test_an_identity_is_plain_data_and_back() -> None:
    from ferbench.records.identity import Identity

    made = first("method=degan").identity
    again = Identity.from_dict(json.loads(json.dumps(made.to_dict())))
    assert again == made
    assert again.id == made.id
