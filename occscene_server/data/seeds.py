"""Ranges of seeds as they are written on the command line and in recipes."""

from __future__ import annotations


def seed_range(text: str) -> range:
    """FIRST:END or FIRST:END:STEP, END not included.

    Raises:
        ValueError: it is neither.
    """
    numbers = [int(number) if number.isdigit() else -1 for number in text.split(":")]
    if len(numbers) not in (2, 3) or min(numbers) < 0 or numbers[0] >= numbers[1] or numbers[2:] == [0]:
        raise ValueError("it must be FIRST:END or FIRST:END:STEP with FIRST below END, for example 0:400")
    return range(*numbers)
