"""Loading of plugins from entry points and files. A broken plugin is reported and does not affect the others.

Reasons for not using pluggy's own loader (docs/decisions.md, "Registry"): it stops at the first plugin that raises; it ignores
hooks with misspelt names unless `check_pending` is called; pluggy before 1.7 leaves a refused plugin partly registered.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import io
import json
import math
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TypeVar, cast

import pluggy

from ferbench import hookspecs
from ferbench.cards import KINDS, Card, DetectorCard, PublishedResult
from ferbench.deprecation import OutdatedPlugin, outdated
from ferbench.errors import FerbenchError, UnknownName, a
from ferbench.limits import AGAIN, TimeUp, alarm
from ferbench.registry.code import functions_of, imported_beside

GROUP = "ferbench"
ONLY = "FERBENCH_PLUGINS"
"""Environment variable with the names of the entry points to load besides the core, such as 'degan,timm'; empty for none."""

SECONDS = "FERBENCH_PLUGIN_SECONDS"
"""Environment variable with the seconds that a plugin may take to load; 0 for no limit."""

LIMIT, SLOW = 60.0, 10.0
"""Seconds that a plugin may take if that variable is not set, and after which it is said that one is slow."""

FILE = "file"
"""The distribution of plugins that are files."""

INSTALLED = ("site-packages", "dist-packages")
"""Names of the folders that installed distributions are copied to."""

C = TypeVar("C", bound=Card)
Reports = Callable[[], Iterable[object]]
"""A plugin's hook that gives published results."""


@dataclass(frozen=True)
class Plugin:
    """A plugin: an entry point or a file, and whether it could be loaded.

    Attributes:
        name: name of the entry point, or of the file without its suffix.
        module: module with the hooks, or path of the file.
        distribution: name of the installed distribution; "file" for files.
        version: version of the distribution.
        state: "loaded", "broken" or "disabled" (by FERBENCH_PLUGINS).
        cards: its cards.
        studies: its study files.
        reports: its published results.
        error: for broken plugins, the error in one line.
        trace: for broken plugins, the traceback.
        seconds: how long loading took.
        released: whether its version identifies its code. False for files (`--plugin`) and editable installs, but true for
            ferbench itself, whose tests guard its declared versions.
    """

    name: str
    module: str
    distribution: str
    version: str
    state: str
    cards: tuple[Card, ...] = ()
    studies: tuple[Path, ...] = ()
    reports: tuple[Reports, ...] = ()
    error: str = ""
    trace: str = ""
    seconds: float = 0.0
    released: bool = True

    @property
    def origin(self) -> str:
        """Distribution and version, such as "ferbench 1.0"."""
        return f"{self.distribution} {self.version}".strip()

    @property
    def source(self) -> str:
        """As `origin`; of a plugin file its name, without the folders, which are of the machine: "file gaze.py"."""
        return f"{FILE} {Path(self.module).name}" if self.distribution == FILE else self.origin

    @property
    def words(self) -> str:
        """The plugin in a sentence: "the plugin 'gaze' (gaze-tools 1.0)", or "the plugin file /home/me/gaze.py"."""
        return (
            f"the plugin file {self.module}"
            if self.distribution == FILE
            else f"the plugin '{self.name}' ({self.origin})"
        )


