"""Voxels and triangles against Cycles, which draws them with depth, normals and the like for colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from occscene.mesh import TriangleMesh

pytest.importorskip("bpy")

import bpy

from occscene_server.geometry.cameras import CameraTensors, pixel_rays
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from occscene_server.geometry.raymarch import NO_FACE, first_hit
from occscene_server.studio.blender_scene import add_camera
from tests.occscene_server.geometry.random_scenes import looking_at

pytestmark = [pytest.mark.blender, pytest.mark.slow]
SIZE = (64, 96)


def _add_cubes(grid: SemanticGrid) -> None:
    corners = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), -1).reshape(8, 3)
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    cells = np.argwhere((grid.labels != 0) & (grid.labels != 255))
    points = (cells[:, None] + corners).reshape(-1, 3) * grid.voxel_size
    points = points @ grid.world_from_grid[:3, :3].T + grid.world_from_grid[:3, 3]
    faces = (8 * np.arange(len(cells))[:, None, None] + quads).reshape(-1, 4)
    mesh = bpy.data.meshes.new("voxels")
    mesh.from_pydata(points.tolist(), [], faces.tolist())
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("voxels", mesh))


def _shine(node: str, output: str, factor: float, offset: float, attribute: str = "") -> None:
    """Lets everything shine in `factor` times a shader node's output plus `offset`."""
    material = bpy.data.materials.new(output)
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    scaled = nodes.new("ShaderNodeVectorMath")
    scaled.operation = "MULTIPLY_ADD"
    scaled.inputs[1].default_value, scaled.inputs[2].default_value = [factor] * 3, [offset] * 3
    source = nodes.new(node)
    if attribute:
        source.attribute_name = attribute
    links.new(source.outputs[output], scaled.inputs[0])
    emission = nodes.new("ShaderNodeEmission")
    links.new(scaled.outputs[0], emission.inputs["Color"])
    links.new(emission.outputs[0], nodes.new("ShaderNodeOutputMaterial").inputs["Surface"])
    bpy.context.scene.view_layers[0].material_override = material


def _render(camera: PinholeCamera, path: Path) -> NDArray[np.float32]:
    """What Cycles sees at the pixels' centres, (height, width, 3)."""
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.device, scene.cycles.samples = "CYCLES", "CPU", 1
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.cycles.use_denoising, scene.cycles.max_bounces = False, 0
    scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BOX", 0.01
    scene.render.image_settings.file_format, scene.render.image_settings.color_depth = "OPEN_EXR", "32"
    scene.view_settings.view_transform = "Raw"
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = (*SIZE[::-1], 100)
    scene.camera = add_camera(camera)
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    pixels = np.array(image.pixels[:], np.float32).reshape(*SIZE, 4)
    bpy.data.images.remove(image)
    return pixels[::-1, :, :3]


def test_depth_and_normals_are_those_of_cycles(
    grids: list[SemanticGrid], scenes: list[list[PinholeCamera]], tmp_path: Path
) -> None:
    """From outside and from within; Cycles' rays and ours differ at a few pixels on the very edges of voxels."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    near_origin = grids[0].world_from_grid.copy()  # Cycles is in single precision
    near_origin[:3, 3] = 0.0
    grid = SemanticGrid(grids[0].labels, grids[0].voxel_size, near_origin, "indoor")
    back = near_origin @ np.linalg.inv(grids[0].world_from_grid)
    cameras = [
        PinholeCamera(camera.name, 96, 64, 80.0, 80.0, 48.0, 32.0, back @ camera.world_from_camera)
        for camera in scenes[0]
    ]
    _add_cubes(grid)
    tensors = GridTensors.from_grids([grid])
    origins, directions = pixel_rays(CameraTensors.from_cameras([cameras]), tensors.volume, SIZE)
    origins = origins[:, :, None, None].expand_as(directions)
    hit = first_hit(tensors.occupied(), origins.reshape(1, -1, 3), directions.reshape(1, -1, 3))
    shape = (len(cameras), *SIZE)
    seen, depth, face = (m.view(shape).numpy() for m in (hit.index >= 0, hit.depth, hit.face))
    outward = torch.eye(3).repeat_interleave(2, 0) * torch.tensor([-1.0, 1.0] * 3)[:, None]
    normals = torch.cat([outward, torch.zeros(1, 3)]).numpy()[face] @ near_origin[:3, :3].T

    _shine("ShaderNodeCameraData", "View Z Depth", 1.0, 0.0)
    their_depth = np.stack([_render(camera, tmp_path / "depth.exr")[..., 0] for camera in cameras])
    _shine("ShaderNodeNewGeometry", "Normal", 0.5, 0.5)
    their_normals = np.stack([2 * _render(camera, tmp_path / "normal.exr") - 1 for camera in cameras])

    assert 0.2 < seen.mean() < 0.95
    assert (face[seen] != NO_FACE).all()
    assert ((their_depth > 0) == seen).mean() > 0.995
    both = seen & (their_depth > 0)
    error = np.abs(depth - their_depth)[both]
    assert (error < grid.voxel_size).mean() > 0.99
    assert np.median(error) < 1e-4 * grid.voxel_size
    assert (np.abs(normals - their_normals).max(-1)[both] < 1e-3).mean() > 0.99


def _knots(seed: int) -> TriangleMesh:
    """Three objects of a hundred triangles each that run through one another in a cube of 2 m."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-0.8, 0.8, (300, 1, 3)) + rng.normal(size=(300, 3, 3)) * 0.15
    return TriangleMesh(
        corners.reshape(-1, 3),
        np.arange(900).reshape(-1, 3),
        np.repeat(np.array([5, 6, 7], np.uint8), 100),
        np.repeat(np.array([11, 22, 33], np.uint16), 100),
        rng.uniform(0.1, 2.0, (900, 3)),
    )


