"""An auditor of other people's splits: what is on both sides that should not be.

Works on a table alone: one row a frame, with `subject` and `split` or `fold`, and where they are known `sequence`,
`expression`, `hash` and `path`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ferbench.cores import usable_cores
from ferbench.errors import FerbenchError
from ferbench.protocols import splitfile

NEAR = 4
"""Two images whose 64-bit perceptual hashes differ in at most so many bits are near-duplicates."""

BLOCK = 128
"""How many tested frames are compared with all that are trained on at a time."""

_ONES = np.unpackbits(np.arange(2**16, dtype=np.uint16).view(np.uint8).reshape(-1, 2), axis=1).sum(
    axis=1, dtype=np.uint8
)
""" (65536,), the number of bits that are set in each 16-bit number."""


@dataclass(frozen=True)
class Finding:
    """What one side (a fold, or a named split) shares with what is trained on beside it.

    Attributes:
        side: its name; `tested` and `trained` count frames.
        subjects, sequences, doubles: of the tested ones, those that are trained on too.
        near: pairs of (tested, trained) frames whose images are nearly the same.
        missing: classes that are tested and never trained on, or trained on and never tested.
    """

    side: str
    tested: int
    trained: int
    tested_subjects: int
    subjects: tuple[str, ...] = ()
    sequences: tuple[str, ...] = ()
    doubles: tuple[str, ...] = ()
    near: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def leaks(self) -> bool:
        return bool(self.subjects or self.sequences or self.doubles or self.near)


def read(path: Path) -> pd.DataFrame:
    """The table of a split, checked.

    Raises:
        FerbenchError: it cannot be read, or lacks a column.
    """
    table = splitfile.read(path)
    if "subject" not in table:
        raise FerbenchError(
            f"{path} has no column subject; it has {', '.join(table.columns)}. Without subjects nothing can be said of leakage."
        )
    if nameless := int((table["subject"] == "").sum()):
        raise FerbenchError(f"{path} has {nameless} rows without a subject.")
    return table


def sides(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """(name, tested, trained): each fold against all others, or each test split against the rest.

    Raises:
        FerbenchError: there is one side only, or no split is called test or the like.
    """
    column = splitfile.side_column(table)
    names = splitfile.in_order(table[column])
    if len(names) < 2:
        raise FerbenchError(f"There is one {column} only ('{names[0]}'): nothing to compare.")
    if column == "split":
        tests = [name for name in names if name.lower() in splitfile.TEST_NAMES]
        if not tests:
            raise FerbenchError(f"No split is called test, val or the like; there are {', '.join(names)}.")
    else:
        tests = names
    for name in tests:
        tested = table[table[column] == name]
        # a validation set is no training data for the test set, and the other way round
        trained = table[~table[column].isin(tests)] if column == "split" else table[table[column] != name]
        yield f"{column} {name}", tested, trained


def audit(table: pd.DataFrame, root: Path | None = None) -> list[Finding]:
    """A finding for each side.

    Args:
        root: folder of the images in the column `path`; hashes are then computed where the column `hash` is missing.
    """
    if "hash" not in table and root is not None and "path" in table:
        with ThreadPoolExecutor(usable_cores()) as pool:
            table = table.assign(hash=list(pool.map(image_hash, [root / path for path in table["path"]])))
    return [_finding(name, tested, trained) for name, tested, trained in sides(table)]


def _finding(name: str, tested: pd.DataFrame, trained: pd.DataFrame) -> Finding:
    def common(column: str) -> tuple[str, ...]:
        if column not in tested:
            return ()
        return tuple(sorted((set(tested[column]) & set(trained[column])) - {""}))

    missing = ()
    if "expression" in tested:
        missing = tuple(sorted((set(tested["expression"]) ^ set(trained["expression"])) - {""}))
    return Finding(
        side=name,
        tested=len(tested),
        trained=len(trained),
        tested_subjects=tested["subject"].nunique(),
        subjects=common("subject"),
        sequences=common("sequence"),
        doubles=common("frame_id"),
        near=tuple(_near(tested, trained)) if "hash" in tested else (),
        missing=missing,
    )


def _near(tested: pd.DataFrame, trained: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """(tested, trained) frame_ids whose hashes differ in few bits; the nearest of each tested frame."""
    ours, theirs = tested[tested["hash"] != ""], trained[trained["hash"] != ""]
    if ours.empty or theirs.empty:
        return
    ours_bits, theirs_bits = _bits(ours["hash"]), _bits(theirs["hash"])
    ours_ids, theirs_ids = ours["frame_id"].to_numpy(), theirs["frame_id"].to_numpy()
    for start in range(0, len(ours), BLOCK):
        block = slice(start, start + BLOCK)
        distance = _ones(ours_bits[block, None] ^ theirs_bits)
        nearest = distance.argmin(axis=1)
        for place in np.flatnonzero(distance.min(axis=1) <= NEAR):
            frame, twin = str(ours_ids[start + place]), str(theirs_ids[nearest[place]])
            if frame != twin:
                yield frame, twin


def _ones(numbers: np.ndarray) -> np.ndarray:
    """The number of bits that are set. Args: numbers: (A, B), uint64. Returns: (A, B), uint8."""
    parts = numbers.view(np.uint16).reshape(*numbers.shape, 4)
    counts: np.ndarray = _ONES[parts].sum(axis=-1, dtype=np.uint8)
    return counts


def _bits(hashes: Sequence[str] | pd.Series) -> np.ndarray:
    """(N,), uint64.

    Raises:
        FerbenchError: a hash is not 16 hexadecimal digits.
    """
    if wrong := [code for code in hashes if not re.fullmatch("[0-9a-fA-F]{16}", code)]:
        raise FerbenchError(f"The column hash holds '{wrong[0]}', which is not 16 hexadecimal digits.")
    return np.array([int(code, 16) for code in hashes], dtype=np.uint64)


def image_hash(path: Path) -> str:
    """A difference hash: which of 8 x 8 neighbours in a 9 x 8 gray thumbnail is brighter; "" where there is no image, or one far
    too large for a face."""
    from PIL import Image

    if not path.is_file():  # whoever opens a pipe may wait for ever
        return ""
    try:
        with Image.open(path) as image:
            small = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.BILINEAR), int)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return ""
    return np.packbits(small[:, 1:] > small[:, :-1]).tobytes().hex()
