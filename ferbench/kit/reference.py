"""docs/reference/plugin-interface.md, from the docstrings of what plugins use:
`python -m ferbench.kit.reference > docs/reference/plugin-interface.md`."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from ferbench.docstrings import parsed

HEAD = """# The plugin interface

Written by `python -m ferbench.kit.reference` from the docstrings; a test compares. A guided way is [write your first
plugin](../tutorials/first-plugin.md); what may change, and how, is in [deprecations](../deprecations.md).

A plugin is a Python package with an entry point of the group `ferbench`, or a file given with `--plugin`. The module that the entry
point names has hooks, and a hook returns cards. A card has the name of a component, its settings, and in `target` its class or
function, "package.module:Name", which is imported when a trial needs it and not before.

B is the number of images in a batch, C the number of expressions, N a number of frames, H and W are height and width in pixels.
"""

SECTIONS: Sequence[tuple[str, str, Sequence[str]]] = (
    (
        "Method",
        "A method is a torch module with training stages, a representation and a classifier.",
        (
            "ferbench:Method",
            "ferbench:Task",
            "ferbench:Batch",
            "ferbench:Stage",
            "ferbench:Group",
            "ferbench:Part",
            "ferbench:Average",
            "ferbench:Epoch",
            "ferbench:PK",
            "ferbench:Balanced",
            "ferbench:Partner",
            "ferbench:Update",
            "ferbench:Clock",
            "ferbench:Identifies",
            "ferbench:Synthesizes",
            "ferbench:Estimates",
            "ferbench:whole_batch",
        ),
    ),
    ("Backbone", "A backbone gives methods feature maps of an image.", ("ferbench:Backbone",)),
    (
        "Dataset",
        "A dataset gives a frame table and images. The others are optional: a dataset that has the method has the ability.",
        (
            "ferbench:Dataset",
            "ferbench.interfaces.dataset:BatchImages",
            "ferbench.interfaces.dataset:Pictures",
            "ferbench.interfaces.dataset:Landmarks",
            "ferbench.interfaces.dataset:ReportsIrregularities",
            "ferbench.interfaces.dataset:StatesCopy",
            "ferbench.interfaces.dataset:Describes",
        ),
    ),
    (
        "Protocol",
        "A protocol says in which fold each frame is tested. `TRAIN_ONLY` and `UNUSED` are in `ferbench.interfaces.protocol`.",
        ("ferbench:Protocol", "ferbench:ProtocolSettings"),
    ),
    (
        "Evaluator",
        "An evaluator is a function of `Outputs` that returns a number, `PerSubject` or None for each metric of its card, by name.",
        (
            "ferbench:Outputs",
            "ferbench:PerSubject",
            "ferbench.interfaces.evaluator:Syntheses",
            "ferbench:NotMeasurable",
        ),
    ),
    (
        "Executor",
        "An executor decides where trials run: [write an executor](../howto/write-an-executor.md).",
        (
            "ferbench:Executor",
            "ferbench.interfaces.executor:Work",
            "ferbench.interfaces.executor:Node",
            "ferbench:Progress",
            "ferbench.interfaces.executor:Queues",
            "ferbench.interfaces.executor:Job",
        ),
    ),
    (
        "Tracker",
        "A tracker takes the numbers of a study elsewhere: [see a study in another tool](../howto/track-a-study.md).",
        ("ferbench:Tracker", "ferbench:Tracked"),
    ),
    (
        "Python",
        "What the command line does, as functions: [use it from Python](../howto/use-from-python.md).",
        (
            "ferbench:run",
            "ferbench:Run",
            "ferbench:load_results",
            "ferbench:leaderboard",
            "ferbench:Leaderboard",
            "ferbench:compare",
            "ferbench:Comparison",
        ),
    ),
    ("Detector", "A face detector, for `preparation=align`.", ("ferbench:Detector", "ferbench:Face")),
    (
        "Cards",
        "All fields are given by name.",
        (
            "ferbench.cards:Card",
            "ferbench:MethodCard",
            "ferbench:StageCard",
            "ferbench:BackboneCard",
            "ferbench:DatasetCard",
            "ferbench:Published",
            "ferbench:ZenodoRecord",
            "ferbench:ProtocolCard",
            "ferbench:EvaluatorCard",
            "ferbench:Metric",
            "ferbench:BySubject",
            "ferbench:Counts",
            "ferbench:CountScore",
            "ferbench:ExecutorCard",
            "ferbench:DetectorCard",
            "ferbench:TrackerCard",
            "ferbench:CommandCard",
            "ferbench:PublishedResult",
            "ferbench:NoSettings",
            "ferbench:settings_of",
            "ferbench:added",
        ),
    ),
    (
        "Blocks",
        "What methods share: networks that take their sizes from the backbone, losses, schedules, and transforms of batches.",
        (
            "ferbench.blocks.encoder:Encoder",
            "ferbench.blocks.decoder:Decoder",
            "ferbench.blocks.discriminator:MultiTaskDiscriminator",
            "ferbench.blocks.residue:ResidueBranch",
            "ferbench.blocks.residue:residue_terms",
            "ferbench.blocks.residue:trained",
            "ferbench.blocks.adversarial:tell_apart",
            "ferbench.blocks.adversarial:pass_for_real",
            "ferbench.blocks.adversarial:reverse_gradient",
            "ferbench.blocks.factors:masked_bce",
            "ferbench.blocks.factors:masked_mse",
            "ferbench.blocks.factors:ccc_loss",
            "ferbench.blocks.schedules:Constant",
            "ferbench.blocks.schedules:Cosine",
            "ferbench.blocks.schedules:Exponential",
            "ferbench.blocks.schedules:StepDecay",
            "ferbench.blocks.schedules:Polynomial",
            "ferbench.blocks.schedules:Warmup",
            "ferbench.blocks.transforms:Flip",
            "ferbench.blocks.transforms:CropResize",
            "ferbench.blocks.transforms:ColourJitter",
            "ferbench.blocks.transforms:Grey",
            "ferbench.blocks.transforms:Blur",
            "ferbench.blocks.transforms:Erase",
            "ferbench.blocks.transforms:Mixup",
            "ferbench.blocks.transforms:Cutmix",
            "ferbench.blocks.transforms:Mixed",
        ),
    ),
    (
        "Metrics",
        "Measures of disentanglement as `torchmetrics.Metric`, for your own loop too: [definitions](../reference/evaluation.md).",
        (
            "ferbench.metrics:IdentityLeakage",
            "ferbench.metrics:ExpressionProbe",
            "ferbench.metrics:Selectivity",
            "ferbench.metrics:IdentityAUC",
            "ferbench.metrics:MIG",
            "ferbench.metrics:SAP",
            "ferbench.metrics:DCI",
        ),
    ),
    (
        "Errors",
        "An error that the user can mend is one of these; its text is what the user reads.",
        ("ferbench:FerbenchError", "ferbench:UnknownName", "ferbench:NoSuch", "ferbench:FrameError"),
    ),
    (
        "Tests",
        "`ferbench.testing` has the conformance checks, and what they work on.",
        (
            "ferbench.testing:conformance",
            "ferbench.testing:checks_of",
            "ferbench.testing:Check",
            "ferbench.testing:NotTried",
            "ferbench.testing:method_named",
            "ferbench.testing:make_method",
            "ferbench.testing:make_task",
            "ferbench.testing:make_batch",
            "ferbench.testing:make_frames",
            "ferbench.testing:make_outputs",
            "ferbench.testing:Drawn",
            "ferbench.testing:training",
            "ferbench.testing:variants_of",
            "ferbench.testing:small_backbone",
        ),
    ),
)
"""Heading, a sentence, and the public names of each section."""


def page() -> str:
    """The page's text."""
    parts = [HEAD, "## Hooks\n", *_hooks()]
    for heading, sentence, names in SECTIONS:
        parts.append(f"## {heading}\n\n{sentence}\n")
        parts += [_described(name) for name in names]
    parts += ["## Rules\n", *_rules()]
    return "\n".join(parts)


