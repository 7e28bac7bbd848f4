"""What was computed of the parts of a scene, kept for when the scene comes again with most of them unchanged.

A scene is drawn again and again while an artist works on it. What is kept is found by content, so that it is the same,
byte for byte, as what would be computed anew.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """Values by what they were computed from; the ones not used for longest are dropped.

    Args:
        most: sum of the weights of the values that are kept; a heavier one is not.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._total = 0
        self._values: dict[bytes, tuple[Value, int]] = {}

    def get(self, key: bytes, compute: Callable[[], Value], weight: int = 1) -> Value:
        """The value of a key, computed if it is not there."""
        known = self._values.pop(key, None)
        if known is not None:
            self._values[key] = known  # the last one used is the last one dropped
            return known[0]
        value = compute()
        if weight <= self._most:
            self._values[key] = value, weight
            self._total += weight
        while self._total > self._most:
            self._total -= self._values.pop(next(iter(self._values)))[1]
        return value


def content_key(*values: NDArray[Any] | str) -> bytes:
    """Of arrays, with their shapes and types, and texts; equal for equal ones."""
    digest = blake2b(digest_size=16)
    for value in values:
        if isinstance(value, str):
            digest.update(f"{len(value)} {value}".encode())
        else:
            digest.update(f"{value.shape} {value.dtype.str}".encode())
            digest.update(np.ascontiguousarray(value).data)
    return digest.digest()
