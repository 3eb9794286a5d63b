"""Numbers that datasets write for expressions."""

from __future__ import annotations

from collections.abc import Mapping

CODES: Mapping[str, Mapping[int, str]] = {
    "affectnet": dict(
        enumerate(("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"))
    ),
    "ckplus": dict(enumerate(("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise"))),
    "fer2013": dict(enumerate(("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"))),
    "ferplus": dict(enumerate(("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"))),
    "mmi": dict(enumerate(("anger", "disgust", "fear", "happiness", "sadness", "surprise"), 1)),
    "rafdb": dict(enumerate(("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"), 1)),
}
"""Numbers that datasets write for expressions, by dataset. The same number means different ones: 3 is happiness in FER2013, disgust
in CK+, surprise in AffectNet."""
