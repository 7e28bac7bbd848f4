"""`occscene-server maps`: control maps of a blockout for ComfyUI, Krita and whatever else runs ControlNets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from occscene.camera import PinholeCamera, load_cameras
from occscene.grid import SemanticGrid, load_grid
from occscene.mesh import TriangleMesh, load_mesh
from occscene.view_files import view_files
from PIL import Image

from occscene_server.cli.console import user_errors
from occscene_server.terminal import one_line, say

MAX_SIDE = 4096

CONVENTIONS = {
    "depth": "1 / depth from its 1st percentile (black) to its 99th (white) in each view; nothing seen is black; for "
    "depth ControlNets (MiDaS, Zoe)",
    "normal": "(1 - n) / 2 along the camera's axes x right, y down, z forward: facing is blue, left red, up green; "
    "nothing seen is gray; for normalbae ControlNets",
    "ade20k": "ADE20K's 150 colors; what is unknown is black; for segmentation ControlNets of Stable Diffusion 1.x",
    "instances": "one color for each object in all views, one for each class of walls, floors and the like; nothing "
    "seen is black; for the segment type of union ControlNets of SDXL",
}


def maps(
    grid: Annotated[Path, typer.Argument(help="Blockout (.npz), with or without triangles.", dir_okay=False)],
    cameras: Annotated[Path, typer.Option(help="Cameras file (JSON).", exists=True, dir_okay=False)],
    output: Annotated[Path, typer.Option(help="Folder for the maps and maps.json.", file_okay=False)],
    side: Annotated[
        int | None,
        typer.Option(min=64, max=MAX_SIDE, help="Pixels along the longer side of the maps; the cameras' if omitted."),
    ] = None,
    prompt: Annotated[str, typer.Option(help="Words that parts are chosen by.")] = "",
    without_prior: Annotated[
        bool, typer.Option("--without-prior", "--no-prior", help="Draw boxes as they are instead of with parts.")
    ] = False,
) -> None:
    """Write what ControlNets are shown of a blockout.

    Writes view_NAME_depth.png, _normal.png, _ade20k.png and _instances.png for each camera, and maps.json, which says
    what each means.
    """
    with user_errors():
        blockout, mesh = load_grid(grid), load_mesh(grid)
        views = load_cameras(cameras)
        described = {"conventions": CONVENTIONS} | _write(output, blockout, mesh, views, side, prompt, without_prior)
        text = json.dumps(described, indent=1, ensure_ascii=False) + "\n"
        (output / "maps.json").write_text(text, encoding="utf-8")
    say(one_line(f"maps of {len(views)} views and maps.json are in {output}"))


def _write(
    folder: Path,
    grid: SemanticGrid,
    mesh: TriangleMesh | None,
    views: list[PinholeCamera],
    side: int | None,
    prompt: str,
    without_prior: bool,
) -> dict[str, Any]:
    """Draws and writes the maps of all views; what `maps.json` says of them."""
    from occscene_server.geometry.cameras import CameraTensors
    from occscene_server.geometry.connected_objects import with_connected_objects
    from occscene_server.geometry.control_maps import MAPS, control_maps, legend
    from occscene_server.geometry.grids import GridTensors
    from occscene_server.geometry.mesh_gbuffer import RayScene
    from occscene_server.geometry.pixel_values import bytes_from_images
    from occscene_server.geometry.scene_gbuffer import scene_gbuffer
    from occscene_server.pipelines.scene_priors import ScenePriors

    if not views:
        raise ValueError("the cameras file has no cameras; at least one is needed")
    grid = shown = with_connected_objects(grid)
    priors = None if without_prior else ScenePriors.bundled(grid.taxonomy)
    if priors is not None:
        shown, mesh = priors.with_own_parts(grid, prompt, mesh)
    shapes = () if mesh is None else [RayScene(mesh, grid)]
    placed = GridTensors.from_grids([shown])
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    meanings: dict[str, dict[str, list[int]]] = {}
    for camera, file in zip(views, view_files([camera.name for camera in views]), strict=True):
        one = CameraTensors.from_cameras([[camera]])
        buffer = scene_gbuffer(placed, shapes, one, _size(camera, side))
        files = {kind: f"{Path(file).stem}_{kind}.png" for kind in MAPS}
        for kind, drawn in control_maps(MAPS, buffer, shown, one).items():
            _save(folder / files[kind], bytes_from_images(2 * drawn[0] - 1).numpy())
        for kind, names in legend(buffer, shown).items():
            meanings.setdefault(kind, {}).update(names)
        rows.append({"camera": camera.name, "files": files})
    return {"views": rows, "colors": meanings}


def _size(camera: PinholeCamera, side: int | None) -> tuple[int, int]:
    scale = 1.0 if side is None else side / max(camera.height, camera.width)
    return max(1, round(camera.height * scale)), max(1, round(camera.width * scale))


def _save(path: Path, pixels: NDArray[np.uint8]) -> None:
    Image.fromarray(pixels).save(path, "PNG", compress_level=4)