def _add_triangles(mesh: TriangleMesh) -> None:
    for number in np.unique(mesh.object_ids).tolist():
        corners = mesh.triangles[mesh.object_ids == number].ravel()
        data = bpy.data.meshes.new(str(number))
        data.from_pydata(mesh.vertices[corners].tolist(), [], np.arange(len(corners)).reshape(-1, 3).tolist())
        assert mesh.surface is not None
        place = data.attributes.new("place", "FLOAT_VECTOR", "POINT")
        place.data.foreach_set("vector", mesh.surface[corners].ravel())
        obj = bpy.data.objects.new(str(number), data)
        obj.pass_index = number
        bpy.context.scene.collection.objects.link(obj)


def test_maps_of_triangles_are_those_of_cycles(tmp_path: Path) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    mesh = _knots(5)
    pose = np.eye(4)
    pose[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    pose[:3, 3] = -1.3
    objects = tuple(GridObject(number, str(number)) for number in (33, 11, 22))
    grid = SemanticGrid(np.zeros((8, 8, 8), np.uint8), 0.3, pose, "indoor", np.zeros((8, 8, 8), np.uint16), objects)
    eyes = ((0.2, -2.0, 0.4), (1.6, 1.4, 1.2), (0.05, 0.1, -0.05))
    cameras = [
        PinholeCamera(str(view), 96, 64, 80.0, 80.0, 48.0, 32.0, looking_at(eye, (0.1, -0.1, 0.3)))
        for view, eye in enumerate(eyes)
    ]
    maps = mesh_gbuffer([RayScene(mesh, grid)], CameraTensors.from_cameras([cameras]), SIZE)
    _add_triangles(mesh)

    def theirs(
        node: str, output: str, factor: float = 1.0, offset: float = 0.0, attribute: str = ""
    ) -> NDArray[np.float32]:
        _shine(node, output, factor, offset, attribute)
        return np.stack([(_render(camera, tmp_path / "map.exr") - offset) / factor for camera in cameras])

    depth = theirs("ShaderNodeCameraData", "View Z Depth")[..., 0]
    numbers = np.rint(theirs("ShaderNodeObjectInfo", "Object Index")[..., 0])
    normal = theirs("ShaderNodeNewGeometry", "Normal", 0.5, 0.5)
    place = theirs("ShaderNodeAttribute", "Vector", attribute="place")

    ours = np.array([0, 33, 11, 22])[maps.objects[0]]
    assert 0.3 < (ours > 0).mean() < 0.95
    assert (ours == numbers).mean() > 0.999
    np.testing.assert_array_equal(maps.labels[0], np.select([ours == 11, ours == 22, ours == 33], [5, 6, 7], 0))
    both = (ours > 0) & (numbers > 0) & (np.abs(maps.depth[0].numpy() - depth) < 1e-3)
    assert both.mean() > 0.998 * (ours > 0).mean()
    assert (np.abs(maps.depth[0].numpy() - depth)[both] < 1e-4).mean() > 0.99
    in_world = np.einsum("ij,vjhw->vhwi", pose[:3, :3], maps.normal[0].numpy())
    assert (np.abs(in_world - normal).max(-1)[both] < 1e-3).mean() > 0.99
    assert (np.abs(maps.surface[0].movedim(1, 3).numpy() - place).max(-1)[both] < 1e-2).mean() > 0.99
