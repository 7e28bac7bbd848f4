"""Values of settings that tests try: allowed ones that are not the default."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from occscene.settings import Setting

WORDS = ("a “red” room, 3 m & čüß 部屋", "--fog = 5%", "x" * 2000, 'it\'s {0} \\ "quoted"')
"""Texts with what shells, JSON, formats and option parsers might take for their own."""


def other_values(setting: Setting, highest: float = 2**31 - 1) -> st.SearchStrategy[Any]:
    """Allowed values but the default.

    Args:
        highest: of integers, where that is less than the setting's own maximum.
    """
    if setting.choices:
        found: st.SearchStrategy[Any] = st.sampled_from([choice for choice, _, _ in setting.choices])
    elif setting.type is bool:
        found = st.booleans()
    elif setting.type is str:
        letters = st.characters(codec="utf-8", exclude_categories=["C", "Z"])
        found = st.sampled_from(WORDS) | st.text(letters, min_size=1, max_size=40)
    elif setting.type is int:
        assert setting.minimum is not None
        assert setting.maximum is not None
        found = st.integers(int(setting.minimum), int(min(setting.maximum, highest)))
    else:
        found = st.floats(setting.minimum, setting.maximum, width=32)
    return found.filter(lambda value: value != setting.default)
