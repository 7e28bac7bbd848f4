"""The default rig: every camera stands inside the volume, level, and sees its middle."""

from __future__ import annotations

import numpy as np
import pytest
from occscene.grid import GridVolume
from occscene.layout import Layout, LayoutObject, LayoutRoom
from occscene.placed_layout import PlacedLayout
from occscene.rig import default_rig, room_rig, street_rig
from occscene.volumes import default_volume


def turned_volume() -> GridVolume:
    """A volume that is turned about the vertical and stands away from the world's origin."""
    pose = np.eye(4)
    pose[:2, :2] = [[0.6, -0.8], [0.8, 0.6]]
    pose[:3, 3] = (3.0, -2.0, 1.0)
    return GridVolume((40, 60, 30), 0.1, pose)


@pytest.mark.parametrize("volume", [default_volume("indoor"), default_volume("outdoor"), turned_volume()])
@pytest.mark.parametrize(("views", "size"), [(1, (256, 256)), (4, (320, 192)), (16, (64, 128))])
def test_cameras_see_the_middle(volume: GridVolume, views: int, size: tuple[int, int]) -> None:
    sides = np.array(volume.shape) * volume.voxel_size
    middle = (volume.world_from_grid @ [sides[0] / 2, sides[1] / 2, 0.3 * sides[2], 1.0])[:3]
    rig = default_rig(volume, views, *size)
    assert [camera.name for camera in rig] == [str(index + 1) for index in range(views)]
    for camera in rig:
        eye = np.linalg.inv(volume.world_from_grid) @ camera.world_from_camera[:, 3]
        assert (eye[:3] > 0).all()
        assert (eye[:3] < sides).all()
        assert camera.world_from_camera[2, 0] == pytest.approx(0, abs=1e-12)  # level
        (x, y), depth = camera.project(middle)
        assert depth > 0
        assert 0 < x < size[0]
        assert 0 < y < size[1]


def test_four_cameras_stand_in_the_corners() -> None:
    eyes = np.array([camera.world_from_camera[:2, 3] for camera in default_rig(default_volume("indoor"))])
    assert np.allclose(np.abs(eyes), 0.3 * 4.8)
    assert len({(x > 0, y > 0) for x, y in eyes}) == 4


@pytest.mark.parametrize(
    "volume", [default_volume("outdoor"), GridVolume((200, 160, 40), 0.25, turned_volume().world_from_grid)]
)
def test_cameras_of_a_street_stand_in_it_and_look_along_it(volume: GridVolume) -> None:
    sides = np.array(volume.shape) * volume.voxel_size
    rig = street_rig(volume, 320, 192)
    assert [camera.name for camera in rig] == ["1", "2", "3", "4", "5"]
    along = volume.world_from_grid[:3, 0]
    for camera in rig:
        eye = np.linalg.inv(volume.world_from_grid) @ camera.world_from_camera[:, 3]
        assert (eye[:3] > 0).all()
        assert (eye[:3] < sides).all()
        assert camera.world_from_camera[:3, 2] @ along > 0.5
        assert camera.world_from_camera[2, 0] == pytest.approx(0, abs=1e-12)  # level
    heights = [camera.world_from_camera[2, 3] for camera in rig]
    assert np.argmax(heights) == 4


def test_cameras_of_a_room_stand_in_its_corners_out_of_what_stands_there() -> None:
    pose = np.eye(4)
    pose[:3, 3] = (7.0, 1.0, 0.0)
    wardrobe = LayoutObject("wardrobe", "furn", (1.5, 1.5, 1.0), (1.0, 0.6, 2.0))
    low_bed = LayoutObject("bed", "bed", (-1.0, -1.0, 0.3), (1.6, 2.0, 0.6))
    placed = PlacedLayout(Layout("indoor", LayoutRoom((4.0, 3.6, 2.5)), (wardrobe, low_bed)), pose)
    rig = room_rig(placed, width=256, height=256)
    eyes = np.array([camera.world_from_camera[:3, 3] for camera in rig]) - pose[:3, 3]
    assert [camera.name for camera in rig] == ["1", "2", "3", "4"]
    np.testing.assert_allclose(eyes[1:, :2], [(-1.65, 1.45), (-1.65, -1.45), (1.65, -1.45)], atol=1e-9)
    assert (np.abs(eyes[0, :2] - wardrobe.center[:2]) > np.array(wardrobe.size[:2]) / 2).any()
    assert (np.abs(eyes[:, :2]) < (2.0, 1.8)).all()
    for camera in rig:
        (x, y), depth = camera.project(np.array([7.0, 1.0, 0.75]))
        assert depth > 0
        assert (x, y) == pytest.approx((128, 128), abs=1e-6)