def _hooks() -> Iterator[str]:
    from ferbench import hookspecs

    yield "A hook is a function that is marked with `ferbench.hookimpl`, has one of these names, and takes nothing.\n"
    yield "| hook | |\n|---|---|"
    for name, hook in vars(hookspecs).items():
        if name.startswith("ferbench_"):
            yield f"| `{name}` | {_cell(inspect.getdoc(hook) or '')} |"
    yield ""


def _rules() -> Iterator[str]:
    """The rules of `ferbench check`, by kind."""
    from ferbench.testing import checks

    yield "`ferbench check` holds a component to these; `ferbench.testing.conformance` makes a test of each.\n"
    yield "| rule | what it asks | what to do where it is broken |\n|---|---|---|"
    for rule in checks.all_rules():
        asks, _, mend = (inspect.getdoc(rule) or "").partition("\n\n")
        yield f"| `{rule.__name__}` | {_cell(asks)} | {_cell(mend)} |"
    yield ""


def _described(path: str) -> str:
    """A section about a public class or function."""
    module, _, name = path.partition(":")
    thing = getattr(import_module(module), name)
    lines = [f"### {name}", "", f"    from {module} import {name}", ""]
    text, tables = parsed(inspect.getdoc(thing) or "")
    if not inspect.isclass(thing):
        return "\n".join([*lines, f"`{name}{_signature(thing)}`", "", text, *_sections(tables), ""])
    documented = {**tables.pop("Args", {}), **tables.pop("Attributes", {})}
    lines += [text, *_table(thing, documented), *_sections(tables)]
    for member, value in vars(thing).items():
        lines += _member(member, value)
    return "\n".join([*lines, ""])


