"""Images that would lose what is in them on their way to 8 bits a channel are refused."""

from __future__ import annotations

import struct
import zlib

import pytest

from occscene_server.api.validation import check_request
from tests.occscene_server.requests import predict_request


def png(bits: int, color: int, channels: int) -> bytes:
    """A black PNG of 64 x 64 pixels without a palette."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, bits, color, 0, 0, 0))
    rows = zlib.compress(bytes(64 * (1 + 64 * channels * bits // 8)))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (png(16, 2, 3), "has 16 bits a channel; it must have 8: save it with 8 bits"),
        (png(16, 0, 1), "has 16 bits a channel; it must have 8: save it with 8 bits"),
        (png(8, 3, 1), "is not a whole PNG file: it has colors of a palette, but no palette"),
        (png(8, 2, 3), ""),
        (png(8, 6, 4), ""),
        (png(8, 0, 1), ""),
    ],
)
def test_pictures_of_other_depths_and_without_their_palette_are_refused(data: bytes, says: str) -> None:
    request = predict_request()
    request.predict_occupancy.images[0].data = data
    violations = check_request(request)
    assert [item.description for item in violations] == ([f"predict_occupancy.images[0].data {says}"] if says else [])
