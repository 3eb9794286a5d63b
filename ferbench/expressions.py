"""Names of expressions: one table of the words that datasets write for them.

Every dataset's labels are translated by it, so that "happy" in one dataset and "happiness" in another are one class.
"""

from __future__ import annotations

from collections.abc import Mapping

SYNONYMS: Mapping[str, frozenset[str]] = {
    "anger": frozenset({"anger", "angry", "an", "ang"}),
    "boredom": frozenset({"boredom", "bored"}),
    "calm": frozenset({"calm", "calmness", "cal"}),
    "contempt": frozenset({"contempt", "contemptuous", "con"}),
    "disgust": frozenset({"disgust", "disgusted", "di", "dis"}),
    "fear": frozenset({"fear", "fearful", "afraid", "scared", "fe", "fea"}),
    "happiness": frozenset({"happiness", "happy", "joy", "joyful", "ha", "hap"}),
    "neutral": frozenset({"neutral", "neutrality", "ne", "neu"}),
    "others": frozenset({"others", "other"}),
    "sadness": frozenset({"sadness", "sad", "sa"}),
    "surprise": frozenset({"surprise", "surprised", "su", "sur"}),
}
"""By the name that ferbench uses: the words for it, in lower case."""

_WORDS = {word: name for name, words in SYNONYMS.items() for word in words}


def canonical(label: str) -> str:
    """The name that ferbench uses for a label; the label itself, without blanks around it and in lower case, where none is known.

    >>> canonical("Happy"), canonical(" HA "), canonical("sadness"), canonical("Helpless"), canonical("3")
    ('happiness', 'happiness', 'sadness', 'helpless', '3')
    """
    word = label.strip().lower()
    return _WORDS.get(word, word)


def known(label: str) -> bool:
    """Whether the table has a label.

    >>> known("Happy"), known("3")
    (True, False)
    """
    return label.strip().lower() in _WORDS
