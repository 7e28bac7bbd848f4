"""G-buffer maps of small scenes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from occscene.layout import LayoutPart
from occscene.mesh import TriangleMesh

from occscene_server.geometry.cameras import CameraTensors, pixel_rays
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.gbuffer_maps import gbuffer_channels, gbuffer_maps, render_gbuffer_maps
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.mesh_gbuffer import RayScene
from occscene_server.geometry.raymarch import NO_FACE, first_hit_ref
from occscene_server.geometry.solid_meshes import solid_triangles
from occscene_server.geometry.solids import Solids
from tests.occscene_server.geometry.random_scenes import SIZES, random_scene

CLASSES = 5


def _wall_ahead() -> tuple[GridTensors, CameraTensors]:
    """A camera that looks along +x at a wall of two objects, 2 m away; the upper half is open."""
    labels = np.zeros((8, 8, 8), np.uint8)
    labels[6, :, :4] = 3
    instances = np.where(labels > 0, 7, 0).astype(np.uint16)
    instances[6, 4:, :4] = 9
    objects = (GridObject(7, "left", (0.5, 0.0, 1.0)), GridObject(9, "right"))
    grid = SemanticGrid(labels, 0.5, np.eye(4), "indoor", instances, objects)
    pose = np.eye(4)
    pose[:3, :3] = np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]]).T  # right is -y, down is -z, forward is +x
    pose[:3, 3] = [1.0, 2.0, 2.0]
    camera = PinholeCamera("c", 64, 64, 64.0, 64.0, 32.0, 32.0, pose)
    return GridTensors.from_grids([grid]), CameraTensors.from_cameras([[camera]])


def test_a_wall_is_drawn_as_it_stands() -> None:
    gbuffer = render_gbuffer_maps(*_wall_ahead(), size=(8, 8), classes=CLASSES)
    assert gbuffer.channels.shape == (1, 1, gbuffer_channels(CLASSES), 8, 8)
    classes, normals, nearness, hit, edge, color, mask = gbuffer.channels[0, 0].split([CLASSES, 6, 1, 1, 1, 3, 1])
    lower = torch.zeros(8, 8)
    lower[4:] = 1
    torch.testing.assert_close(classes[3], lower)
    torch.testing.assert_close(classes[0], 1 - lower)
    torch.testing.assert_close(normals[0], lower)  # the wall's face looks along -x
    assert normals[1:].sum() == 0
    torch.testing.assert_close(nearness[0], lower / 3)  # 1 / (1 + 2 m)
    torch.testing.assert_close(hit[0], lower)
    # Right in the image is towards -y, so object 7 fills the right half.
    assert mask[0, 4:, 4:].all()
    assert not mask[0, :, :4].any()
    torch.testing.assert_close(color[:, 7, 7], torch.tensor([0.4707, -1.0, 1.0]), atol=1e-3, rtol=0)
    assert edge[0, 4:, 3].all()  # between the objects
    assert edge[0, 3, :].all()  # between wall and nothing
    assert edge.sum() == 12
    depth = gbuffer.depth[0, 0]
    torch.testing.assert_close(depth[4:], torch.full((4, 8), 2.0))
    assert torch.isinf(depth[:4]).all()


def test_a_wall_is_projected_along_itself_and_upwards() -> None:
    gbuffer = render_gbuffer_maps(*_wall_ahead(), size=(8, 8), classes=CLASSES)
    _, y, z = gbuffer.points[0, 0]
    torch.testing.assert_close(gbuffer.surface[0, 0, :, 4:], torch.stack([y, z])[:, 4:])
    assert y[4:].unique().numel() > 4


def test_points_lie_on_the_surface_relative_to_the_centre() -> None:
    gbuffer = render_gbuffer_maps(*_wall_ahead(), size=(8, 8), classes=CLASSES)
    x, _, z = gbuffer.points[0, 0]
    torch.testing.assert_close(x[4:], torch.full((4, 8), 1.0))  # the wall is at 3 m, the centre at 2 m
    assert (z[4:] < 0).all()
    assert gbuffer.points.isfinite().all()
    assert (gbuffer.points.abs() <= 2 + 1e-5).all()  # rays that see nothing end where they leave the volume


def test_batches_equal_single_scenes(grids: list[SemanticGrid], scenes: list[list[PinholeCamera]]) -> None:
    size = (12, 18)
    both = render_gbuffer_maps(GridTensors.from_grids(grids), CameraTensors.from_cameras(scenes), size, CLASSES)
    for b in range(2):
        one = render_gbuffer_maps(
            GridTensors.from_grids([grids[b]]), CameraTensors.from_cameras([scenes[b]]), size, CLASSES
        )
        torch.testing.assert_close(one.channels[0], both.channels[b], rtol=0, atol=1e-6)
        torch.testing.assert_close(one.points[0], both.points[b], rtol=0, atol=1e-6)
    assert both.channels.isfinite().all()


def test_a_grid_without_instances_has_edges_between_classes(
    grids: list[SemanticGrid], camera_tensors: CameraTensors
) -> None:
    plain = GridTensors.from_grids([grid.without_instances() for grid in grids])
    gbuffer = render_gbuffer_maps(plain, camera_tensors, (12, 18), CLASSES)
    assert gbuffer.channels[:, :, -4:].abs().sum() == 0  # no hints
    edge = gbuffer.channels[:, :, CLASSES + 8, :, :-1].bool()
    across = gbuffer.labels[..., :-1] != gbuffer.labels[..., 1:]
    assert edge[across].all()


@pytest.mark.parametrize(("shape", "voxel_size"), SIZES)
def test_random_grids_are_drawn_ray_by_ray(shape: tuple[int, int, int], voxel_size: float) -> None:
    """From outside and inside; single and double precision part where a ray grazes an edge, as few of them do."""
    grid, cameras = random_scene(shape, voxel_size)
    size = (12, 18)
    gbuffer = render_gbuffer_maps(grid, cameras, size, CLASSES)
    origins, directions = pixel_rays(cameras, grid.volume, size)
    rays = directions.reshape(1, -1, 3).double()
    starts = origins[:, :, None].expand(-1, -1, size[0] * size[1], -1).reshape(1, -1, 3).double()
    hit = first_hit_ref(grid.occupied(), starts, rays)
    seen = hit.index >= 0
    labels = torch.where(seen, grid.labels.flatten()[hit.index.clamp_min(0)].long(), 0)
    face = gbuffer.channels[:, :, CLASSES : CLASSES + NO_FACE].movedim(2, -1).reshape(1, -1, NO_FACE)
    drawn = torch.where(face.any(-1), face.argmax(-1), NO_FACE)
    depth = gbuffer.depth.view(1, -1)
    same = (gbuffer.labels.view(1, -1) == labels) & (drawn == hit.face)
    assert same.float().mean() > 0.99
    torch.testing.assert_close(depth[same].double(), hit.depth[same], rtol=1e-4, atol=1e-4 * voxel_size)
    assert gbuffer.channels.isfinite().all()
    assert gbuffer.points.isfinite().all()


def test_triangles_and_voxels_of_one_shape_give_one_gbuffer() -> None:
    """A box on a floor that ends where voxels do, in a volume that is turned."""
    labels = np.zeros((16, 14, 10), np.uint8)
    labels[:, :, 0], labels[4:8, 5:9, 1:5] = 2, 5
    instances = (labels == 5).astype(np.uint16) * 9
    hinted = (GridObject(9, "box", (0.8, 0.1, 0.1)),)
    pose = np.eye(4)
    pose[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    pose[:3, 3] = 3.0, -2.0, 1.0
    grid = SemanticGrid(labels, 0.2, pose, "indoor", instances, hinted)
    floor = LayoutPart("box", (1.6, 1.4, 0.1), (3.2, 2.8, 0.2))
    box = LayoutPart("box", (1.2, 1.4, 0.6), (0.8, 0.8, 0.8))
    triangles, owner = solid_triangles(Solids.of_layout([floor, box]))
    vertices = triangles.reshape(-1, 3) @ pose[:3, :3].T + pose[:3, 3]
    mesh = TriangleMesh(
        vertices,
        np.arange(len(vertices)).reshape(-1, 3),
        np.where(owner == 1, 5, 2).astype(np.uint8),
        np.where(owner == 1, 9, 0).astype(np.uint16),
    )
    tensors = GridTensors.from_grids([grid])
    looking = np.eye(4)
    looking[:3, :3] = [[1, 0, 0], [0, -(0.5**0.5), 0.5**0.5], [0, -(0.5**0.5), -(0.5**0.5)]]
    looking[:3, 3] = 1.1, -1.0, 2.3
    camera = PinholeCamera("c", 96, 64, 60.0, 60.0, 48.0, 32.0, pose @ looking)
    seen_by = CameraTensors.from_cameras([[camera]])
    voxels = render_gbuffer_maps(tensors, seen_by, (64, 96), 12)
    exact = render_gbuffer_maps(tensors, seen_by, (64, 96), 12, [RayScene(mesh, grid)])
    assert set(voxels.labels.unique().tolist()) == {0, 2, 5}
    same = (voxels.labels == exact.labels) & (voxels.face == exact.face)
    assert float(same.float().mean()) > 0.99
    for name in ("points", "surface"):
        apart = (getattr(voxels, name) - getattr(exact, name)).abs().amax(2)
        assert float(apart[same].max()) < 1e-3, name
    channels = (voxels.channels - exact.channels).abs().amax(2)
    assert float((channels[same] < 1e-3).float().mean()) > 0.99  # edges are marked between neighbours


def test_a_slope_counts_as_the_side_that_it_is_nearest_to() -> None:
    normals = torch.tensor([[0.6, 0.0, 0.8], [-0.8, 0.0, 0.6], [0.0, -1.0, 0.0], [0.1, 0.7, -0.7001]])
    maps = normals.T[None, None, :, None]  # (1, 1, 3, 1, 4)
    flat = torch.zeros(1, 1, 1, 4)
    buffer = GBuffer(flat.long(), flat.long(), flat + 1, maps, maps, flat, flat.long(), maps, maps, flat.long())
    grid = GridTensors.from_grids([SemanticGrid(np.zeros((4, 4, 4), np.uint8), 0.2, np.eye(4), "indoor")])
    camera = PinholeCamera("c", 64, 64, 60.0, 60.0, 32.0, 32.0, np.eye(4))
    assert gbuffer_maps(buffer, grid, CameraTensors.from_cameras([[camera]]), 12).face.flatten().tolist() == [
        5,
        0,
        2,
        4,
    ]
