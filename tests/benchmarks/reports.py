"""Public bug reports of voxelisers and meshers as trials: `python -m tests.benchmarks.agreement` prints them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import trimesh
from numpy.typing import NDArray
from occscene.grid import GridVolume, SemanticGrid
from occscene.taxonomy import INDOOR
from rich.console import Console
from rich.table import Table
from rich.text import Text
from scipy import ndimage

from blender_addon.geometry.merged import merged_polygons
from blender_addon.geometry.surface import culled_quads
from blender_addon.geometry.surface_nets import surface_nets
from blender_addon.geometry.voxelization.voxelize import TriangleObject, voxelize
from tests.benchmarks.foreign_meshes import of_blender, placed
from tests.benchmarks.solids import CHAIR, Mask, differences, of_pyvista, ours
from tests.blender_addon.geometry.test_surface import directed_edges

WALL = INDOOR.index_of("wall")
VOXEL, SIDE = 0.08, 30
Trial = tuple[str, object, object]  # what is counted, how many there are, how many are right


def box(low: tuple[float, ...], high: tuple[float, ...]) -> trimesh.Trimesh:
    """With these corners."""
    return trimesh.creation.box(bounds=[low, high])


def pieces(mask: Mask) -> int:
    """Pieces of voxels that touch by faces, edges or corners."""
    return int(ndimage.label(mask, np.ones((3, 3, 3)))[1])


def spheres() -> Trial:
    wrong = 0
    for radius in (0.41, 0.73, 1.02):
        ball = trimesh.creation.uv_sphere(radius).apply_translation((1.21, 1.19, 1.2))
        wrong += sum(differences(ball, ours(ball, SIDE, VOXEL), VOXEL))
    return "voxels missing or stray, 3 radii", wrong, 0


def struts(holes: bool) -> trimesh.Trimesh:
    """48 crossing struts of 12 cm in one mesh; every 97th face removed where `holes`."""
    made = []
    for axis in range(3):
        for first, second in np.ndindex(4, 4):
            low, high = np.full(3, 0.2), np.full(3, 2.2)
            across = [other for other in range(3) if other != axis]
            low[across] = 0.3 + 0.55 * np.array((first, second))
            high[across] = low[across] + 0.12
            made.append(box(tuple(low), tuple(high)).subdivide().subdivide())
    lattice = trimesh.util.concatenate(made)
    if holes:
        lattice.update_faces(np.arange(len(lattice.faces)) % 97 != 96)
    return lattice


def lattice() -> Trial:
    whole = struts(holes=False)
    return "voxels missing or stray", sum(differences(whole, ours(whole, SIDE, VOXEL), VOXEL)), 0


def torn_lattice() -> Trial:
    whole, torn = (ours(struts(holes), SIDE, VOXEL) for holes in (False, True))
    return (
        "voxels added (streaks) and lost, of every 97th face",
        (int((torn & ~whole).sum()), int((whole & ~torn).sum())),
        (0, 0),
    )


def funnel() -> Trial:
    outside = np.array([(0.1, 0.2), (0.15, 1.0), (0.9, 1.8)])
    section = np.concatenate([outside, outside[::-1] - (0.005, 0), outside[:1]])
    mesh = trimesh.creation.revolve(section, sections=64).apply_translation((1.21, 1.19, 0.03))
    found = ours(mesh, 60, 0.04)
    samples = mesh.sample(20_000, seed=0)
    near = ndimage.binary_dilation(found, np.ones((3, 3, 3)))[tuple((samples / 0.04).astype(int).T)]
    return "pieces; samples farther than a voxel", (pieces(found), int((~near).sum())), (1, 0)


def exact_extents() -> Trial:
    """Boxes of a whole number of voxels in volumes as large as they."""
    right = 0
    for size in np.linspace(0.01, 0.57, 40):
        for count in range(1, 16):
            found = ours(box((0, 0, 0), (count * size,) * 3), count, size)
            right += int(found.sum()) == count**3
    return "boxes of 600 with all their voxels", right, 600


def planes_on_sides() -> Trial:
    """A plane on each of the volume's six sides, single triangles' faces, one object each."""
    side, counts = SIDE * VOXEL, []
    for axis in range(3):
        for place in (0.0, side):
            corners = np.insert(np.array([(0, 0), (side, 0), (side, side), (0, side)]), axis, place, axis=1)
            counts.append(int(ours(trimesh.Trimesh(corners, [(0, 1, 2), (0, 2, 3)]), SIDE, VOXEL).sum()))
    return "voxels of each of six planes", sorted(set(counts)), [SIDE**2]


def fins() -> Trial:
    """A fin of 1 cm, upright and turned."""
    found = []
    for angle in (0, 30, 90):
        fin = trimesh.creation.box((1.6, 0.01, 1.6))
        fin.apply_transform(trimesh.transformations.rotation_matrix(np.radians(angle), (0, 0, 1)))
        mask = ours(fin.apply_translation((1.21, 1.19, 1.2)), SIDE, VOXEL)
        holes = ndimage.binary_fill_holes(mask.any(axis=(1, 0)[angle == 90])) & ~mask.any(axis=(1, 0)[angle == 90])
        found.append((pieces(mask), int(holes.sum())))
    return "pieces and holes at 0, 30 and 90 degrees", found, [(1, 0)] * 3


def around_origin() -> Trial:
    half = SIDE * VOXEL / 2
    pose = np.eye(4)
    pose[:3, 3] = -half
    ball = trimesh.creation.icosphere(3, 0.71)
    masks = [
        voxelize([TriangleObject("o", CHAIR, ball.triangles * flip)], GridVolume((SIDE,) * 3, VOXEL, pose), INDOOR)
        for flip in ((1, 1, 1), (-1, 1, 1), (-1, -1, -1))
    ]
    counts = {int((grid.labels > 0).sum()) for grid in masks}
    return "counts of a ball and its two mirror images", len(counts), 1


def far_away() -> Trial:
    """The same body far from the origin, in steps of whole voxels that float64 has exactly."""
    body = placed(dict(of_blender())["Suzanne"], SIDE, turned=True)
    near, differ = ours(body, SIDE), 0
    for far in (1e5, 9e5, 5e6):
        pose = np.eye(4)
        pose[:3, 3] = far
        volume = GridVolume((SIDE,) * 3, 1.0, pose)
        found = voxelize([TriangleObject("o", CHAIR, body.triangles + far)], volume, INDOOR).labels > 0
        differ += int((found != near).sum())
    return "voxels that differ at 1e5, 9e5 and 5e6 m", differ, 0


def monkey_and_room() -> Trial:
    """Suzanne is full, with open eyes; a room of one cube is not."""
    monkey = placed(dict(of_blender())["Suzanne"], SIDE, turned=True)
    missing = differences(monkey, ours(monkey, SIDE))[0]
    room = box((0.2, 0.2, 0.2), (2.2, 2.2, 2.2)).triangles[:, ::-1]
    volume = GridVolume((SIDE,) * 3, VOXEL, np.eye(4))
    labels = voxelize([TriangleObject("room", WALL, room)], volume, INDOOR).labels
    return (
        "voxels missing in Suzanne, set in the room's middle",
        (missing, int((labels[8:22, 8:22, 8:22] > 0).sum())),
        (0, 0),
    )


def unwelded() -> Trial:
    """The faces of a box moved apart by 20 micrometres, each with corners of its own."""
    whole = box((0.41, 0.41, 0.41), (1.53, 1.45, 1.21))
    apart = whole.triangles + 2e-5 * whole.face_normals[:, None]
    mesh = trimesh.Trimesh(apart.reshape(-1, 3), np.arange(3 * len(apart)).reshape(-1, 3), process=False)
    return "voxels", int(ours(mesh, SIDE, VOXEL).sum()), int(ours(whole, SIDE, VOXEL).sum())


def far_cube_and_triangle() -> Trial:
    """Voxels of a cube far from the volume's corner, and samples of one large triangle that no voxel is near."""
    cube = ours(box((200 * VOXEL,) * 3, (210 * VOXEL,) * 3), 216, VOXEL)
    large = trimesh.Trimesh([(0.1, 0.2, 0.3), (2.3, 0.4, 1.1), (0.7, 2.2, 2.1)], [(0, 1, 2)])
    found = ours(large, SIDE, VOXEL)
    samples = (large.sample(20_000, seed=0) / VOXEL).astype(int)
    near = ndimage.binary_dilation(found, np.ones((3, 3, 3)))[tuple(samples.T)]
    return "voxels of a far cube; samples without a voxel", (int(cube.sum()), int((~near).sum())), (1000, 0)


