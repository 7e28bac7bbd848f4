"""Values from the bytes of a file, never beyond its end."""

from __future__ import annotations

import struct
from pathlib import Path

MAX_FILE_BYTES = 2**28
"""Bytes of a file of another program."""


class ByteReader:
    """Reads values one after the other.

    Args:
        data: the file.
        order: "<" for little-endian numbers, ">" for big-endian ones.

    Every method raises a ValueError where the file ends before the value does.
    """

    def __init__(self, data: bytes | memoryview, order: str = "<") -> None:
        self._data = memoryview(data)
        self._order = order
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes that are not read yet."""
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        """The next bytes."""
        return bytes(self.view(size))

    def part(self, size: int) -> ByteReader:
        """A reader of the next bytes, which are not copied."""
        return ByteReader(self.view(size), self._order)

    def view(self, size: int) -> memoryview:
        """The next bytes, not copied."""
        if not 0 <= size <= self.left:
            raise ValueError(f"the file is damaged or cut off: {size} bytes are announced where {self.left} are left")
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, kind: str) -> int:
        """A whole number of the kind that `struct` calls so."""
        value: int = struct.unpack(self._order + kind, self.view(struct.calcsize(self._order + kind)))[0]
        return value

    def int32(self) -> int:
        """A signed number of four bytes."""
        return self.number("i")

    def count(self, least_size: int) -> int:
        """A number of items of at least `least_size` bytes each that follow."""
        count = self.int32()
        if not 0 <= count * least_size <= self.left:
            raise ValueError(f"the file is damaged or cut off: {count} items are announced, {self.left} bytes are left")
        return count

    def text(self, size: int) -> str:
        """UTF-8 of that many bytes."""
        return self.take(size).decode("utf-8", "replace")


def read_bounded(path: Path) -> bytes:
    """A file's bytes.

    Raises:
        ValueError: the file is larger than 256 MiB.
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise ValueError(f"the file has {size} bytes; the limit is {MAX_FILE_BYTES}")
    return path.read_bytes()
