"""The registry: broken plugins, doubled names, plugins by file."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ferbench.cards import BackboneCard, DatasetCard, MethodCard
from ferbench.errors import FerbenchError, UnknownName
from ferbench.registry import loader as module
from ferbench.registry.loader import Registry, load_registry

GOOD = """
from ferbench import BackboneCard, hookimpl

@hookimpl
def ferbench_backbones():
    return [BackboneCard(name="{name}", target="nowhere:Nothing", title="a backbone")]
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Puts distributions with entry points of the group on sys.path, as pip would."""
    monkeypatch.syspath_prepend(str(tmp_path))
    module._load.cache_clear()

    names: list[str] = []

    def install(distribution: str, code: str) -> None:
        package = distribution.replace("-", "_")
        names.append(package)
        (tmp_path / f"{package}.py").write_text(code)
        info = tmp_path / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[ferbench]\n{package} = {package}\n")

    yield install
    module._load.cache_clear()
    for name in names:
        sys.modules.pop(name, None)


def plugin(registry: Registry, name: str) -> module.Plugin:
    return next(p for p in registry.plugins if p.name == name)


def test_our_own_plugins_are_found_like_anyones() -> None:
    registry = load_registry()
    assert {"degan", "cross_entropy"} <= set(registry.catalogue(MethodCard))
    assert {"oulu", "synthfaces"} <= set(registry.catalogue(DatasetCard))
    assert {"convnet", "timm"} <= set(registry.catalogue(BackboneCard))
    assert all(p.state == "loaded" for p in registry.plugins)


def test_a_stranger_is_found(installed: Callable[..., None]) -> None:
    installed("far-away", GOOD.format(name="farnet"))
    registry = load_registry()
    assert registry.get(BackboneCard, "farnet").title == "a backbone"
    assert registry.owner(registry.get(BackboneCard, "farnet")).origin == "far-away 1.2"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import nothing_of_this_name", "No module named 'nothing_of_this_name'"),
        ("raise RuntimeError('broken\\nin two lines')", "RuntimeError: broken"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        (GOOD.format(name="Bad Name"), "lower-case letters"),
        (
            GOOD.format(name="x").replace("ferbench_backbones", "ferbench_backbonez"),
            "unknown hook 'ferbench_backbonez'",
        ),
        (GOOD.format(name="x").replace("_backbones():", "_backbones(unknown):"), "unknown"),
        (
            GOOD.format(name="x").replace('title="a backbone"', 'title="a backbone", api=99'),
            "a newer plugin interface (99",
        ),
        (GOOD.format(name="x").replace("return [", "return [7, "), "returned 7, which is not a card"),
    ],
)
def test_a_broken_plugin_is_reported_and_the_rest_works(installed: Callable[..., None], code: str, error: str) -> None:
    installed("broken-one", code)
    registry = load_registry()
    broken = plugin(registry, "broken_one")
    assert broken.state == "broken"
    assert error in broken.error
    assert "\n" not in broken.error
    assert broken.trace
    assert "degan" in registry.catalogue(MethodCard)
    with pytest.raises(UnknownName, match=r"plugin 'broken_one' \(broken-one 1.2\) could not be loaded"):
        registry.get(MethodCard, "mine")


def test_a_plugin_that_hangs_is_interrupted_and_the_rest_works(
    installed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it catches all errors, and where a hook hangs instead of the import."""
    monkeypatch.setenv(module.SECONDS, "0.2")
    sleep = "import time\ntry:\n    time.sleep(60)\nexcept Exception:\n    pass\n"
    installed("hanging", sleep + GOOD.format(name="never"))
    installed(
        "slow-hook", GOOD.format(name="nor_this").replace("    return", "    __import__('time').sleep(60)\n    return")
    )
    installed("fine", GOOD.format(name="stranger_net"))
    registry = load_registry()
    for name in ("hanging", "slow_hook"):
        broken = plugin(registry, name)
        assert broken.state == "broken"
        assert broken.error.startswith("it was not loaded within 0.2 s; FERBENCH_PLUGIN_SECONDS=0.4 waits longer")
    assert "stranger_net" in registry.catalogue(BackboneCard)
    assert "never" not in registry.catalogue(BackboneCard)


