"""What is said of volumes that are larger than models know."""

from __future__ import annotations

from dataclasses import replace

import pytest
from occscene.volumes import beyond_usual, default_volume


@pytest.mark.parametrize(
    ("shape", "is_larger"),
    [((256, 256, 32), False), ((100, 256, 8), False), ((512, 256, 32), True), ((256, 257, 32), True),
     ((256, 256, 33), True)],
)  # fmt: skip
def test_streets_longer_than_a_block_are_named(shape: tuple[int, int, int], is_larger: bool) -> None:
    text = beyond_usual(replace(default_volume("outdoor"), shape=shape), "outdoor")
    assert bool(text) == is_larger
    if is_larger:
        assert f"{' x '.join(map(str, shape))} voxels, more than the 256 x 256 x 32 of outdoor models" in text


def test_a_room_may_lie_along_either_axis() -> None:
    assert not beyond_usual(replace(default_volume("indoor"), shape=(40, 60, 36)), "indoor")
    assert beyond_usual(replace(default_volume("indoor"), shape=(40, 61, 36)), "indoor")
