"""The framing of messages on the pipes."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_LENGTHS = struct.Struct("<IQ")
MAX_HEAD_BYTES = 64 * 2**20
MAX_BODY_BYTES = 2**28
"""Labels and instances of the largest grid are 3 * 2^25 bytes, the largest mesh 78 million."""


@dataclass(frozen=True)
class Message:
    """One message: a JSON object and bytes."""

    head: dict[str, Any]
    body: bytes = b""


def encode_message(message: Message) -> bytes:
    """The bytes of a message on a pipe."""
    head = json.dumps(message.head, separators=(",", ":")).encode()
    return _LENGTHS.pack(len(head), len(message.body)) + head + message.body


class MessageDecoder:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        """Starts with nothing read."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yields the messages that are complete with `data`.

        Raises:
            ValueError: the bytes are not messages.
        """
        self._buffer += data
        while len(self._buffer) >= _LENGTHS.size:
            head_size, body_size = _LENGTHS.unpack_from(self._buffer)
            if head_size > MAX_HEAD_BYTES or body_size > MAX_BODY_BYTES:
                raise ValueError(f"a message claims {head_size} + {body_size} bytes; what came is not a message")
            end = _LENGTHS.size + head_size + body_size
            if len(self._buffer) < end:
                return
            head = json.loads(self._buffer[_LENGTHS.size : _LENGTHS.size + head_size])
            body = bytes(self._buffer[_LENGTHS.size + head_size : end])
            del self._buffer[:end]
            yield Message(head, body)
