"""What became of submitted records: a row has the worst status of its records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ferbench.ranking.board import Board
from ferbench.records.store import UNREADABLE

DISPUTED, SUBMITTED, RERUN = "disputed", "submitted", "re-run"
ORDER = (DISPUTED, UNREADABLE, SUBMITTED, RERUN)
"""From the worst to the best."""


def mark(boards: Sequence[Board], status: Mapping[str, str]) -> None:
    """Give each row the worst status of its records; status: by trial."""
    for board in boards:
        for row in board.rows:
            found = {status[trial] for trial in row.trials if trial in status}
            row.submission_status = next((name for name in ORDER if name in found), "")
