"""Sentences about one thing or many."""

from __future__ import annotations

FORMS = {
    "s": ("", "s"), "es": ("", "es"), "they": ("it", "they"), "are": ("is", "are"), "were": ("was", "were"),
    "have": ("has", "have"), "do": ("does", "do"), "belong": ("belongs", "belong"), "hold": ("holds", "hold"),
    "lack": ("lacks", "lack"), "lie": ("lies", "lie"), "show": ("shows", "show"),
}  # fmt: skip
"""By mark: what stands for it where there is one thing, and where there are several."""


def counted(count: int, sentence: str) -> str:
    """A sentence in which {count} is the number of things, and marks of `FORMS` are in the form for it.

    >>> counted(1, "{count} image{s} {are} missing"), counted(2, "{count} image{s} {are} missing")
    ('1 image is missing', '2 images are missing')
    """
    for mark, (one, many) in FORMS.items():
        sentence = sentence.replace(f"{{{mark}}}", one if count == 1 else many)
    return sentence.replace("{count}", str(count))