def diagonal_voxels() -> Trial:
    """Edges with another number of faces than two, of two voxels that share an edge, in each surface."""
    labels = np.zeros((3, 3, 3), np.uint8)
    labels[0, 0, 1] = labels[1, 1, 1] = CHAIR
    grid = SemanticGrid(labels, VOXEL, np.eye(4), "indoor")
    wrong = [_uneven(directed_edges(make(grid))) for make in (culled_quads, merged_polygons, surface_nets)]
    return "edges without two faces: blocks, merged, smooth", wrong, [0, 0, 0]


def _uneven(edges: NDArray[np.int64]) -> int:
    count = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)[1]
    return int((count != 2).sum())


TRIALS: dict[str, Callable[[], Trial]] = {
    "pyvista 1743: stray voxels of a sphere": spheres,
    "pyvista 7549: lattice of 48 struts": lattice,
    "pyvista 7549: the same, torn": torn_lattice,
    "open3d 6324, 6111: far cube, large triangle": far_cube_and_triangle,
    "trimesh 79: funnel of 5 mm in voxels of 4 cm": funnel,
    "trimesh 30: tight volumes": exact_extents,
    "imagej-ops 603: planes on the volume's sides": planes_on_sides,
    "FluidX3D 160, 281: fin of 1 cm": fins,
    "karimnaaji/voxelizer 9: around the origin": around_origin,
    "snark 119: large coordinates": far_away,
    "voxblox_ground_truth 4: full body, empty room": monkey_and_room,
    "IfcToUsd 36: faces 20 micrometres apart": unwelded,
    "automesh 359: diagonal voxels": diagonal_voxels,
}


