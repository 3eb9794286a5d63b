"""Published figures beside a board: in what their protocol differs, and how far what was run here is from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

from ferbench.leaderboard.rows import Board, Row

DATASETS = {
    "ckplus6": ("CK+", "6"),
    "ckplus7c": ("CK+", "7c"),
    "ckplus7n": ("CK+", "7n"),
    "ckplus8": ("CK+", "8"),
    "oulu": ("Oulu-CASIA", "6"),
    "mmi": ("MMI", "6"),
    "rafdb": ("RAF-DB", "7"),
    "affectnet": ("AffectNet", "8"),
    "rafd": ("RaFD", "8"),
}
"""(dataset, classes) as papers name them, by ferbench's name."""


NOT_RUN = (
    "Reported, not run here and not ranked. Alignment, pretraining and choice of the epoch are not said unless given."
)


@dataclass(frozen=True)
class Reported:
    """A published figure.

    Attributes:
        accuracy, mean_class: in percent; mean_class is 0 where none is given.
        otherwise: in what the protocol differs from the board's, or is not said.
        ours, gap: of the same method on the board, where it is complete: '94.1 [..]', and ours minus reported with the interval
            of ours, in words; a reported figure has none.
    """

    method: str
    year: int
    venue: str
    accuracy: float
    mean_class: float
    source: str
    otherwise: tuple[str, ...] = ()
    ours: str = ""
    gap: str = ""
    runs: str = field(default="", compare=False)

    @property
    def figure(self) -> str:
        """'97.3 (96.6 by class)'."""
        text = f"{self.accuracy:.1f}"
        return f"{text} ({self.mean_class:.1f} by class)" if self.mean_class else text


@lru_cache(maxsize=1)
def table() -> Mapping[str, Any]:
    """`sources` and `rows` of reported.yaml."""
    import yaml

    return yaml.safe_load(files("ferbench.leaderboard").joinpath("reported.yaml").read_text(encoding="utf-8"))


def beside(board: Board) -> list[Reported]:
    """What papers report on the board's dataset, best first; none for datasets without a paper."""
    name = str(board.identity["dataset"]["name"])  # type: ignore[index]
    if name not in DATASETS:
        return []
    dataset, classes = DATASETS[name]
    found = [_compared(row, board, classes, table()["sources"]) for row in table()["rows"] if row["dataset"] == dataset]
    return sorted(found, key=lambda r: -r.accuracy)


def _compared(row: Mapping[str, Any], board: Board, classes: str, sources: Mapping[str, str]) -> Reported:
    protocol: Any = board.identity["protocol"]
    otherwise = []

    def differs(key: str, here: object, word: str) -> None:
        if key not in row:
            otherwise.append(f"{word} not said")
        elif str(row[key]) != str(here):
            otherwise.append(f"{word}: {str(row[key]).replace('_', ' ')}")

    differs("classes", classes, "classes")
    differs("frames", protocol.get("frames"), "frames")
    differs("folds", board.rows[0].folds if board.rows else 0, "folds")
    if row["input"] != "static":
        otherwise.append("sees sequences")
    if "pretraining" in row:
        otherwise.append(f"pretrained on {row['pretraining']}")
    if row.get("selection", "last epoch") != "last epoch":
        otherwise.append(str(row["selection"]))
    otherwise += [str(row["note"])] if row.get("note") else []
    found = Reported(
        method=row["method"],
        year=row["year"],
        venue=row["venue"],
        accuracy=float(row["accuracy"]),
        mean_class=float(row.get("mean_class", 0)),
        source=sources[row["source"]],
        otherwise=tuple(otherwise),
        runs=row.get("runs", ""),
    )
    ours = next((r for r in board.rows if r.name == found.runs and r.complete), None)
    return found if ours is None else _with_gap(found, ours)


def _with_gap(found: Reported, ours: Row) -> Reported:
    score = ours.scores["accuracy"]
    mean, low, high = (100 * value - found.accuracy for value in (score.mean, score.low, score.high))
    verdict = "within the interval of ours" if low <= 0 <= high else "outside the interval of ours"
    text = f"{100 * score.mean:.1f} [{100 * score.low:.1f}, {100 * score.high:.1f}]"
    return Reported(**{**vars(found), "ours": text, "gap": f"{mean:+.1f} [{low:+.1f}, {high:+.1f}], {verdict}"})