def test_a_slow_plugin_is_named_and_loaded(
    installed: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "SLOW", 0.1)
    installed("slow", "import time\ntime.sleep(0.4)\n" + GOOD.format(name="late_net"))
    assert "late_net" in load_registry().catalogue(BackboneCard)
    assert capsys.readouterr().err == "Plugin 'slow' (slow) is still loading after 0.1 s.\n"


@pytest.mark.parametrize("seconds", ["soon", "-1", "nan", "inf"])
def test_a_time_limit_that_is_none(
    installed: Callable[..., None], monkeypatch: pytest.MonkeyPatch, seconds: str
) -> None:
    monkeypatch.setenv(module.SECONDS, seconds)
    with pytest.raises(
        FerbenchError, match=f"FERBENCH_PLUGIN_SECONDS is '{seconds}'; it has to be a number of seconds"
    ):
        load_registry()


def test_a_refused_plugin_leaves_no_hooks_behind(installed: Callable[..., None]) -> None:
    """pluggy before 1.7 keeps the hooks that it verified before the bad one."""
    both = GOOD.format(name="halfway") + "\n@hookimpl\ndef ferbench_methods(nonsense):\n    return []\n"
    installed("half-way", both)
    assert "halfway" not in load_registry().catalogue(BackboneCard)


def test_a_name_that_two_claim_is_an_error_naming_both(installed: Callable[..., None]) -> None:
    installed("first-dist", GOOD.format(name="twice"))
    installed("second-dist", GOOD.format(name="twice"))
    registry = load_registry()
    with pytest.raises(FerbenchError, match=r"first-dist 1\.2 .* and second-dist 1\.2") as caught:
        registry.get(BackboneCard, "twice")
    assert "backbone=first-dist/twice or backbone=second-dist/twice" in str(caught.value)
    assert registry.get(BackboneCard, "first-dist/twice").name == "twice"
    assert {"first-dist/twice", "second-dist/twice"} <= set(registry.catalogue(BackboneCard))
    assert "convnet" in registry.catalogue(BackboneCard)


def test_the_same_distribution_listed_twice_is_no_error(installed: Callable[..., None], tmp_path: Path) -> None:
    installed("once-dist", GOOD.format(name="once"))
    shutil.copytree(tmp_path / "once_dist-1.2.dist-info", tmp_path / "again" / "once_dist-1.2.dist-info")
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(str(tmp_path / "again"))
    assert "once" in load_registry().catalogue(BackboneCard)
    patch.undo()


@pytest.mark.parametrize(
    ("text", "released"), [(None, True), ('{"dir_info": {"editable": true}}', False), ("{}", True)]
)
def test_an_editable_install_has_no_released_version(
    installed: Callable[..., None], tmp_path: Path, text: str | None, released: bool
) -> None:
    installed("outside", GOOD.format(name="net"))
    info = tmp_path / "outside-1.2.dist-info"
    if text is not None:
        (info / "direct_url.json").write_text(text)
    assert plugin(load_registry(), "outside").released is released


def test_neither_has_a_folder_of_sources(installed: Callable[..., None], tmp_path: Path) -> None:
    """As `setup.py develop` leaves it: the folder with the .egg-info is on sys.path."""
    installed("outside", GOOD.format(name="net"))
    old, new = tmp_path / "outside-1.2.dist-info", tmp_path / "outside.egg-info"
    old.rename(new)
    (new / "METADATA").rename(new / "PKG-INFO")
    assert not plugin(load_registry(), "outside").released


def test_only_the_named_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERBENCH_PLUGINS", "degan")
    registry = load_registry()
    assert list(registry.catalogue(MethodCard)) == ["degan"]
    assert plugin(registry, "timm").state == "disabled"
    monkeypatch.setenv("FERBENCH_PLUGINS", "")
    assert load_registry().catalogue(MethodCard) == {}


