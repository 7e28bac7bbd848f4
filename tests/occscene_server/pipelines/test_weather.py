"""Snow and lit windows: where the words ask for them, and only there."""

from __future__ import annotations

import pytest
import torch
from occscene.taxonomy import OUTDOOR
from torch import Tensor

from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.materials import MATERIALS
from occscene_server.pipelines.weather import Weather
from occscene_server.studio.streets.weather import WEATHERS

TERRAIN, ROAD, BUILDING, PERSON = (OUTDOOR.index_of(name) for name in ("terrain", "road", "building", "person"))
PIXELS = (  # class, height of the normal, material
    (TERRAIN, 1.0, ""), (ROAD, 1.0, "asphalt"), (BUILDING, 0.0, "render"), (BUILDING, 0.75, "roof_tiles"),
    (BUILDING, 0.0, "lit_pane"), (BUILDING, 0.0, "pane"), (PERSON, 1.0, "hair"), (0, 0.0, ""),
)  # fmt: skip
LAWN, WAY, WALL, ROOF, LIT, PANE, HAIR, SKY = range(len(PIXELS))
GRAY = torch.full((1, 1, 3, 1, len(PIXELS)), -0.2)


def buffer(scenes: int = 1) -> GBuffer:
    """One row of pixels, the same in each scene."""
    count = len(PIXELS)
    labels = torch.tensor([label for label, _, _ in PIXELS]).expand(scenes, 1, 1, count)
    normal = torch.zeros(scenes, 1, 3, 1, count)
    normal[:, :, 2] = torch.tensor([up for _, up, _ in PIXELS])
    materials = torch.tensor([MATERIALS.index(name) for _, _, name in PIXELS]).expand(scenes, 1, 1, count)
    flat, none = torch.ones(scenes, 1, 1, count), torch.zeros(scenes, 1, 1, count, dtype=torch.int64)
    return GBuffer(labels, none, flat, normal, normal, flat, none, normal, normal[:, :, :2], materials)


def under(prompt: str) -> Tensor:
    """(3, pixels) of a gray view in the weather that words ask for."""
    weather = Weather.of(buffer(), [prompt])
    return weather.lit(weather.snowed(GRAY))[0, 0, :, 0]


@pytest.mark.parametrize("prompt", [*WEATHERS["snow"].words, "Snowfall at noon", "a snow-covered lane"])
def test_snow_lies_on_what_faces_up(prompt: str) -> None:
    seen = under(prompt)
    assert seen[:, LAWN].min() > 0.5
    assert -0.2 < seen[0, WAY] < seen[0, LAWN], "wheels leave less of it on roads"
    assert seen[:, ROOF].min() > 0.3
    before = GRAY[0, 0, :, 0]
    for bare in (WALL, LIT, PANE, HAIR, SKY):
        assert torch.equal(seen[:, bare], before[:, bare])
    assert seen[2, LAWN] > seen[0, LAWN], "snow under a sky is blueish"


@pytest.mark.parametrize("prompt", [*WEATHERS["dusk"].words[:2], "a street at night", "twilight, lamps lit"])
def test_windows_of_some_rooms_shine_after_dusk(prompt: str) -> None:
    seen, before = under(prompt), GRAY[0, 0, :, 0]
    assert seen[0, LIT] > 0.6
    assert seen[0, LIT] > seen[2, LIT] + 0.2, "warm"
    others = [place for place in range(len(PIXELS)) if place != LIT]
    assert torch.equal(seen[:, others], before[:, others])


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "a street on a clear day",
        "a snow-white house",
        "two street lamps on the left",
        "lamps on wooden posts",
        "windows lit by the sun",
        "a street in sunlit windows",
        "an overcast morning",
    ],
)
def test_other_words_change_nothing(prompt: str) -> None:
    assert torch.equal(under(prompt), GRAY[0, 0, :, 0])


def test_each_scene_has_its_own_weather() -> None:
    weather = Weather.of(buffer(3), ["in the snow", "a street", "at dusk"])
    assert weather.snow.flatten(1).any(1).tolist() == [True, False, False]
    assert weather.shining.flatten(1).any(1).tolist() == [False, False, True]
