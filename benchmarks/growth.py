"""How time grows with work: trials, frames, subjects. `python benchmarks/growth.py [FOLDER]`; some 15 minutes and 3 GB in FOLDER.
`python benchmarks/growth.py board 100000 [FOLDER]`: a board of so many records, as a whole process, without and with an index.

Each line is one operation at several sizes, with the slope of log time against log size between the largest two sizes: 1 is time in
proportion to work.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from test_leaderboard import generated

from ferbench.api.reading import known_cards
from ferbench.config.compose import compose
from ferbench.config.schema import Augment
from ferbench.data.batches import Batches, Images, Labels
from ferbench.evaluation.measures.expression_probe import expression_probe
from ferbench.evaluation.measures.identity_auc import identity_auc
from ferbench.evaluation.measures.leakage import leakage
from ferbench.plan.study import plan
from ferbench.protocols.settings import SubjectKFoldSettings
from ferbench.protocols.subject_kfold import SubjectKFold
from ferbench.ranking.aggregate import BoardQuery, boards
from ferbench.records.store import Store
from ferbench.registry.loader import load_registry

TRIALS, FRAMES, SUBJECTS = (10, 100, 1_000, 10_000), (1_000, 10_000, 100_000, 300_000), (10, 100, 300, 1_000)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def line(what: str, sizes: Sequence[int], taken: Sequence[float]) -> None:
    slope = math.log(taken[-1] / taken[-2]) / math.log(sizes[-1] / sizes[-2])
    cells = " | ".join(f"{size:,}: {value:.3g} s" for size, value in zip(sizes, taken, strict=True))
    print(f"| {what} | {cells} | {slope:.2f} |", flush=True)


def trials(folder: Path) -> None:
    """Planned with seeds, stored as a run stores them, read and ranked without and with an index."""
    registry = load_registry()
    words = [
        "method=cross_entropy",
        "dataset=synthfaces",
        "dataset.subjects=10",
        "protocol=subject_kfold",
        "protocol.k=10",
    ]
    planned, stored, ranked, again = [], [], [], []
    for count in TRIALS:
        configs = compose(
            registry, [*words, f"seeds={json.dumps(list(range(count // 10)))}", f"results_dir={folder / 'none'}"]
        )
        planned.append(seconds(lambda configs=configs: plan(registry, configs)))
        store, random = Store(folder / str(count)), np.random.default_rng(0)
        store.prepare()
        methods = max(count // 100, 1)
        records = [
            generated(method, fold, seed, random)
            for method in range(methods) for fold in range(10) for seed in range(count // methods // 10)
        ]  # fmt: skip

        def write(store: Store = store, records: list = records) -> None:  # type: ignore[type-arg]
            for record in records:
                store.write(record.trial.id, lambda draft, record=record: record)

        stored.append(seconds(write))
        query = BoardQuery(cards=known_cards(load_registry()))
        ranked.append(seconds(lambda store=store, query=query: boards(store.scan()[0], query=query)))
        again.append(seconds(lambda store=store, query=query: boards(store.scan()[0], query=query)))
        shutil.rmtree(store.root)
    line("trials planned", TRIALS, planned)
    line("records written and flushed to disk", TRIALS, stored)
    line("records read and ranked", TRIALS, ranked)
    line("the same again, with an index from 300 records on", TRIALS, again)


def frames(folder: Path) -> None:
    """Batches of 64 images of 48 pixels from an array on disk, which is not held in memory; folds of a table."""
    drawn, split, grown = [], [], []
    for count in FRAMES:
        path = folder / "images.npy"
        array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(count, 48, 48, 3))
        for start in range(0, count, 10_000):
            array[start : start + 10_000] = start % 251
        array.flush()
        images = Images(np.load(path, mmap_mode="r"), torch.device("cpu"))
        images.resident = None
        rows = torch.arange(count)
        batches = Batches(images, Labels(rows, rows % 7, rows % 11), Augment(), 64, (0,))
        batches(0)
        before = own_memory()
        drawn.append(seconds(lambda batches=batches: [batches(step) for step in range(1, 101)]) / 100)
        grown.append(max(own_memory() - before, 0) // 1024)
        people = [f"P{i // 20:06d}" for i in range(count)]
        expression = np.array(["anger", "fear", "joy"])[np.arange(count) // 5 % 3]
        table = pd.DataFrame({
            "path": [f"{i}.png" for i in range(count)], "subject": people, "expression": expression,
            "sequence": [f"{p}/{e}" for p, e in zip(people, expression, strict=True)], "position": np.arange(count) % 5,
        })  # fmt: skip
        split.append(seconds(lambda table=table: folds(table)))
        path.unlink()
    line("a batch of 64 from disk", FRAMES, drawn)
    line("ten folds of subjects", FRAMES, split)
    print(
        f"| memory that 100 such batches added | {' | '.join(f'{n:,}: {m} MiB' for n, m in zip(FRAMES, grown, strict=True))} | |"
    )


def own_memory() -> int:
    """KiB of this process that are not pages of files."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon"))


def folds(table: pd.DataFrame) -> object:
    return SubjectKFold(SubjectKFoldSettings(k=10)).assign_folds(table.assign(frame_id=table["path"]))


def subjects() -> None:
    """Six expressions of three frames each, 128 dimensions."""
    leaks, worths, alike = [], [], []
    for count in SUBJECTS:
        random = np.random.default_rng(0)
        who, what = np.repeat(np.arange(count), 18), np.tile(np.repeat(np.arange(6), 3), count)
        codes = 0.5 * random.normal(size=(count, 128))[who] + 0.5 * random.normal(size=(6, 128))[what]
        features = (codes + random.normal(size=codes.shape)).astype(np.float32)
        leaks.append(seconds(lambda f=features, s=who, e=what: leakage(f, s, e)))
        worths.append(seconds(lambda f=features, s=who, e=what: expression_probe(f, s, e)))
        alike.append(seconds(lambda f=features, s=who, e=what: identity_auc(f, s, e)))
    line("identity leakage, linear probe", SUBJECTS, leaks)
    line("expression probe", SUBJECTS, worths)
    line("identity AUC", SUBJECTS, alike)


def board(count: str, place: str | None = None) -> None:
    """100 methods on 10 folds. The records are not flushed to disk one by one, which would take an hour."""
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(dir=place) as name:
        for seed in range(int(count) // 1000):
            for method in range(100):
                for fold in range(10):
                    record = generated(method, fold, seed, random)
                    folder = Path(name, record.trial.id)
                    folder.mkdir()
                    (folder / "record.json").write_text(record.to_json(), encoding="utf-8")
        command = [sys.executable, "-m", "ferbench", "leaderboard", name]
        for how in ("the first time, which writes the index", "again", "again", "again"):
            taken = seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
            print(f"ferbench leaderboard, {int(count):,} records, {how}: {taken:.1f} s", flush=True)


def main(place: str | None = None) -> None:
    with tempfile.TemporaryDirectory(dir=place) as name:
        print("| what | size: time | | | | slope |\n|---|---|---|---|---|---|")
        subjects()
        frames(Path(name))
        trials(Path(name))


if __name__ == "__main__":
    if sys.argv[1:2] == ["board"]:
        board(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
