"""Sites of made records."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.ranking.aggregate import BoardQuery, boards
from ferbench.ranking.reported import Reported
from ferbench.records import files
from ferbench.records.merge import collect
from ferbench.records.schema import Outcome, Record
from ferbench.report.site.build import Material, build
from tests.made_records import Make
from tests.records.test_merge import changed, stored

EVIL = "</script><script>alert(1)</script>"


def records(make: Make) -> list[Record]:
    """Three methods, one with an ablation and one of which nothing can be trusted, and one that lacks a fold."""
    found = [make(m, f, right=r) for m, r in (("alpha", 9), ("gamma", 3)) for f in (0, 1)]
    found += [make("beta", f, right=6, metrics={"identity_leakage/pixels": 0.8}) for f in (0, 1)]
    found += [make("beta", f, right=5, variant="less") for f in (0, 1)]
    found.append(make("partial", 0))
    evil = make("evil", right=1, metrics={"identity_leakage": 0.9, EVIL: 0.5})
    trial = evil.trial
    identity = dataclasses.replace(trial.identity, method=dataclasses.replace(trial.identity.method, name=EVIL))
    evil = changed(evil, trial=type(trial)(**{**vars(trial), "identity": identity, "variant": EVIL}), notes=(EVIL,))
    found.append(changed(evil, provenance={"device": EVIL, "began": EVIL, "seconds": 1.0, EVIL: EVIL}))
    return found


def site(folder: str, target: Path, **parts: Any) -> Path:
    """A site of a results folder, with all that a command gives it."""
    given = collect([folder])
    found = list(given.records.values())
    whole = boards(found, given.failures, BoardQuery(baseline="beta"))
    shown = boards(found, given.failures, BoardQuery(baseline="beta", include_ablations=False))
    build(Material(**{"given": given, "shown": shown, "whole": whole, **parts}), target)
    return target


def full_site(make: Make, tmp_path: Path) -> Path:
    """A site with everything that one can have."""
    folder = stored(tmp_path / "results", *records(make))
    place = Path(folder) / records(make)[0].trial.id
    np.save(place / "synthesis.npy", np.full((3, 4, 16, 16, 3), 90, np.uint8))
    losses = [(step, name, 2.0 / (step + 1)) for step in range(500) for name in ("training", EVIL)]
    files.write_losses(place, files.losses_table([*losses, (499, files.TEST_ACCURACY, 0.5)], "training"))
    given = collect([folder])
    given.notes.append(EVIL)
    given.failures.append(Outcome(make("beta", 1, seed=7).trial, "oom", EVIL, stage="training", step=3))
    found = list(given.records.values())
    shown = boards(found, query=BoardQuery(baseline="beta", include_ablations=False))
    shown[0].notes.append(EVIL)
    papers = [[Reported(EVIL, 2020, EVIL, 99.0, 98.0, EVIL, (EVIL,), gap=EVIL)]]
    parts = {"papers": papers, "faces": {"made"}, "command": lambda record: EVIL}
    return site(folder, tmp_path / "site", given=given, shown=shown, **parts)


def data(site: Path, name: str) -> Any:
    """What a page gets from data/NAME.js."""
    text = (site / "data" / f"{name}.js").read_text()
    match = re.fullmatch(r'ferbench\.take\("([a-z0-9_-]+)", (".*")\);\n', text)
    assert match is not None
    assert match[1] == name
    return json.loads(json.loads(match[2]))


def row_keys(site: Path) -> tuple[str, dict[str, str]]:
    """The key of the first board, and those of its rows by name."""
    board = data(site, "boards")[0]
    return board["key"], {row["name"]: row["key"] for row in board["rows"]}
