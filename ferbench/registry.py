"""Entry points -> cards -> catalogues. A broken plugin, or a name claimed twice, is reported and costs nothing else.

Traps avoided here (docs/decisions.md, "Registry"): pluggy's own loader stops at the first plugin that raises; a hook with
a mistyped name is ignored unless one asks; pluggy before 1.7 leaves a refused plugin half registered.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TypeVar, cast

import pluggy

from ferbench import hookspecs
from ferbench.cards import KINDS, Card
from ferbench.errors import FerbenchError, UnknownName

GROUP = "ferbench"
ONLY = "FERBENCH_PLUGINS"
"""Environment variable: the entry points to load besides the core ('degan,timm'; empty: none)."""

C = TypeVar("C", bound=Card)


@dataclass(frozen=True)
class Plugin:
    """An entry point and what became of it.

    `state` is "loaded", "broken" (with `error`, one line, and `trace`) or "disabled" (by FERBENCH_PLUGINS).
    """

    name: str
    module: str
    distribution: str
    version: str
    state: str
    cards: tuple[Card, ...] = ()
    experiments: tuple[Path, ...] = ()
    error: str = ""
    trace: str = ""
    seconds: float = 0.0

    @property
    def origin(self) -> str:
        return f"{self.distribution} {self.version}".strip()


@dataclass(frozen=True)
class Registry:
    """What is installed.

    `files` are plugin modules given by path (`--plugin`), which a worker process has to load again.
    """

    plugins: tuple[Plugin, ...]
    files: tuple[str, ...] = ()
    _owners: dict[tuple[str, str], list[tuple[Card, Plugin]]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for plugin in self.plugins:
            for card in plugin.cards:
                self._owners.setdefault((card.kind, card.name), []).append((card, plugin))

    def catalogue(self, kind: type[C]) -> dict[str, C]:
        """Cards of a kind by the name that a user types; one that two claim is listed as 'distribution/name'."""
        found: dict[str, C] = {}
        for (card_kind, name), owners in sorted(self._owners.items()):
            if card_kind != kind.kind:
                continue
            for card, plugin in owners:
                assert isinstance(card, kind)
                found[name if len(owners) == 1 else f"{plugin.distribution}/{name}"] = card
        return found

    def get(self, kind: type[C], name: str) -> C:
        """The card called `name`.

        Raises:
            UnknownName: there is none, with the nearest names and the plugins that could not be loaded.
            FerbenchError: two distributions claim the name.
        """
        catalogue = self.catalogue(kind)
        if name in catalogue:
            return catalogue[name]
        distribution, _, bare = name.rpartition("/")
        owners = self._owners.get((kind.kind, bare), [])
        for card, plugin in owners:
            if plugin.distribution == distribution:
                assert isinstance(card, kind)
                return card
        if owners and not distribution:
            claims = " and ".join(sorted(f"{p.origin} ({p.module})" for _, p in owners))
            choices = " or ".join(sorted({f"{kind.kind}={p.distribution}/{name}" for _, p in owners}))
            raise FerbenchError(
                f"Two plugins claim the {kind.kind} '{name}': {claims}. Write {choices}, or remove one of them."
            )
        raise UnknownName(kind.kind, name, catalogue, hint=self._broken_hint())

    def owner(self, card: Card) -> Plugin:
        return next(p for c, p in self._owners[card.kind, card.name] if c is card)

    def _broken_hint(self) -> str:
        broken = [p for p in self.plugins if p.state == "broken"]
        if not broken:
            return ""
        return " ".join(f"The plugin '{p.name}' ({p.origin}) could not be loaded: {p.error}" for p in broken) + (
            " 'ferbench plugins -v' has the traceback."
        )

    def doubled(self) -> Mapping[tuple[str, str], Sequence[Plugin]]:
        """(kind, name) that more than one plugin claims."""
        return {key: [p for _, p in owners] for key, owners in self._owners.items() if len(owners) > 1}


@dataclass(frozen=True)
class _Entry:
    name: str
    module: str
    distribution: str
    version: str
    load: Callable[[], ModuleType]


def load_registry(files: Iterable[str] = ()) -> Registry:
    """Load every plugin that is installed, and the given files as plugins. Loaded once a process."""
    return _load(tuple(str(Path(f).resolve()) for f in files), os.environ.get(ONLY))


@lru_cache(maxsize=8)
def _load(files: tuple[str, ...], only: str | None) -> Registry:
    wanted = None if only is None else {name.strip() for name in only.split(",") if name.strip()} | {"core"}
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    plugins = []
    for entry in [*_entry_points(), *map(_file_entry, files)]:
        if wanted is not None and entry.name not in wanted and entry.distribution != "file":
            plugins.append(Plugin(entry.name, entry.module, entry.distribution, entry.version, "disabled"))
        else:
            plugins.append(_load_one(manager, entry))
    return Registry(tuple(plugins), files)


def _load_one(manager: pluggy.PluginManager, entry: _Entry) -> Plugin:
    start = time.perf_counter()
    module = None
    try:
        module = entry.load()
        manager.register(module, name=f"{entry.distribution}:{entry.name}")
        manager.check_pending()
        cards, experiments = _collect(manager, module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin may even call sys.exit on import; none may end the host
        if module is not None and manager.is_registered(module):
            manager.unregister(module)
        sentence = str(error).strip() or "no message"
        if not isinstance(error, FerbenchError):
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
        )
    return Plugin(
        entry.name,
        entry.module,
        entry.distribution,
        entry.version,
        "loaded",
        cards,
        experiments,
        seconds=time.perf_counter() - start,
    )


def _collect(manager: pluggy.PluginManager, module: ModuleType) -> tuple[tuple[Card, ...], tuple[Path, ...]]:
    """The cards and experiment files of one plugin, its hooks called one by one so that no other is touched."""
    cards: list[Card] = []
    experiments: list[Path] = []
    for caller in manager.get_hookcallers(module) or []:
        for implementation in caller.get_hookimpls():
            if implementation.plugin is not module:
                continue
            for item in cast(Iterable[object], implementation.function()):
                if isinstance(item, KINDS):
                    cards.append(item)
                elif isinstance(item, str | Path) and caller.name == "ferbench_experiments":
                    experiments.append(Path(item))
                else:
                    raise FerbenchError(f"The hook {caller.name} gave {item!r}, which is no card.")
    names = [(card.kind, card.name) for card in cards]
    for kind, name in names:
        if names.count((kind, name)) > 1:
            raise FerbenchError(f"The plugin gives the {kind} '{name}' twice.")
    return tuple(cards), tuple(experiments)


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
            yield _Entry(point.name, point.value, name, distribution.version, load)


def _file_entry(path: str) -> _Entry:
    file = Path(path)
    digest = hashlib.sha256(path.encode()).hexdigest()[:8]
    name = f"ferbench_file_{file.stem}_{digest}"  # two files may share a stem

    def load() -> ModuleType:
        if name in sys.modules:
            return sys.modules[name]
        if not file.is_file():
            raise FerbenchError(f"There is no plugin file {file}.")
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise FerbenchError(f"The plugin file {file} is not a Python file; its name has to end in '.py'.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module

    return _Entry(file.stem, str(file), "file", "", load)


__all__ = ["GROUP", "ONLY", "Plugin", "Registry", "UnknownName", "load_registry"]