def test_a_file_as_plugin(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(GOOD.format(name="mine").replace("nowhere:Nothing", "{__name__}:Net").replace('"{__', 'f"{__'))
    registry = load_registry([str(file)])
    assert registry.get(BackboneCard, "mine").target.endswith(":Net")
    assert registry.files == (str(file),)


def test_a_file_may_import_a_module_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", list(sys.path))
    (tmp_path / "beside_the_plugin.py").write_text("EXPRESSION = 3\n")
    file = tmp_path / "neighbour.py"
    text = GOOD.format(name="neighbour").replace("nowhere:Nothing", "{__name__}:Net").replace('"{__', 'f"{__')
    file.write_text(f"import beside_the_plugin\n{text}")
    registry = load_registry([str(file)])
    assert registry.get(BackboneCard, "neighbour").target.endswith(":Net")


def test_two_files_of_one_name_have_their_own_components(tmp_path: Path) -> None:
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        text = GOOD.format(name=f"net{number}").replace("nowhere:Nothing", "mine:Net")
        (folder / "mine.py").write_text(f"{text}\n\nclass Net:\n    number = {number}\n")
    files = [str(tmp_path / "1" / "mine.py"), str(tmp_path / "2" / "mine.py")]
    registry = load_registry([*files, files[0]])
    found = [registry.get(BackboneCard, f"net{number}").load() for number in (1, 2)]
    assert [net.number for net in found] == [1, 2]
    assert "mine" not in sys.modules  # a second copy of the file's classes


def test_two_files_with_a_module_of_one_name_beside_them(tmp_path: Path) -> None:
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / f"mine{number}.py").write_text("import parts_beside\n" + GOOD.format(name=f"net{number}"))
        (folder / "parts_beside.py").write_text("")
    files = [str(tmp_path / "1" / "mine1.py"), str(tmp_path / "2" / "mine2.py")]
    registry = load_registry(files, needed=False)
    assert plugin(registry, "mine1").state == "loaded"
    error = plugin(registry, "mine2").error
    assert f"imports 'parts_beside', which is {tmp_path / '2' / 'parts_beside.py'} beside it, but" in error
    assert str(tmp_path / "1" / "parts_beside.py") in error


def test_a_missing_plugin_file_is_an_error(tmp_path: Path) -> None:
    file = str(tmp_path / "no.py")
    with pytest.raises(FerbenchError, match=f"The plugin file {file} could not be loaded: There is no plugin file"):
        load_registry([file])
    assert "There is no plugin file" in plugin(load_registry([file], needed=False), "no").error


def test_a_plugin_file_that_raises_is_an_error_until_it_is_mended(tmp_path: Path) -> None:
    file = tmp_path / "mended.py"
    file.write_text("raise RuntimeError('in two\\nlines.')")
    sentence = f"{file} could not be loaded: RuntimeError: in two lines. 'ferbench plugins -v --plugin {file}' prints"
    with pytest.raises(FerbenchError, match=re.escape(sentence)):
        load_registry([str(file)])
    file.write_text(GOOD.format(name="mended"))
    assert load_registry([str(file)]).get(BackboneCard, "mended")


def test_what_a_plugin_prints_goes_to_stderr_with_its_name(
    installed: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    installed("talker", "import os\nprint('one\\ntwo')\nos.system('echo three')\n" + GOOD.format(name="talk"))
    assert load_registry().get(BackboneCard, "talk")
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "Plugin 'talker' (talker) prints: one\nPlugin 'talker' (talker) prints: two\n" in printed.err
    assert "three\n" in printed.err


def test_what_a_plugin_prints_before_it_raises_is_told_too(
    installed: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    installed("talker", "print('so far')\nraise RuntimeError('no further')")
    assert plugin(load_registry(), "talker").state == "broken"
    assert "Plugin 'talker' (talker) prints: so far" in capfd.readouterr().err


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"no method 'degna'. Did you mean 'degan', .*\? Known: .*cross_entropy"):
        load_registry().get(MethodCard, "degna")