@dataclass(frozen=True)
class Registry:
    """The loaded plugins and their cards.

    Attributes:
        plugins: all plugins, including broken and disabled ones.
        files: paths of the plugin files (`--plugin`), which each worker process has to load too.
    """

    plugins: tuple[Plugin, ...]
    files: tuple[str, ...] = ()
    _owners: dict[tuple[str, str], list[tuple[Card, Plugin]]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for plugin in self.plugins:
            for card in plugin.cards:
                self._owners.setdefault((card.kind, card.name), []).append((card, plugin))

    def catalogue(self, kind: type[C]) -> dict[str, C]:
        """Cards of a kind by the name that a user types. If plugins share a name, each is listed as 'distribution/name'."""
        cards: dict[str, C] = {}
        for (card_kind, _), owners in sorted(self._owners.items()):
            if card_kind != kind.kind:
                continue
            for card, _ in owners:
                assert isinstance(card, kind)
                cards[self.typed(card)] = card
        return cards

    def typed(self, card: Card) -> str:
        """What a user types for a card, and what a configuration holds: its name; 'distribution/name' where plugins share it."""
        shared = len(self._owners[card.kind, card.name]) > 1
        return f"{self.owner(card).distribution}/{card.name}" if shared else card.name

    def recorded(self, card: Card) -> str:
        """What a trial's identity calls a card: as `typed`, but ferbench's own components keep their names whoever shares them."""
        return card.name if self.owner(card).distribution == GROUP else self.typed(card)

    def of_record(self, kind: type[C], name: str) -> C:
        """The card that a trial's identity calls `name`, as `recorded` gave it. Raises as `get`."""
        own = [card for card, plugin in self._owners.get((kind.kind, name), []) if plugin.distribution == GROUP]
        return cast(C, own[0]) if len(own) == 1 else self.get(kind, name)

    def get(self, kind: type[C], name: str) -> C:
        """The card called `name`.

        Raises:
            UnknownName: there is none. The text suggests similar names and names the plugins that could not be loaded.
            FerbenchError: two plugins have a card of that name.
        """
        distribution, _, bare = name.rpartition("/")
        owners = self._owners.get((kind.kind, bare), [])
        meant = [card for card, plugin in owners if plugin.distribution == distribution]
        if not distribution and len(owners) == 1:
            meant = [owners[0][0]]
        if len(meant) == 1:
            assert isinstance(meant[0], kind)
            return meant[0]
        if owners and (meant or not distribution):
            claims = " and ".join(sorted(f"{p.origin} ({p.module})" for _, p in owners))
            named = [p.distribution for _, p in owners]
            key = "preparation.detector" if kind is DetectorCard else kind.kind
            choices = sorted(f"{key}={one}/{bare}" for one in named if named.count(one) == 1)
            way = f"Write {' or '.join(choices)}, or leave one of them out" if choices and not meant else ""
            if named.count(FILE) > 1 and not way:
                way = f"'{FILE}/{bare}' does not tell files apart: rename one in its card, or leave out one --plugin"
            count = "Two" if len(owners) == 2 else len(owners)
            raise FerbenchError(
                f"{count} plugins have {a(kind.kind)} '{bare}': {claims}. {way or 'Leave one of them out'}."
            )
        raise UnknownName(kind.kind, name, self.catalogue(kind), hint=self.broken_hint())

    def owner(self, card: Card) -> Plugin:
        """The plugin that a card comes from."""
        return next(p for c, p in self._owners[card.kind, card.name] if c is card)

    @contextlib.contextmanager
    def blaming(self, card: Card) -> Iterator[None]:
        """A context for code of a card's component: an error that it does not expect is raised with a note, which its traceback and
        the record of a failed trial show, of the component and its plugin. A FerbenchError says itself what it is about."""
        try:
            yield
        except FerbenchError:
            raise
        except Exception as error:
            note = f"This happened in {card.kind} '{card.name}' of {self.owner(card).words}."
            if note not in getattr(error, "__notes__", ()):
                error.add_note(note)
            raise

    def reported(self) -> list[PublishedResult]:
        """What papers report, from all plugins, read when it is asked for.

        Raises:
            FerbenchError: a plugin's results cannot be read, or are not PublishedResults; the plugin is named.
        """
        return [result for plugin in self.plugins for read in plugin.reports for result in _results(plugin, read)]

    def broken_hint(self) -> str:
        broken = [p for p in self.plugins if p.state == "broken"]
        if not broken:
            return ""
        return " ".join(f"The plugin '{p.name}' ({p.origin}) could not be loaded ({p.error})." for p in broken) + (
            " 'ferbench plugins -v' prints the traceback."
        )

    @property
    def owners(self) -> Mapping[tuple[str, str], Sequence[Plugin]]:
        """The plugins that have a card, by its kind and name."""
        return {key: [plugin for _, plugin in owners] for key, owners in self._owners.items()}

    def doubled(self) -> Mapping[tuple[str, str], Sequence[Plugin]]:
        """The plugins by (kind, name) of cards that more than one plugin has."""
        return {key: plugins for key, plugins in self.owners.items() if len(plugins) > 1}


def _results(plugin: Plugin, read: Reports) -> Iterator[PublishedResult]:
    try:
        for item in read():
            if not isinstance(item, PublishedResult):
                raise FerbenchError(f"The hook ferbench_reported gave {item!r}, which is not a PublishedResult.")
            yield item
    except Exception as error:
        raise FerbenchError(
            f"The published results of plugin '{plugin.name}' ({plugin.origin}) are broken: {error}"
        ) from error


@dataclass(frozen=True)
class _Entry:
    name: str
    module: str
    distribution: str
    version: str
    load: Callable[[], ModuleType]
    released: bool = True


def load_registry(files: Iterable[str] = (), *, needed: bool = True) -> Registry:
    """Load all installed plugins, and `files` as plugins. The result is kept: each is loaded once in a process.

    Args:
        files: paths of Python files.
        needed: whether a file that cannot be loaded is an error; if not, it is a broken plugin like an installed one.

    Raises:
        FerbenchError: a file cannot be loaded.
    """
    registry = _load(tuple(dict.fromkeys(str(Path(f).resolve()) for f in files)), os.environ.get(ONLY))
    if needed and (
        broken := next((p for p in registry.plugins if p.distribution == FILE and p.state == "broken"), None)
    ):
        _load.cache_clear()  # so that the mended file is loaded, in a notebook
        raise FerbenchError(
            f"The plugin file {broken.module} could not be loaded: {broken.error.rstrip('.')}. 'ferbench plugins -v --plugin "
            f"{broken.module}' prints the traceback."
        )
    return registry


@lru_cache(maxsize=8)
def _load(files: tuple[str, ...], only: str | None) -> Registry:
    wanted = None if only is None else {name.strip() for name in only.split(",") if name.strip()} | {"core"}
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    plugins = []
    for entry in [*_entry_points(), *map(_file_entry, files)]:
        if wanted is not None and entry.name not in wanted and entry.distribution != FILE:
            plugins.append(Plugin(entry.name, entry.module, entry.distribution, entry.version, "disabled"))
        else:
            plugins.append(_load_one(manager, entry))
            if sentence := outdated(f"'{entry.name}' ({plugins[-1].origin})", plugins[-1].cards):
                warnings.warn(sentence, OutdatedPlugin, stacklevel=3)
    return Registry(tuple(plugins), files)


def _load_one(manager: pluggy.PluginManager, entry: _Entry) -> Plugin:
    start = time.perf_counter()
    module = None
    limit = _limit()
    try:
        with _in_time(entry, limit), _prints_told(entry):
            module = entry.load()
            manager.register(module, name=f"{entry.distribution}:{entry.module}:{entry.name}")
            manager.check_pending()
            cards, studies, reports = _collect(manager, module)
            if entry.distribution == FILE:
                cards = tuple(_of_file(card, Path(entry.module).stem, module) for card in cards)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin may even call sys.exit on import; that must not end ferbench
        if module is not None and manager.is_registered(module):
            manager.unregister(module)
        sentence = str(error).strip() or "no message"
        if isinstance(error, TimeUp):
            sentence = (
                f"it was not loaded within {limit:g} s; {SECONDS}={2 * limit:g} waits longer, {ONLY} leaves it out"
            )
        elif not isinstance(error, FerbenchError):
            sentence = f"{type(error).__name__}: {sentence}"
        return Plugin(
            entry.name,
            entry.module,
            entry.distribution,
            entry.version,
            "broken",
            error=" ".join(sentence.split()),
            trace=traceback.format_exc(),
            seconds=time.perf_counter() - start,
            released=entry.released,
        )
    return Plugin(
        entry.name,
        entry.module,
        entry.distribution,
        entry.version,
        "loaded",
        cards,
        studies,
        reports,
        seconds=time.perf_counter() - start,
        released=entry.released,
    )


def _limit() -> float:
    """The seconds that a plugin may take to load; 0 for no limit."""
    text = os.environ.get(SECONDS, "").strip() or f"{LIMIT}"
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not 0 <= limit < math.inf:
        raise FerbenchError(f"{SECONDS} is '{text}'; it has to be a number of seconds, or 0 for no limit.")
    return limit


def _in_time(entry: _Entry, limit: float) -> contextlib.AbstractContextManager[None]:
    """A context in which a plugin that is slow to load is named on stderr, and interrupted with TimeUp after `limit` seconds."""
    said = limit <= SLOW

    def ring() -> None:
        nonlocal said
        if said:
            raise TimeUp
        said = True
        print(f"Plugin '{entry.name}' ({entry.module}) is still loading after {SLOW:g} s.", file=sys.stderr, flush=True)

    return alarm(min(limit, SLOW), ring, AGAIN if said else limit - SLOW)


@contextlib.contextmanager
def _prints_told(entry: _Entry) -> Iterator[None]:
    """A context in which what a plugin prints goes to stderr, with the plugin's name: stdout has a command's result."""
    text = io.StringIO()
    try:
        with _stdout_to_stderr(), contextlib.redirect_stdout(text):
            yield
    finally:
        for line in text.getvalue().splitlines():
            print(f"Plugin '{entry.name}' ({entry.module}) prints: {line}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """A context in which the process's own stdout is its stderr, for what does not print through Python."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, ValueError, AttributeError):  # a process without them has nothing to protect
            sys.stdout.flush()
            saved = os.dup(1)
            stack.callback(os.close, saved)
            os.dup2(2, 1)
            stack.callback(os.dup2, saved, 1)
        yield


def _collect(
    manager: pluggy.PluginManager, module: ModuleType
) -> tuple[tuple[Card, ...], tuple[Path, ...], tuple[Reports, ...]]:
    """The cards, study files and hooks for published results of one plugin; hooks are called one by one, so that no other
    plugin is touched."""
    cards: list[Card] = []
    studies: list[Path] = []
    reports: list[Reports] = []
    for caller in manager.get_hookcallers(module) or []:
        for implementation in caller.get_hookimpls():
            if implementation.plugin is not module:
                continue
            if caller.name == "ferbench_reported":
                reports.append(cast(Reports, implementation.function))
                continue
            for item in cast(Iterable[object], implementation.function()):
                if isinstance(item, KINDS):
                    cards.append(item)
                elif isinstance(item, str | Path) and caller.name == "ferbench_studies":
                    studies.append(Path(item))
                else:
                    raise FerbenchError(f"The hook {caller.name} returned {item!r}, which is not a card.")
    names = [(card.kind, card.name) for card in cards]
    for kind, name in names:
        if names.count((kind, name)) > 1:
            raise FerbenchError(f"The plugin has two cards of the {kind} '{name}'.")
    return tuple(cards), tuple(studies), tuple(reports)


def _entry_points() -> Iterator[_Entry]:
    seen = set()
    for distribution in importlib.metadata.distributions():
        for point in distribution.entry_points.select(group=GROUP):
            name = distribution.metadata["Name"]
            key = (name, point.name, point.value)  # an editable install may list one distribution twice
            if key in seen:
                continue
            seen.add(key)
            load = functools.partial(importlib.import_module, point.value)
            released = name == GROUP or not _editable(distribution)
            yield _Entry(point.name, point.value, name, distribution.version, load, released)


def _editable(distribution: importlib.metadata.Distribution) -> bool:
    """Whether the files of a distribution may change without a new version: it is an editable install (PEP 610), or its metadata
    lie in a folder of sources, as `setup.py develop` leaves them."""
    text = distribution.read_text("direct_url.json")
    if text is None:
        folder = getattr(distribution, "_path", None)  # of importlib.metadata.PathDistribution
        return folder is not None and Path(folder).suffix == ".egg-info" and Path(folder).parent.name not in INSTALLED
    try:
        return bool(json.loads(text).get("dir_info", {}).get("editable"))
    except (ValueError, AttributeError):
        return False


_MOVED: dict[str, Path] = {}
"""Where copies of other machines' plugin files are, by their paths there."""


def moved(path: str, copy: Path) -> None:
    """From now on `copy` is loaded as the plugin file `path`."""
    _MOVED[path] = copy


def module_of(path: str) -> str:
    """The name of the module that a plugin file is loaded as; two files in different folders may have the same name."""
    return f"ferbench_file_{Path(path).stem}_{hashlib.sha256(path.encode()).hexdigest()[:8]}"


def _file_entry(path: str) -> _Entry:
    file, name = _MOVED.get(path, Path(path)), module_of(path)

    def load() -> ModuleType:
        if name in sys.modules:
            return sys.modules[name]
        if not file.is_file():
            raise FerbenchError(f"There is no plugin file {file}.")
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise FerbenchError(f"The plugin file {file} is not a Python file; its name must end in '.py'.")
        if str(file.parent.absolute()) not in sys.path:  # the file may import modules beside it
            sys.path.append(str(file.parent.absolute()))
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
            _check_beside(file)
            functions_of([name])  # so that an edit of the file is noticed from now on
        except BaseException:
            del sys.modules[name]
            raise
        return module

    return _Entry(file.stem, str(file), FILE, "", load, released=False)


def _of_file(card: Card, stem: str, module: ModuleType) -> Card:
    """A card of a plugin file: a target in the file itself is in the module that the file was loaded as. The file's own name may
    be that of another module."""
    target, _, attribute = card.target.partition(":")
    return dataclasses.replace(card, target=f"{module.__name__}:{attribute}") if target == stem else card


def _check_beside(file: Path) -> None:
    """Raises FerbenchError if a plugin file imports a module of its folder, but Python has another one of that name."""
    for other in imported_beside(file):
        parts = other.relative_to(file.parent).with_suffix("").parts
        loaded = getattr(sys.modules.get(parts[0]), "__file__", None)
        expected = other if len(parts) == 1 else file.parent / parts[0] / "__init__.py"
        if (
            loaded is not None
            and other != file
            and parts[0] not in sys.stdlib_module_names
            and Path(loaded).resolve() != expected.resolve()
        ):
            raise FerbenchError(
                f"The plugin file {file} imports '{parts[0]}', which is {expected} beside it, but Python has loaded {loaded} under "
                "that name. Rename one of the two."
            )


__all__ = ["GROUP", "ONLY", "Plugin", "Registry", "UnknownName", "load_registry"]
