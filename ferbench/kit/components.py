"""The pages of methods and datasets as Markdown, from their cards and the docstrings beside them.

python -m ferbench.kit.components method degan
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence

from ferbench.cards import CLASSES, EXTRA, DatasetCard, MethodCard, PublishedResult, StageCard
from ferbench.registry.loader import Registry, load_registry
from ferbench.report.site.cards import Described, described

PROVIDES = {
    "subject": "the subject of each frame",
    "neutral": "a neutral face of each subject",
    "sequence": "sequences of frames",
    "intensity": "how strong the expression is",
    "split": "a split of its own",
}


def method_page(registry: Registry, card: MethodCard) -> str:
    """What a method is, what it needs, how it is trained, and what is the authors' and what our reading."""
    about = described(card)
    needs = [PROVIDES.get(need, need) for need in sorted(card.needs - {EXTRA})]
    needs += ["an extra dataset"] if EXTRA in card.needs else []
    needs += [f"the columns {', '.join(card.factors)}"] if card.factors else []
    parts = [
        f"# {card.name}\n\n{_sentence(card.title)}",
        f"    ferbench run method={card.name} dataset=synthfaces budget=demo",
        _facts(
            {
                "paper": card.paper or "none; it is the plain classifier that others are compared with",
                "needs of the data": ", ".join(needs) or "images and expressions only",
                "stages": "; ".join(_stage(stage) for stage in card.stages),
                "its first stage is that of": f"[{card.trains_as}]({card.trains_as}.md)" if card.trains_as else "",
                "version": str(card.version),
                "code": f"`{card.target}`, in {registry.owner(card).origin}",
            }
        ),
        "## What is stated, and what is our reading",
        *(_prose(text) for text in about.texts),
        "\n\n".join(about.readings),
        *_settings(about),
        *_ablations(card),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def dataset_page(registry: Registry, card: DatasetCard, reported: Sequence[PublishedResult] = ()) -> str:
    """What a dataset holds, how to get it, what its folder looks like, and what is published of it."""
    about = described(card)
    root = f" dataset.root=/data/{card.name}" if "root" in card.setting_names else ""
    root = " dataset.file=frames.csv" if card.reads_tables else root
    check = [f"    ferbench datasets check {card.name}{root}"] if root else []
    check = [f"    ferbench datasets get {card.name} --to /data/{card.name}", *check] if card.download else check
    parts = [
        f"# {card.name}\n\n{_sentence(card.title)}",
        "\n".join([*check, f"    ferbench run method=cross_entropy dataset={card.name}{root}"]),
        _facts(
            {
                "paper": card.paper,
                "licence": card.licence,
                "how to get it": card.obtain,
                "expressions": ", ".join(card.expressions) or "those of its labels",
                "sets of classes": "; ".join(
                    f"`dataset.classes={name}`: {', '.join(names)}" for name, names in card.class_sets.items()
                ),
                "has": ", ".join(PROVIDES[p] for p in PROVIDES if p in card.provides) or "what its files have",
                "frames of a sequence": f"`{card.frames}`" if "sequence" in card.provides else "",
                "protocol": f"[`{card.protocol}`](../reference/protocols.md)",
                "people in common with": _others(registry, card),
                "version": str(card.version),
                "code": f"`{card.target}`, in {registry.owner(card).origin}",
            }
        ),
        "## What it holds" if not root else "## What the folder holds",
        _prose(about.texts[0]) if about.texts else "",
        *_published(card),
        *_reported(card, reported),
        *_settings(about),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def methods_index(cards: Sequence[MethodCard]) -> str:
    """All methods in a table."""
    rows = [[f"[{c.name}]({c.name}.md)", c.title, str(len(c.ablations)), c.paper] for c in cards]
    return (
        "# Methods\n\nA page each, written from its card. How all of them are trained, and how they differ from their papers, "
        "is in [methods](../reference/methods.md); DE-GAN has [a page on what was chosen and why](../reference/degan.md).\n\n"
        + _table(("name", "what", "ablations", "paper"), rows)
        + "\n"
    )


def datasets_index(cards: Sequence[DatasetCard]) -> str:
    """All datasets in a table."""
    rows = [
        [
            f"[{c.name}]({c.name}.md)",
            c.title,
            str(len(c.expressions)) if c.expressions else "",
            c.licence,
            "`ferbench datasets get`" if c.download else "",
        ]
        for c in cards
    ]
    return (
        "# Datasets\n\nA page each, written from its card. How a folder is read, checked and used is in [use a "
        "dataset](../howto/use-a-dataset.md). ferbench contains no image of them.\n\n"
        + _table(("name", "what", "classes", "licence", "download"), rows)
        + "\n"
    )


def _stage(stage: StageCard) -> str:
    on_top = "on top of the budget, where there is an extra dataset" if stage.data == EXTRA else "of the steps"
    return f"{stage.name} ({100 * stage.share:g} % {on_top})"


def _others(registry: Registry, card: DatasetCard) -> str:
    same = [c.name for c in registry.catalogue(DatasetCard).values() if c.population == card.population]
    return ", ".join(f"[{name}]({name}.md)" for name in same if name != card.name)


def _settings(about: Described[MethodCard] | Described[DatasetCard]) -> Iterator[str]:
    if not about.settings:
        return
    kind = about.card.kind
    rows = []
    for setting in about.settings:
        meaning = setting.meaning
        if kind == "dataset" and setting.name == CLASSES and not meaning:
            meaning = "the expressions that are classes, joined by '+', or the name of a set; empty for all."
        rows.append([f"`{kind}.{setting.name}`", f"`{setting.default}`" if setting.default else "", meaning])
    yield "## Settings"
    yield _table(("setting", "default", ""), rows)


def _ablations(card: MethodCard) -> Iterator[str]:
    if not card.ablations:
        return
    yield "## Ablations"
    run = f"    ferbench run method={card.name} ablation=all dataset=synthfaces budget=demo"
    yield f"{run}\n    ferbench ablations --method {card.name}"
    rows = [
        [f"`{name}`", ", ".join(f"`method.{key}={_value(value)}`" for key, value in overrides.items())]
        for name, overrides in card.ablations.items()
    ]
    yield _table(("ablation", "is the method with"), rows)


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _published(card: DatasetCard) -> Iterator[str]:
    published = card.published
    if published is None:
        return
    yield "## What is published of it"
    size = [f"{n:,} {what}" for n, what in ((published.subjects, "subjects"), (published.sequences, "sequences")) if n]
    if "sequence" not in card.provides:
        size = [text.replace("sequences", "images") for text in size]
    source = f"Source: {_sentence(published.source)} `ferbench datasets check` compares a copy with it."
    yield f"{' and '.join(size)}. {source}" if size else source
    if published.by_expression:
        yield _table(("expression", "number"), [[name, f"{n:,}"] for name, n in published.by_expression.items()])


def _reported(card: DatasetCard, reported: Sequence[PublishedResult]) -> Iterator[str]:
    found = [r for r in reported if r.dataset == card.known_as and r.classes in ("", card.classes) and card.known_as]
    if not found:
        return
    yield "## What papers report"
    yield (
        "In percent, with protocols of their own: not to be compared with each other or with a board. `ferbench leaderboard "
        "--reported` shows them beside what was run here, and says how their protocols differ."
    )
    rows = [
        [r.method, str(r.year), r.venue, f"{r.accuracy:g}", f"[{r.runs}](../methods/{r.runs}.md)" if r.runs else ""]
        for r in sorted(found, key=lambda r: (r.year, r.method))
    ]
    yield _table(("method", "year", "where", "accuracy", "here"), rows)


def _facts(facts: Mapping[str, str]) -> str:
    return _table(("", ""), [[f"**{name}**", text] for name, text in facts.items() if text])


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    """One line, whose links can be followed; bars inside would end the cell."""
    return re.sub(r"(?<![\w(<\"])(https?://[^\s,;]+)", r"<\1>", " ".join(text.split())).replace("|", "\\|")


def _prose(text: str) -> str:
    """A docstring as Markdown: paragraphs, indented equations as they are; stars and underscores of formulas are no emphasis."""
    blocks = []
    for block in text.split("\n\n"):
        if not block.startswith("    "):
            block = re.sub(r"(?<=\s)\*(?=\s)|(?<=\w)\*(?=\w)|<(?=\w)", r"\\\g<0>", block)
            block = re.sub(r"(?<![\w/`])docs/((?:\w|[/-])+)\.md", r"[\1](../\1.md)", block)
            before, mark, after = block.partition("\n    ")  # equations right below a sentence
            block = f"{before}\n\n    {after}" if mark and not before.startswith("- ") else block
        blocks.append(block)
    return "\n\n".join(blocks)


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


if __name__ == "__main__":
    kind, name = sys.argv[1:]
    known = load_registry()
    page = (
        method_page(known, known.get(MethodCard, name))
        if kind == "method"
        else dataset_page(known, known.get(DatasetCard, name))
    )
    sys.stdout.write(page)
