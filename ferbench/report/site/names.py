"""Names of files and fragments for what has a name of its own, whatever that name is."""

from __future__ import annotations

import re

from ferbench.hashing import digest
from ferbench.ranking.board import Board, Row

LONGEST = 48


def key(name: str) -> str:
    """A name of lower-case letters, digits, '_' and '-'; with a digest where that is not the name itself.

    >>> key("degan"), key("../Résumé")
    ('degan', 'r-sum-aad9ae')
    """
    plain = _plain(name)
    return plain if plain == name else f"{plain}-{digest(name, 6)}"


def board_key(board: Board) -> str:
    """'synthfaces-1f00ba12', the same in every site that has the board."""
    return f"{_plain(board.dataset)}-{board.key}"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", name.lower())[:LONGEST].strip("-") or "x"


def row_key(board: Board, row: Row) -> str:
    """Of a row on the page of its method."""
    return f"{board_key(board)}-{row.key}"
