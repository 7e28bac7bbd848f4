"""Where the sun is: as the words say, and in rooms outside the largest window."""

from __future__ import annotations

import numpy as np
import pytest
from occscene.mesh import TriangleMesh
from occscene.part_shapes import part_shape, triangulated
from occscene.taxonomy import INDOOR, OUTDOOR

from occscene_server.pipelines.sun import scene_sun, sun_height
from occscene_server.studio.moods import LIGHTINGS
from occscene_server.studio.prompt import LIGHT_WORDS
from occscene_server.studio.streets.weather import WEATHERS

NOTHING = TriangleMesh(np.eye(3), np.array([[0, 1, 2]]), np.ones(1, np.uint8), np.ones(1, np.uint16))


def test_words_of_the_studio_say_how_high_its_sun_is() -> None:
    for weather in WEATHERS.values():
        heights = {sun_height(f"a street of houses {words}, an oak tree") for words in weather.words}
        assert len(heights) == 1, weather.words
        height = heights.pop()
        if weather.sun is None:
            assert height is None
        else:
            assert height is not None
            assert weather.sun[0] <= height <= weather.sun[1]
    for light, words in LIGHT_WORDS.items():
        heights = {sun_height(f"a modern study with white walls, {phrase}") for phrase in words}
        mood = LIGHTINGS[light]
        if mood.sun == 0:
            assert heights == {None}, light
        else:
            assert all(height == pytest.approx(mood.sun_elevation, abs=4) for height in heights), light


@pytest.mark.parametrize(
    "prompt",
    [
        "", "a red sofa", "a sunflower in a vase", "a golden lamp on a nightstand", "at night, the sunny side is dark",
        "an overcast morning", "a sunny street, lamps on", "sunny, lamps on and",
        "sun, a lamp on, dusk", "Rainy street, no sun", "a street in the fog",
    ],
)  # fmt: skip
def test_other_words_say_nothing_of_a_sun(prompt: str) -> None:
    assert sun_height(prompt) is None


@pytest.mark.parametrize(
    ("prompt", "height"),
    [
        ("Sunny!", 42.0), ("a snow-white wall in bright sunshine", 42.0), ("BLUE SKY", 42.0), ("at sunset", 13.0),
        ("two street lamps on the left, on a clear day", 42.0), ("lamps on wooden posts, in bright sunshine", 42.0),
        ("a lamp on both sides, low sun", 13.0),
        ("in the golden hour", 13.0), ("a morning in the kitchen", 26.0), ("a nightstand in the midday sun", 42.0),
    ],
)  # fmt: skip
def test_an_artists_words(prompt: str, height: float) -> None:
    assert sun_height(prompt) == height


def test_the_seed_turns_the_sun_of_a_street() -> None:
    suns = [scene_sun("a sunny street", seed, NOTHING, OUTDOOR.name) for seed in range(20)]
    turns = [np.arctan2(sun[1], sun[0]) for sun in suns if sun is not None]
    assert len(turns) == 20
    assert np.std(turns) > 1.0
    for sun in suns:
        assert sun is not None
        assert np.linalg.norm(sun) == pytest.approx(1.0)
        assert np.degrees(np.arcsin(sun[2])) == pytest.approx(42.0)
    again = scene_sun("a sunny street", 3, NOTHING, OUTDOOR.name)
    assert again is not None
    np.testing.assert_array_equal(again, suns[3])
    assert scene_sun("an overcast street", 3, NOTHING, OUTDOOR.name) is None


@pytest.mark.parametrize("outward", [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.6, -0.8)])
def test_the_sun_of_a_room_is_outside_its_largest_window(outward: tuple[float, float]) -> None:
    """A small window looks to the other side; floor and furniture lie around the origin."""
    vertices, faces = part_shape("box", np.ones(3))
    unit = vertices[triangulated(faces)]
    turn = np.array([[outward[0], -outward[1], 0.0], [outward[1], outward[0], 0.0], [0.0, 0.0, 1.0]])
    large = (unit * (0.1, 1.6, 1.2) + (2.0, 0.3, 1.4)) @ turn.T
    small = (unit * (0.1, 0.5, 0.5) + (-2.0, 0.0, 1.4)) @ turn.T
    floor = (unit * (4.0, 4.0, 0.1)) @ turn.T
    labels = [INDOOR.index_of(name) for name in ("window", "window", "floor")]
    corners = np.concatenate([large, small, floor])
    mesh = TriangleMesh(
        corners.reshape(-1, 3),
        np.arange(3 * len(corners)).reshape(-1, 3),
        np.repeat(np.array(labels, np.uint8), len(unit)),
        np.repeat(np.arange(1, 4, dtype=np.uint16), len(unit)),
    )
    for seed in range(6):
        sun = scene_sun("a study in the morning sun", seed, mesh, INDOOR.name)
        assert sun is not None
        assert np.degrees(np.arcsin(sun[2])) == pytest.approx(26.0)
        across = sun[:2] @ outward / np.linalg.norm(sun[:2])
        assert 15 <= np.degrees(np.arccos(across)) <= 45.01
    assert scene_sun("a study in the morning sun", 0, NOTHING, INDOOR.name) is None, "a room without windows"
