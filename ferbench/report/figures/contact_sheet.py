"""Subjects in rows, expressions in columns: what a dataset looks like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from ferbench.errors import printable
from ferbench.report.figures.style import INK, PAPER

MARGIN, LABEL = 4, 18


def choose(frames: pd.DataFrame, expressions: Sequence[str], subjects: int) -> pd.DataFrame:
    """For each of the first subjects a neutral frame and the last apex frame of each expression, by cell.

    Returns:
        a table of frame_ids, (subjects, columns); missing where a subject does not show an expression.
    """
    some = frames[frames["subject"].isin(sorted(frames["subject"].unique())[:subjects])]
    neutral = some[some["phase"] == "neutral"].drop_duplicates("subject").set_index("subject")["frame_id"]
    apex = some[(some["phase"] == "apex") & some["expression"].isin(expressions)].sort_values(["sequence", "position"])
    # the apex frame of the subject's first sequence of an expression
    first = apex.groupby(["subject", "expression"])["sequence"].transform("first") == apex["sequence"]
    table = apex[first].groupby(["subject", "expression"])["frame_id"].last().unstack()
    table = table.reindex(columns=[e for e in expressions if e in table.columns])
    if "neutral" not in table.columns and len(neutral):
        table.insert(0, "neutral", neutral.reindex(table.index))
    return table


def draw(cells: pd.DataFrame, images: dict[str, np.ndarray], size: int) -> Image.Image:
    """The sheet; images (size, size, 3) by frame_id. A cell without a frame stays empty."""
    rows, columns = cells.shape
    font = ImageFont.load_default(12)
    names = [printable(str(subject)) for subject in cells.index]
    left = 8 + int(max(map(font.getlength, names), default=0))
    width, height = left + columns * (size + MARGIN), LABEL + rows * (size + MARGIN)
    sheet = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    for column, name in enumerate(cells.columns):
        pen.text((left + column * (size + MARGIN), 2), str(name), fill=INK, font=font)
    for row, (name, (_, line)) in enumerate(zip(names, cells.iterrows(), strict=True)):
        top = LABEL + row * (size + MARGIN)
        pen.text((4, top + size // 2 - 6), name, fill=INK, font=font)
        for column, frame in enumerate(line):
            if isinstance(frame, str) and frame in images:
                sheet.paste(Image.fromarray(images[frame]), (left + column * (size + MARGIN), top))
    return sheet
