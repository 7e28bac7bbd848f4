"""What the files of a scene's views are called, the same on every system."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

MAX_STEM_BYTES = 120
"""Of the camera's part of a file's name, in UTF-8: the whole fits where names have 143 bytes, with what is appended
while it is written."""

_KEPT = frozenset("-_. ")


def view_files(cameras: Sequence[str]) -> tuple[str, ...]:
    """`view_NAME.png` for each camera's name, in their order; the same names always give the same files.

    A name keeps its letters, marks and digits of any script, spaces, dots, hyphens and underscores; all else becomes
    an underscore. No two files are the same to a file system that ignores case or the form of accents. Where two would
    be, the later gets a number, but a name that needs no change comes before one that does.
    """
    stems = [_stem(name) for name in cameras]
    files: dict[int, str] = {}
    taken: set[str] = set()
    for index, stem in enumerate(stems):
        if stem == cameras[index] and _folded(stem) not in taken:
            files[index] = stem
            taken.add(_folded(stem))
    for index, stem in enumerate(stems):
        number, unique = 1, files.get(index, stem)
        while index not in files and _folded(unique) in taken:
            number += 1
            unique = f"{stem}_{number}"
        files[index] = unique
        taken.add(_folded(unique))
    return tuple(f"view_{files[index]}.png" for index in range(len(stems)))


def _stem(name: str) -> str:
    """The part of a file's name that stands for a camera."""
    composed = unicodedata.normalize("NFC", name)
    kept = "".join(c if c in _KEPT or unicodedata.category(c)[0] in "LMN" else "_" for c in composed)
    short = kept.encode()[:MAX_STEM_BYTES].decode("utf-8", "ignore")
    return short.strip(" ").rstrip(" .") or "_"


def _folded(stem: str) -> str:
    """Equal for names that some file system holds for the same: those of any case, and of any form of accents."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", stem).casefold())