def _member(name: str, value: Any) -> list[str]:
    """A public method or property with a docstring."""
    function: Any = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
    if name.startswith("_") or not inspect.isfunction(inspect.unwrap(function)) or not function.__doc__:
        return []
    text, tables = parsed(inspect.getdoc(function) or "")
    title = f"`.{name}`" if isinstance(value, property) else f"`.{name}{_signature(inspect.unwrap(function))}`"
    return ["", f"**{title}**", "", text, *_sections(tables)]


def _table(thing: type, documented: Mapping[str, str]) -> list[str]:
    """The fields of a class, or what its constructor takes: name, type, default, meaning."""
    fields = {f.name: f for f in dataclasses.fields(thing)} if dataclasses.is_dataclass(thing) else {}
    taken = inspect.signature(thing).parameters if "__init__" in vars(thing) and not fields else {}
    types = {
        name: kind for base in reversed(thing.__mro__) for name, kind in vars(base).get("__annotations__", {}).items()
    }
    types |= {name: parameter.annotation for name, parameter in taken.items() if name in documented}
    defaults = {name: repr(one.default) for name, one in taken.items() if one.default is not inspect.Parameter.empty}
    defaults |= {name: _default(field) for name, field in fields.items()}
    names = list(dict.fromkeys([*documented, *(n for n in vars(thing).get("__annotations__", {}) if n in fields)]))
    names = [name for name in names if not name.startswith("_")]
    if issubclass(thing, enum.Enum):
        return ["", *(f"- `{thing.__name__}.{member.name}`" for member in thing)]
    if not names:
        return []
    lines = ["", f"| {'argument' if taken else 'field'} | type | default | |", "|---|---|---|---|"]
    for name in names:
        kind = str(types.get(name, "")).replace("|", "\\|")
        default = defaults.get(name, repr(vars(thing)[name]) if name in vars(thing) else "")
        default = "" if default.startswith("<") else default
        cells = [
            f"`{name}`",
            f"`{kind}`" if kind else "",
            f"`{default}`" if default else "",
            _cell(documented.get(name, "")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _default(f: dataclasses.Field[Any]) -> str:
    if f.default is not dataclasses.MISSING:
        return f.default.__name__ if inspect.isclass(f.default) else repr(f.default)
    if f.default_factory is not dataclasses.MISSING:
        return repr(f.default_factory())
    return ""


def _signature(function: Callable[..., Any]) -> str:
    """Names, types and defaults of the parameters, without `self`."""
    parts, starred = [], False
    found = inspect.signature(function)
    for p in found.parameters.values():
        if p.name in ("self", "cls"):
            continue
        if p.kind is p.KEYWORD_ONLY and not starred:
            parts.append("*")
        starred = starred or p.kind in (p.KEYWORD_ONLY, p.VAR_POSITIONAL)
        sign = "*" if p.kind is p.VAR_POSITIONAL else "**" if p.kind is p.VAR_KEYWORD else ""
        parts.append(f"{sign}{p.name}: {p.annotation}" + ("" if p.default is p.empty else f" = {p.default!r}"))
    return f"({', '.join(parts)}) -> {found.return_annotation}"


def _sections(tables: Mapping[str, Mapping[str, str]]) -> list[str]:
    lines: list[str] = []
    for section, entries in tables.items():
        lines += ["", f"{section}:", ""]
        lines += [f"- `{name}`: {text}" if name else f"- {text}" for name, text in entries.items()]
    return lines


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
