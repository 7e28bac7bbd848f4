"""Request ids: UUIDs in one form, so that the same id written otherwise makes no second job."""

from __future__ import annotations

import re
import uuid

_HEXADECIMAL = re.compile("[0-9a-f]{32}")


def canonical_request_id(text: str) -> str:
    """The id in small letters with hyphens; capitals, braces and `urn:uuid:` are forms of the same (RFC 9562).

    Raises:
        ValueError: it is no UUID.
    """
    digits = text.lower().removeprefix("urn:uuid:").removeprefix("{").removesuffix("}").replace("-", "")
    if not _HEXADECIMAL.fullmatch(digits):
        raise ValueError(f"request_id is {text[:50]!r}; it must be a UUID such as {uuid.UUID(int=0)}, or empty")
    return str(uuid.UUID(digits))
