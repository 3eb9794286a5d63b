"""Published figures beside a board: in what their protocol differs, and how far what was run here is from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ferbench.cards import DatasetCard, PublishedResult
from ferbench.ranking.board import Board, Row

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


def beside(board: Board, results: Iterable[PublishedResult], datasets: Mapping[str, DatasetCard]) -> list[Reported]:
    """What papers report on the board's dataset, best first; none where no card says what papers call it.

    Args:
        results: of all plugins. datasets: cards by name.
    """
    card = None if board.identity is None else datasets.get(board.identity.dataset.name)
    if card is None or not card.known_as:
        return []
    found = [_compared(result, board, card) for result in results if result.dataset == card.known_as]
    return sorted(found, key=lambda r: -r.accuracy)


def _compared(result: PublishedResult, board: Board, card: DatasetCard) -> Reported:
    found = Reported(
        method=result.method,
        year=result.year,
        venue=result.venue,
        accuracy=result.accuracy,
        mean_class=result.mean_class,
        source=result.source,
        otherwise=tuple(_otherwise(result, board, card)),
        runs=result.runs,
    )
    ours = next((r for r in board.rows if r.name == found.runs and r.complete), None)
    return found if ours is None else _with_gap(found, ours)


def _otherwise(result: PublishedResult, board: Board, card: DatasetCard) -> Iterator[str]:
    """In what the protocol differs from the board's, or is not said."""
    assert board.identity is not None
    here = {
        "classes": card.classes,
        "frames": board.identity.protocol.settings.get("frames"),
        "folds": board.rows[0].fold_count if board.rows else 0,
    }
    for name, value in here.items():
        theirs = str(getattr(result, name))
        if not theirs:
            yield f"{name} not said"
        elif theirs != str(value):
            yield f"{name}: {theirs.replace('_', ' ')}"
    if result.sequences:
        yield "sees sequences"
    if result.pretraining:
        yield f"pretrained on {result.pretraining}"
    if result.selection and result.selection != "last epoch":
        yield result.selection
    if result.note:
        yield result.note


def _with_gap(found: Reported, ours: Row) -> Reported:
    score = ours.scores["accuracy"]
    mean, low, high = (100 * value - found.accuracy for value in (score.mean, score.low, score.high))
    verdict = "within the interval of ours" if low <= 0 <= high else "outside the interval of ours"
    text = f"{100 * score.mean:.1f} [{100 * score.low:.1f}, {100 * score.high:.1f}]"
    return Reported(**{**vars(found), "ours": text, "gap": f"{mean:+.1f} [{low:+.1f}, {high:+.1f}], {verdict}"})
