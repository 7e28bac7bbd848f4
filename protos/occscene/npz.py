"""Bounded reading of `.npz` and `.npy` files: nothing is unpacked before its declared type and size are allowed."""

from __future__ import annotations

import math
import re
import struct
import zipfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = b"\x93NUMPY"
_HEADER = re.compile(
    rb"\{'descr': '(?P<dtype>[<>|][a-zA-Z]\d{1,6})', 'fortran_order': (?P<order>True|False), "
    rb"'shape': \((?P<shape>(?:\d{1,10}(?:, \d{1,10})*,?)?)\), \}\s*"
)
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, struct.error, NotImplementedError, RuntimeError)
"""What zipfile raises on a damaged or unusual archive."""


class NpzReader:
    """An open `.npz` file, as a context manager.

    Unlike `np.load` it reads plain arrays only (no pickles, no records), compares type and size with what the caller
    allows before it allocates, and turns every kind of damage into a ValueError that names the file.

    Raises:
        ValueError: the file is not an .npz file.
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        file = path.open("rb")
        try:
            self._archive = zipfile.ZipFile(file)
        except (*_DAMAGE, ValueError) as error:
            file.close()
            raise ValueError(f"{path} is not an .npz file") from error
        self._file = file

    def __enter__(self) -> NpzReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()
        self._file.close()

    def __contains__(self, name: str) -> bool:
        return f"{name}.npy" in self._archive.NameToInfo

    def require(self, *names: str) -> None:
        """Raises a ValueError unless all of these arrays are there."""
        missing = [name for name in names if name not in self]
        if missing:
            raise ValueError(f"{self._path} lacks {', '.join(missing)}")

    def shape(self, name: str) -> tuple[int, ...]:
        """The declared shape of an array."""
        with self._open(name) as member:
            return _read_header(member, f"{self._path}: {name}")[1]

    def read(self, name: str, kinds: str, max_bytes: int) -> NDArray[Any]:
        """Reads an array.

        Args:
            name: of the array.
            kinds: numpy's letters for the kinds of number that are allowed, such as "u" or "fiu".
            max_bytes: of the whole array.

        Raises:
            ValueError: another kind, too large, or damaged.
        """
        with self._open(name) as member:
            return _read_array(member, f"{self._path}: {name}", kinds, max_bytes)

    def _open(self, name: str) -> Any:
        field = f"{self._path}: {name}"
        info = self._archive.NameToInfo[f"{name}.npy"]
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # zipfile unpacks the others without a bound
            raise ValueError(f"{field} is compressed by method {info.compress_type}; it must be stored or deflated")
        try:
            return self._archive.open(info)
        except (*_DAMAGE, ValueError) as error:
            raise ValueError(f"{field} is damaged: {error}") from error


def read_npy(path: Path, kinds: str, max_bytes: int) -> NDArray[Any]:
    """Reads the array of an `.npy` file, as `NpzReader.read` reads one of several.

    Raises:
        ValueError: not such a file, another kind, too large, or damaged.
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        return _read_array(file, str(path), kinds, max_bytes)


def _read_array(member: Any, field: str, kinds: str, max_bytes: int) -> NDArray[Any]:
    """The array of an open .npy file."""
    dtype, shape, order = _read_header(member, field)
    if dtype.kind not in kinds:
        allowed = ", ".join(_KIND_NAMES[kind] for kind in kinds)
        raise ValueError(f"{field} has dtype {dtype}; it must be {allowed}")
    size = math.prod(shape) * dtype.itemsize
    if size > max_bytes:
        raise ValueError(f"{field} of shape {shape} and dtype {dtype} has {size} bytes; the limit is {max_bytes}")
    try:
        raw = bytearray(size)
        filled = 0
        while filled < size and (count := member.readinto(memoryview(raw)[filled:])):
            filled += count
        more = member.read(1)  # at its end an archive compares the checksum
    except _DAMAGE as error:
        raise ValueError(f"{field} is damaged: {error}") from error
    if filled < size or more:
        held = f"more than {filled}" if more else f"only {filled}"
        raise ValueError(f"{field} holds {held} bytes; its shape {shape} takes {size}")
    array = np.frombuffer(raw, dtype).reshape(shape, order="F" if order else "C")
    return array.astype(dtype.newbyteorder("="), copy=False)


def _read_header(member: Any, field: str) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    """Type, shape and whether the first axis varies fastest, from the .npy header at the beginning."""
    try:
        start = member.read(8)
        length_size = 2 if start[6:7] == b"\x01" else 4
        length = int.from_bytes(member.read(length_size), "little")
        text = member.read(min(length, 2**16))
    except _DAMAGE as error:
        raise ValueError(f"{field} is damaged: {error}") from error
    match = _HEADER.fullmatch(text) if start[:6] == _MAGIC else None
    if match is None:
        raise ValueError(f"{field} is not a plain array of numbers or text")
    shape = tuple(int(side) for side in re.findall(rb"\d+", match["shape"]))
    try:
        dtype = np.dtype(match["dtype"].decode())
    except TypeError as error:
        raise ValueError(f"{field} is not a plain array of numbers or text: {error}") from error
    return dtype, shape, match["order"] == b"True"


_KIND_NAMES = {"u": "unsigned integers", "i": "integers", "f": "floats", "b": "booleans", "U": "text"}
