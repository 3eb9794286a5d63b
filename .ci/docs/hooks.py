"""What mkdocs does beyond Markdown: pages made of cards, docstrings and records, and links that lead to the site's own pages.

The Markdown of docs/, of the root and of examples/ links from file to file, as a forge shows it. Here each file that is a page of
the site is known by its place in the repository, and links are turned into those of the site.
"""

from __future__ import annotations

import logging
import os
import posixpath
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

log = logging.getLogger("mkdocs.hooks.docs")
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(Path(__file__).parent)]

import gallery  # noqa: E402  it stands beside this file

OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "SECURITY.md": "project/security.md",
    "CODE_OF_CONDUCT.md": "project/code-of-conduct.md",
    "pyproject.toml": "project/pyproject.toml",
    "examples/README.md": "examples/index.md",
}
"""Files of the repository outside of docs/ that the site has, by their place there. Each README of examples/ is added."""

GENERATED = ("methods", "datasets", "reference/python", "examples")
"""Folders of pages that are made here. Where the navigation names their index, it gets all of their pages."""

LINK = re.compile(r"(?<!!)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^)\s#]*)(?P<anchor>#[^)\s]*)?\)")
BLOCK = re.compile(r"(^```.*?^```|^(?: {4}[^\n]*\n)+)", re.M | re.S)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the generated pages into the navigation."""
    made = {folder: [name for name, _ in _generated() if posixpath.dirname(name) == folder] for folder in GENERATED}

    def filled(entry: Any) -> Any:
        if isinstance(entry, list):
            return [filled(item) for item in entry]
        if isinstance(entry, dict):
            return {title: filled(item) for title, item in entry.items()}
        folder = posixpath.dirname(str(entry))
        return made[folder] if entry == f"{folder}/index.md" and folder in made else entry

    config.nav = filled(config.nav)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files of the repository that lie outside of docs/, and the pages and figures that are generated."""
    for place, name in _outside().items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / place)))
    for name, content in [*_generated(), *gallery.files()]:
        if name not in _outside().values():
            files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository into links between pages of the site."""
    outside = _outside()
    here = next((place for place, name in outside.items() if name == page.file.src_uri), f"docs/{page.file.src_uri}")

    def linked(found: re.Match[str]) -> str:
        target = found["target"]
        if not target or re.match(r"[a-z]+:|<", target):
            return found[0]
        place = posixpath.normpath(posixpath.join(posixpath.dirname(here), target))
        place = f"{place}/README.md" if f"{place}/README.md" in outside else place
        name = outside.get(place, place.removeprefix("docs/"))
        if name not in files.src_uris:
            raise PluginError(f"{here} links to {target}, which is no file of the site.")
        way = posixpath.relpath(name, posixpath.dirname(page.file.src_uri) or ".")
        return f"[{found['text']}]({way}{found['anchor'] or ''})"

    parts = BLOCK.split(markdown)
    return "".join(part if BLOCK.fullmatch(part) else LINK.sub(linked, part) for part in parts)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> None:
    """Warn of a page that a forge shows otherwise, such as a list that is indented by two and ends there."""
    if "\n::: " not in (page.markdown or ""):
        forge, site = (
            Counter(re.findall(r"<(li|ul|ol|table|tr|h[1-6]|blockquote)\b", shown))
            for shown in (MarkdownIt().enable("table").render(page.markdown or ""), html)
        )
        if unlike := {tag: (forge[tag], site[tag]) for tag in forge | site if forge[tag] != site[tag]}:
            log.warning(f"{page.file.src_uri} is read otherwise on a forge (there, here): {unlike}")


def _outside() -> dict[str, str]:
    examples = {
        path.relative_to(ROOT).as_posix(): f"examples/{path.parent.name}.md"
        for path in sorted(ROOT.glob("examples/*/README.md"))
    }
    return OUTSIDE | examples


_MADE: list[tuple[str, str]] = []


def _generated() -> list[tuple[str, str]]:
    """Name and Markdown of each generated page, made once."""
    if not _MADE:
        os.chdir(ROOT)
        _MADE.extend([*_components(), *_python(), *((n, "") for n in _outside().values() if n.startswith("examples/"))])
    return _MADE


def _components() -> Iterator[tuple[str, str]]:
    from ferbench.cards import DatasetCard, MethodCard
    from ferbench.kit import components
    from ferbench.registry.loader import load_registry

    registry = load_registry()
    ours = {p.distribution for p in registry.plugins if p.name == "core"}
    methods = [c for c in registry.catalogue(MethodCard).values() if registry.owner(c).distribution in ours]
    datasets = [c for c in registry.catalogue(DatasetCard).values() if registry.owner(c).distribution in ours]
    yield "methods/index.md", components.methods_index(methods)
    for card in methods:
        source = f"## Code\n\n::: {card.target.replace(':', '.')}\n    options: {{heading_level: 3, members: false}}\n"
        yield f"methods/{card.name}.md", f"{components.method_page(registry, card)}\n{source}"
    yield "datasets/index.md", components.datasets_index(datasets)
    reported = registry.reported()
    yield from ((f"datasets/{card.name}.md", components.dataset_page(registry, card, reported)) for card in datasets)


def _python() -> Iterator[tuple[str, str]]:
    """A page for each section of the plugin interface, of which mkdocstrings reads the source."""
    from ferbench.kit.reference import SECTIONS

    rows = []
    for heading, sentence, names in SECTIONS:
        page = f"{heading.lower()}.md"
        sentence = sentence.replace("](../", "](../../")
        blocks = "\n\n".join(f"::: {name.replace(':', '.')}" for name in names)
        yield f"reference/python/{page}", f"# {heading}\n\n{sentence}\n\n{blocks}\n"
        short = [name.partition(":")[2] for name in names]
        rows.append(f"- [{heading}]({page}): {', '.join(f'`{name}`' for name in short)}")
    head = (
        "# Python, with source\n\nThe public names with their signatures and their source. The page [plugin "
        "interface](../plugin-interface.md) has the same names on one page.\n\n"
    )
    yield "reference/python/index.md", head + "\n".join(rows) + "\n"
