"""Traffic signs by rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from occscene_server.geometry.materials import material_rows
from occscene_server.geometry.sign_plates import KINDS, sign_plates
from occscene_server.geometry.solid_meshes import solid_triangles
from occscene_server.geometry.tints import TINTS, tint_rows

SIZE = np.array([0.7, 0.06, 0.8])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.word or "other")
@pytest.mark.parametrize("turned", [False, True])
def test_plates_fill_their_box_and_face_its_thin_side(kind: object, turned: bool) -> None:
    word = kind.word  # type: ignore[attr-defined]
    size = SIZE[[1, 0, 2]] if turned else SIZE
    solids = sign_plates(size, f"a {word} sign")
    triangles, owner = solid_triangles(solids)
    rim = triangles[owner == 0].reshape(-1, 3)
    across, deep = (1, 0) if turned else (0, 1)
    np.testing.assert_allclose(np.ptp(rim, axis=0)[[across, 2]], [0.7, 0.7 if word == "priority" else 0.8], atol=0.01)
    assert np.abs(triangles[..., deep]).max() < 0.1
    for axes in solids.axes:
        assert np.linalg.det(axes) == pytest.approx(1)
    for row in range(1, len(solids)):
        own = triangles[owner == row].reshape(-1, 3)
        assert (np.abs(own[:, across]).max(), own[:, 2].max()) < (0.35, 0.4)
        assert np.abs(own[:, deep]).max() > np.abs(triangles[owner == row - 1][..., deep]).max() or row > 2


def test_words_choose_the_sign() -> None:
    faces = {words: sign_plates(SIZE, words).material[:2] for words in ("a stop sign", "A Parking sign", "", "sign 3")}
    assert faces["a stop sign"] == ("sign_red", "sign_red")
    assert faces["A Parking sign"] == ("sign_blue", "sign_blue")
    assert faces[""] == faces["sign 3"] == ("sign_red", "sign_white")
    assert sign_plates(SIZE, "a no parking sign").material[:2] == ("sign_red", "sign_blue")


def test_a_warning_sign_is_a_triangle() -> None:
    solids = sign_plates(SIZE, "a warning sign")
    corners = solid_triangles(solids)[0].reshape(-1, 3)
    top, bottom = corners[corners[:, 2] > 0.35], corners[corners[:, 2] < -0.35]
    assert np.ptp(top[:, 0]) < 0.1
    assert np.ptp(bottom[:, 0]) > 0.6


def test_their_materials_have_tints() -> None:
    rows = torch.from_numpy(material_rows(["sign_red", "sign_blue", "car_paint", "rubber"]).astype(np.int64))
    tints = tint_rows(rows, torch.tensor([1, 2, 3, 4]))
    assert (tints > 0).tolist() == [True, True, False, True]
    red, blue, black = (TINTS[int(tints[place]) - 1] for place in (0, 1, 3))
    assert red.argmax() == 0
    assert blue.argmax() == 2
    assert black.max() < -0.7


def test_several_tints_of_a_material_belong_to_objects() -> None:
    skin = torch.full((40,), int(material_rows(["skin"])[0]))
    rows = tint_rows(skin, torch.arange(40))
    assert len(rows.unique()) > 2
    torch.testing.assert_close(tint_rows(skin, torch.arange(40)), rows)