def print_trials() -> None:
    """What each trial finds, and what is right."""
    table = Table("report", "what is counted", "ours", "right", title="Public reports, by what they ask for")
    for name, trial in TRIALS.items():
        what, found, right = trial()
        color = "green" if found == right else "red"
        table.add_row(name, what, Text(str(found), color), Text(str(right)))
    Console(width=160).print(table)


def counted_reports() -> dict[str, tuple[trimesh.Trimesh, float, int]]:
    """Public bug reports of voxelisers: a mesh, the voxel size, and how many voxels are right."""

    wall = trimesh.Trimesh([(2.4, 0, 0), (2.4, 2.4, 0), (2.4, 2.4, 2.4), (2.4, 0, 2.4)], [(0, 1, 2), (0, 2, 3)])
    stack = trimesh.util.concatenate([box((0.4, 0.4, 0.4), (1.2, 1.2, 1.2)), box((0.4, 0.4, 1.2), (1.2, 1.2, 2.0))])
    return {
        "pyvista 7036: cube of 1 m in voxels of .25": (box((1, 1, 1), (2, 2, 2)), 0.25, 64),
        "pyvista 7035: cubes on each other": (stack, 0.08, 2000),
        "open3d 5704: cube of 4 voxels": (box((0.8, 0.8, 0.8), (1.12, 1.12, 1.12)), 0.08, 64),
        "imagej-ops 603: box as large as the grid": (box((0, 0, 0), (2.4, 2.4, 2.4)), 0.08, 27_000),
        "imagej-ops 603: wall on the grid's far side": (wall, 0.08, 900),
        "FluidX3D 160: fin of 1 cm": (box((0.4, 1.21, 0.4), (2.0, 1.22, 2.0)), 0.08, 400),
    }


def print_counted_reports() -> None:
    """How many voxels each peer gives."""
    table = Table(
        "report", "right", "ours", "pyvista", "trimesh surface, filled", title="Public reports, voxels counted"
    )
    for name, (mesh, size, right) in counted_reports().items():
        found, stencil = ours(mesh, SIDE, size).sum(), of_pyvista(mesh, SIDE, size).sum()
        filled = mesh.voxelized(size).fill().filled_count
        table.add_row(name, *(f"{number:,}" for number in (right, found, stencil, filled)))
    Console(width=140).print(table)
