"""G-buffers of triangles against trimesh's rays, by the same Embree: `python -m tests.benchmarks.gbuffers`.

The case is a floor and two walls with 20 balls, seen by four cameras from its corners. Ours makes everything that a
`GBuffer` holds; of trimesh's rays come the same labels, objects, depth, normals and surfaces, but no footprints. Each
builds its tree of triangles within the time.
"""

from __future__ import annotations

import numpy as np
import torch
import trimesh
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from occscene.mesh import TriangleMesh
from occscene.rigid import Float64Array, looking_at
from trimesh.ray.ray_pyembree import RayMeshIntersector

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from tests.benchmarks.table import Row, best_ms, print_table

SIZE = (512, 512)


def _room() -> tuple[TriangleMesh, SemanticGrid]:
    rng = np.random.default_rng(0)
    solids = [(trimesh.creation.box((4.6, 4.6, 0.1)), 2), (trimesh.creation.box((4.6, 0.1, 2.6)), 3),
              (trimesh.creation.box((0.1, 4.6, 2.6)), 3)]  # fmt: skip
    for (mesh, _), place in zip(solids, ((2.4, 2.4, 0.05), (2.4, 4.7, 1.3), (0.1, 2.4, 1.3)), strict=True):
        mesh.apply_translation(place)
    for _ in range(20):
        ball = trimesh.creation.icosphere(subdivisions=4, radius=rng.uniform(0.1, 0.35))
        ball.apply_translation(rng.uniform((0.6, 0.6, 0.3), (4.2, 4.2, 2.2)))
        solids.append((ball, int(rng.integers(5, 12))))
    counts = [len(mesh.faces) for mesh, _ in solids]
    whole = trimesh.util.concatenate([mesh for mesh, _ in solids])
    mesh = TriangleMesh(
        np.asarray(whole.vertices),
        np.asarray(whole.faces),
        np.repeat(np.array([label for _, label in solids], np.uint8), counts),
        np.repeat(np.arange(1, len(solids) + 1, dtype=np.uint16), counts),
        np.asarray(whole.vertices),
    )
    table = tuple(GridObject(number, "") for number in range(1, len(solids) + 1))
    shape = (60, 60, 36)
    empty = np.zeros(shape, np.uint8)
    return mesh, SemanticGrid(empty, 0.08, np.eye(4), "indoor", empty.astype(np.uint16), table)


def _cameras() -> list[PinholeCamera]:
    cameras = []
    for index, (x, y) in enumerate(((0.3, 0.3), (4.5, 0.3), (4.5, 4.5), (0.3, 4.5))):
        pose = looking_at(np.array([x, y, 1.6]), np.array([2.4, 2.4, 1.0]))
        cameras.append(PinholeCamera(str(index), SIZE[1], SIZE[0], 380.0, 380.0, SIZE[1] / 2, SIZE[0] / 2, pose))
    return cameras


def _by_trimesh(mesh: TriangleMesh, cameras: list[PinholeCamera]) -> dict[str, Float64Array]:
    """The maps of all views by trimesh's rays, 0 where nothing is seen."""
    whole = trimesh.Trimesh(mesh.vertices, mesh.triangles, process=False)
    tree = RayMeshIntersector(whole)
    pixels = SIZE[0] * SIZE[1]
    maps = {name: np.zeros((len(cameras), pixels)) for name in ("labels", "objects", "depth")}
    maps |= {name: np.zeros((len(cameras), pixels, 3)) for name in ("normal", "surface")}
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    assert mesh.surface is not None
    for view, camera in enumerate(cameras):
        rays = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones(SIZE)], axis=-1).reshape(
            -1, 3
        )
        rays = rays @ camera.world_from_camera[:3, :3].T
        start = camera.world_from_camera[:3, 3]
        places, pixel, index = tree.intersects_location(np.broadcast_to(start, rays.shape), rays, multiple_hits=False)
        maps["labels"][view, pixel], maps["objects"][view, pixel] = mesh.labels[index], mesh.object_ids[index]
        maps["depth"][view, pixel] = (places - start) @ camera.world_from_camera[:3, 2]
        normal = whole.face_normals[index]
        maps["normal"][view, pixel] = normal * -np.sign((normal * rays[pixel]).sum(1, keepdims=True))
        weights = trimesh.triangles.points_to_barycentric(whole.triangles[index], places)
        maps["surface"][view, pixel] = (mesh.surface[mesh.triangles[index]] * weights[:, :, None]).sum(1)
    return maps


def _agreement(ours: GBuffer, theirs: dict[str, Float64Array]) -> float:
    """Share of the pixels in which all maps agree."""
    shape = ours.depth[0].shape
    seen = torch.isfinite(ours.depth[0]).numpy()
    same = (ours.objects[0].numpy() == theirs["objects"].reshape(shape)) & (
        ours.labels[0].numpy() == theirs["labels"].reshape(shape)
    )
    depth = np.where(seen, ours.depth[0].numpy(), 0)
    same &= np.abs(depth - theirs["depth"].reshape(shape)) < 1e-3
    for name in ("normal", "surface"):
        maps = getattr(ours, name)[0].movedim(1, 3).numpy()
        same &= np.abs(maps - theirs[name].reshape(maps.shape)).max(-1) < 1e-2
    return float(same.mean())


def main() -> None:
    """Prints the table, and how many pixels both see alike."""
    torch.set_num_threads(1)
    mesh, grid = _room()
    cameras = _cameras()
    tensors = CameraTensors.from_cameras([cameras])
    scene = RayScene(mesh, grid)
    ours = best_ms(lambda: mesh_gbuffer([RayScene(mesh, grid)], tensors, SIZE))
    theirs = best_ms(lambda: _by_trimesh(mesh, cameras), 2)
    rows = [
        Row("four views of 512 x 512, tree included", ours, "trimesh RayMeshIntersector (Embree)", theirs, 500.0),
        Row("four views of 512 x 512", best_ms(lambda: mesh_gbuffer([scene], tensors, SIZE))),
        Row("four views of 256 x 256", best_ms(lambda: mesh_gbuffer([scene], tensors, (256, 256)))),
        Row("tree", best_ms(lambda: RayScene(mesh, grid))),
    ]
    print_table(f"G-buffers of {len(mesh.triangles):,} triangles", rows)
    alike = _agreement(mesh_gbuffer([scene], tensors, SIZE), _by_trimesh(mesh, cameras))
    print(f"{alike:.5f} of the pixels are alike")


if __name__ == "__main__":
    main()
