"""Numbers of objects in messages."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number with its noun in the singular or the plural: 1 view, 2 views."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
