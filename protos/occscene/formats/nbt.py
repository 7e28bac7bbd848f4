"""Minecraft's named binary tags (NBT), gzipped or not, read within bounds and written.

A compound becomes a dict, numbers and strings themselves, a list a list, an array a numpy array of big-endian numbers.
Source: the format's description at minecraft.wiki/w/NBT_format.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Collection
from typing import Any

import numpy as np

from occscene.formats.byte_reader import ByteReader

_MAX_BYTES = 2**28
"""Of an unpacked file."""

_MAX_USED, _MAX_TAGS = 2**19, 2**22
"""Tags that are kept, and all; those of chests and animals are passed over."""

_MAX_DEPTH = 64

_END, _BYTE, _SHORT, _INT, _LONG, _FLOAT, _DOUBLE, _BYTES, _STRING, _LIST, _COMPOUND, _INTS, _LONGS = range(13)
_NUMBERS = {_BYTE: "b", _SHORT: "h", _INT: "i", _LONG: "q"}
_FLOATS = {_FLOAT: "f", _DOUBLE: "d"}
_ARRAYS = {_BYTES: ">i1", _INTS: ">i4", _LONGS: ">i8"}
_SIZES = {_BYTE: 1, _SHORT: 2, _INT: 4, _LONG: 8, _FLOAT: 4, _DOUBLE: 8}


def read_nbt(data: bytes, unused: Collection[str]) -> dict[str, Any]:
    """The root compound of a file.

    Args:
        data: the file.
        unused: names of tags that are passed over.

    Raises:
        ValueError: not such a file, damaged, or larger than the limits.
    """
    if data[:2] == b"\x1f\x8b":
        unpacker = zlib.decompressobj(wbits=31)
        try:
            unpacked = unpacker.decompress(data, _MAX_BYTES)
        except zlib.error as error:
            raise ValueError(f"the file is damaged: {error}") from error
        if unpacker.unconsumed_tail:
            raise ValueError(f"the file unpacks to more than {_MAX_BYTES} bytes, which is the limit")
        if not unpacker.eof:
            raise ValueError("the file is cut off")
        data = unpacked
    tags = _Tags(ByteReader(data, ">"), frozenset(unused))
    if not data or data[0] != _COMPOUND:
        raise ValueError("not a file of Minecraft's named binary tags: it does not begin with a compound")
    return tags.root()


class _Tags:
    def __init__(self, reader: ByteReader, unused: frozenset[str]) -> None:
        self._reader = reader
        self._unused = unused
        self._count = self._used = 0

    def root(self) -> dict[str, Any]:
        self._reader.number("b")
        self._string()
        value: dict[str, Any] = self._value(_COMPOUND, 0, True)
        return value

    def _string(self) -> str:
        return self._reader.text(self._reader.number("H"))

    def _value(self, kind: int, depth: int, is_used: bool) -> Any:
        """The next value; what is not used is passed over and None."""
        self._count += 1
        self._used += is_used
        if self._used > _MAX_USED or self._count > _MAX_TAGS or depth > _MAX_DEPTH:
            raise ValueError(
                f"the file has more than {_MAX_USED} tags of the scene, {_MAX_TAGS} in all, or {_MAX_DEPTH} levels"
            )
        if kind in _NUMBERS:
            return self._reader.number(_NUMBERS[kind])
        if kind in _FLOATS:
            return struct.unpack(f">{_FLOATS[kind]}", self._reader.view(_SIZES[kind]))[0]
        if kind == _STRING:
            return self._string()
        if kind in _ARRAYS:
            dtype = np.dtype(_ARRAYS[kind])
            return np.frombuffer(self._reader.view(self._reader.count(dtype.itemsize) * dtype.itemsize), dtype)
        if kind == _LIST:
            return self._list(depth, is_used)
        if kind == _COMPOUND:
            return self._compound(depth, is_used)
        raise ValueError(f"the file is damaged: there is no tag of the kind {kind}")

    def _list(self, depth: int, is_used: bool) -> list[Any] | None:
        kind = self._reader.number("b")
        if kind == _END:
            self._reader.int32()  # an empty list may have no kind
            return [] if is_used else None
        size = _SIZES.get(kind, 1)
        count = self._reader.count(size)
        if not is_used and kind in _SIZES:
            self._reader.view(count * size)
            return None
        values = []
        for _ in range(count):
            value = self._value(kind, depth + 1, is_used)
            if is_used:
                values.append(value)
        return values if is_used else None

    def _compound(self, depth: int, is_used: bool) -> dict[str, Any] | None:
        values = {}
        while (kind := self._reader.number("b")) != _END:
            name = self._string()
            wanted = is_used and name not in self._unused
            value = self._value(kind, depth + 1, wanted)
            if wanted:
                values[name] = value
        return values if is_used else None


def write_nbt(name: str, root: dict[str, Any]) -> bytes:
    """A gzipped file; int is written as an int tag, `np.int16` as a short, float as a double, uint8 arrays as bytes."""
    return gzip.compress(bytes([_COMPOUND]) + _packed_text(name) + _packed(root)[1], mtime=0)


def _packed(value: Any) -> tuple[int, bytes]:
    """The kind of a value and its bytes."""
    if isinstance(value, dict):
        parts = [(key, *_packed(item)) for key, item in value.items()]
        return _COMPOUND, b"".join(bytes([kind]) + _packed_text(key) + data for key, kind, data in parts) + b"\0"
    if isinstance(value, np.ndarray):
        return _BYTES, struct.pack(">i", value.size) + value.astype(np.uint8).tobytes()
    if isinstance(value, np.int16):
        return _SHORT, struct.pack(">h", value)
    if isinstance(value, float):
        return _DOUBLE, struct.pack(">d", value)
    if isinstance(value, list):
        return _LIST, bytes([_INT]) + struct.pack(f">i{len(value)}i", len(value), *value)
    if isinstance(value, str):
        return _STRING, _packed_text(value)
    return _INT, struct.pack(">i", value)


def _packed_text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">H", len(data)) + data
