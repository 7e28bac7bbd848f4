"""What a rendered scene is on disk, how it is written in one piece, and how it is read.

A scene is a folder `scene_000123` with `view_0.webp`, `view_1.webp` ... (sRGB), `scene.npz` (grids and cameras),
`scene.json` (prompt and what there is to ask about), `meshes.npz` (the triangles of both grids) and, where asked for,
`items.npz` (which item each pixel shows). Views may have any size.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid

from occscene_server.data.scene_mesh import SceneMeshes, write_meshes
from occscene_server.data.view_files import read_view, write_view

ItemFacts = dict[str, str | int | float]
HOLD_OUT_EVERY = 20


@dataclass(frozen=True)
class SceneInfo:
    """What `scene.json` says.

    Args:
        seed: the scene's.
        domain: "indoor" or "outdoor".
        prompt: names what the views show.
        kind, style, light: of the room; of a street its kind, its season and its weather.
        wall_color, floor_color: plain colour words: of the room's; of the largest building seen and of the road.
        items: what the views show, largest first: "id", "name", "class", "phrase" and "share" of its best view.
        sun: unit vector towards it in the world; None where none shines, or nothing was noted of it.
    """

    seed: int
    domain: str
    prompt: str
    kind: str
    style: str
    light: str
    wall_color: str
    floor_color: str
    items: tuple[ItemFacts, ...]
    sun: tuple[float, float, float] | None = None


@dataclass(frozen=True, eq=False)
class RenderedScene:
    """One scene of a data set.

    Args:
        info: prompt and facts.
        occupancy: the true grid with instances, from the detailed meshes.
        blockout: the artist's grid with instances and colour hints; an item has the same id in both.
        cameras: one a view.
        views: (views, height, width, 3) sRGB.
        items: (views, height, width) id of the item that each pixel's centre shows; None where not rendered.
        meshes: the triangles of both grids; None where not stored or, by `read_scene`, not read.
    """

    info: SceneInfo
    occupancy: SemanticGrid
    blockout: SemanticGrid
    cameras: tuple[PinholeCamera, ...]
    views: NDArray[np.uint8]
    items: NDArray[np.uint16] | None = None
    meshes: SceneMeshes | None = None


def split_of(seed: int) -> str:
    """The part of the data that a scene belongs to: "test", "validation" or "train"."""
    return {0: "test", 1: "validation"}.get(seed % HOLD_OUT_EVERY, "train")


def scene_folder(root: Path, seed: int) -> Path:
    """Where the scene of `seed` lies below `root`."""
    return root / f"scene_{seed:06d}"


def list_scenes(root: Path) -> list[Path]:
    """All finished scenes below `root`, by seed."""
    return sorted(path for path in root.glob("scene_*") if path.suffix != ".partial")


def scenes_of_split(root: Path, split: str, limit: int | None = None) -> list[Path]:
    """The finished scenes of a split below `root`, by seed; only the first `limit`, if given.

    Raises:
        ValueError: there is none.
    """
    folders = [path for path in list_scenes(root) if split_of(int(path.name.removeprefix("scene_"))) == split]
    if not folders:
        raise ValueError(f"{root} has no finished {split} scene; render some with `occscene-server studio render`")
    return folders[:limit]


def write_scene(root: Path, scene: RenderedScene) -> Path:
    """Writes a scene below `root`: to a temporary folder first, so that whatever has its final name is complete."""
    folder = scene_folder(root, scene.info.seed)
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for index, view in enumerate(scene.views):
        write_view(partial / f"view_{index}.webp", view)
    write_info(partial, scene.info)
    cameras = scene.cameras
    np.savez_compressed(
        partial / "scene.npz",
        **_grid_members("occupancy", scene.occupancy),
        **_grid_members("blockout", scene.blockout),
        taxonomy=np.array(scene.occupancy.taxonomy),
        object_ids=np.array([item.id for item in scene.blockout.objects], np.uint16),
        object_names=np.array([item.name for item in scene.blockout.objects], np.str_),
        object_hints=np.array([item.hint for item in scene.blockout.objects], np.float32),
        camera_names=np.array([camera.name for camera in cameras], np.str_),
        camera_sizes=np.array([(camera.width, camera.height) for camera in cameras], np.int32),
        camera_intrinsics=np.array([(c.fx, c.fy, c.cx, c.cy) for c in cameras], np.float64),
        world_from_camera=np.stack([camera.world_from_camera for camera in cameras]),
    )
    if scene.items is not None:
        np.savez_compressed(partial / "items.npz", items=scene.items)
    if scene.meshes is not None:
        write_meshes(partial, scene.meshes)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder


def read_scene(folder: Path) -> RenderedScene:
    """Reads what `write_scene` wrote, without the meshes, which `read_meshes` reads."""
    info = read_info(folder)
    occupancy, blockout = read_grids(folder)
    cameras = read_cameras(folder)
    views = read_views(folder)
    items = None
    if (folder / "items.npz").exists():
        with np.load(folder / "items.npz", allow_pickle=False) as members:
            items = members["items"]
    return RenderedScene(info, occupancy, blockout, cameras, views, items)


def read_info(folder: Path) -> SceneInfo:
    """What the `scene.json` of a stored scene says."""
    facts = json.loads((folder / "scene.json").read_text(encoding="utf-8"))
    sun = facts.get("sun")
    return SceneInfo(**(facts | {"items": tuple(facts["items"]), "sun": None if sun is None else tuple(sun)}))


def write_info(folder: Path, info: SceneInfo) -> None:
    """Writes the `scene.json` of a scene into its folder."""
    (folder / "scene.json").write_text(json.dumps(asdict(info), indent=1) + "\n", encoding="utf-8")


def stored_direction(vector: NDArray[np.float64] | None) -> tuple[float, float, float] | None:
    """A vector (3,) as `SceneInfo` has it."""
    if vector is None:
        return None
    x, y, z = vector.round(5).tolist()
    return x, y, z


def read_views(folder: Path) -> NDArray[np.uint8]:
    """(views, height, width, 3) sRGB of a stored scene, in the order of its cameras."""
    count = len(list(folder.glob("view_*.webp")))
    return np.stack([read_view(folder / f"view_{i}.webp") for i in range(count)])


def read_cameras(folder: Path) -> tuple[PinholeCamera, ...]:
    """The cameras of a stored scene, one a view."""
    with np.load(folder / "scene.npz", allow_pickle=False) as members:
        return tuple(
            PinholeCamera(str(name), int(width), int(height), float(fx), float(fy), float(cx), float(cy), pose)
            for name, (width, height), (fx, fy, cx, cy), pose in zip(
                members["camera_names"],
                members["camera_sizes"],
                members["camera_intrinsics"],
                members["world_from_camera"],
                strict=True,
            )
        )


def read_grids(folder: Path) -> tuple[SemanticGrid, SemanticGrid]:
    """The true grid and the blockout's of a stored scene."""
    with np.load(folder / "scene.npz", allow_pickle=False) as members:
        table = list(zip(members["object_ids"], members["object_names"], members["object_hints"], strict=True))
        taxonomy = str(members["taxonomy"])
        plain = tuple(GridObject(int(i), str(n)) for i, n, _ in table)
        hinted = tuple(GridObject(int(i), str(n), (float(h[0]), float(h[1]), float(h[2]))) for i, n, h in table)
        occupancy = _read_grid(members, "occupancy", taxonomy, plain)
        return occupancy, _read_grid(members, "blockout", taxonomy, hinted)


def _grid_members(name: str, grid: SemanticGrid) -> dict[str, NDArray[Any]]:
    assert grid.instances is not None
    return {
        f"{name}_labels": grid.labels,
        f"{name}_instances": grid.instances,
        f"{name}_voxel_size": np.array(grid.voxel_size),
        f"{name}_world_from_grid": grid.world_from_grid,
    }


def _read_grid(
    members: Mapping[str, NDArray[Any]], name: str, taxonomy: str, objects: tuple[GridObject, ...]
) -> SemanticGrid:
    return SemanticGrid(
        members[f"{name}_labels"],
        float(members[f"{name}_voxel_size"]),
        members[f"{name}_world_from_grid"],
        taxonomy,
        members[f"{name}_instances"],
        objects,
    )
