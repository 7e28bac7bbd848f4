"""`make demo`: the main job, start to end, with nothing left out.

A server on loopback, a blockout opened in Blender and tagged through the extension's operators, a job over gRPC, and
what came back as pictures and as a .blend file.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import IO, Annotated, NoReturn

import bpy
import numpy as np
import typer
from numpy.typing import NDArray
from occscene.camera import PinholeCamera, load_cameras
from occscene.grid import SemanticGrid, load_grid
from occscene.limits import IMAGE_SIDE
from occscene.results import read_result
from occscene.rigid import looking_at
from occscene.taxonomy import OUTDOOR, TAXONOMIES
from PIL import Image

import blender_addon
from blender_addon.scene.meshes import grid_object
from occscene_server.data.contact_sheet import captioned, stacked
from occscene_server.studio.cycles import RenderSettings, develop, exposure, render_views
from occscene_server.studio.native_output import discard_native_output
from occscene_server.studio.ray_march import looked_up, march
from occscene_server.studio.sample import SAMPLES, build_sample
from occscene_server.studio.streets.sample import STREET_SAMPLES, build_street_blockout
from occscene_server.terminal import INTERRUPTED, complain, errors, last_line, say

SERVER_START_SECONDS = 120
_BLOCKOUTS = (*SAMPLES, *STREET_SAMPLES)
_CUT = {"indoor": ", ceiling and near walls cut away", "outdoor": ""}
_REACH = {"indoor": 9.0, "outdoor": 45.0}
"""Metres at which what a camera sees of a grid is darkest."""
_SKY = (196, 214, 232)
TEXT = "text"
"""In place of a sample: text to scene."""
TEXT_PROMPT = "a dining room with an oak table and four chairs, a sideboard, teal walls, bright day"
_LEFT_OF_BLOCKOUT = (
    "sheet.png         the blockout, the views, and both occupancies: look at this first",
    "view_*.png        the views; occupancy.npz and blockout.npz are the grids, voxels.png their meshes",
    "{sample}.blend  everything in one file: views as camera backgrounds, the occupancy as a mesh",
)
_LEFT_OF_TEXT = (
    "sheet.png         the layout, the four views, and its voxels next to the occupancy: look at this first",
    "layout.json       the room as named boxes with their parts; blockout.npz is its grid",
)


def demo(
    sample: Annotated[
        str, typer.Option(help=f"The blockout: {', '.join(_BLOCKOUTS)}; or {TEXT} for text to scene.")
    ] = "living_room",
    prompt: Annotated[str, typer.Option(help="What the scene looks like; the sample's own if absent.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another variant.")] = 0,
    output: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("demo"),
) -> None:
    """Turn a sample blockout, or only a prompt, into textured views and a predicted occupancy."""
    if sample not in (*_BLOCKOUTS, TEXT):
        raise typer.BadParameter(f"--sample is {sample!r}; it must be one of {', '.join((*_BLOCKOUTS, TEXT))}")
    output = output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    discard_native_output()
    begin = time.monotonic()
    try:
        if sample == TEXT:
            text_to_scene(prompt or TEXT_PROMPT, seed, output)
        else:
            blockout_to_scene(sample, prompt, seed, output)
    except KeyboardInterrupt:
        errors.say("interrupted")
        end_process(INTERRUPTED)
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        complain(f"{str(error).strip()}\nThe server's log is {output / 'server.log'}")
        end_process(1)
    say(f"\nDone in {time.monotonic() - begin:.0f} s. In {output}:")
    for line in _LEFT_OF_TEXT if sample == TEXT else _LEFT_OF_BLOCKOUT:
        say(f"  {line.format(sample=sample)}")
    if sample != TEXT:
        say('Next: make demo SAMPLE=bedroom PROMPT="a japanese bedroom with green walls, a blue bed, overcast"')
    end_process(0)


def end_process(status: int) -> NoReturn:
    """Ends at once: Blender as a module now and then crashes while the interpreter unloads it."""
    sys.stdout.flush()
    os._exit(status)


def blockout_to_scene(sample: str, prompt: str, seed: int, output: Path) -> None:
    """Generates a sample on a server of this machine, and brings into Blender what came of it.

    Raises:
        RuntimeError: the server did not start, or the job failed.
    """
    server = start_server(output)
    try:
        open_blockout(sample, prompt, output)
        address = wait_for_server(server, output)
        with last_line(), no_infos():
            bpy.ops.occscene.generate(directory=str(output), server=address, seed=seed)
    finally:
        server.terminate()
        server.wait()
    say("views and occupancy have come back; Blender draws them")
    with no_reports():
        bpy.ops.occscene.set_backgrounds()
        bpy.ops.occscene.import_occupancy(filepath=str(output / "occupancy.npz"), name="Predicted Occupancy")
        bpy.ops.wm.save_as_mainfile(filepath=str(output / f"{sample}.blend"))
    draw_results(output, bpy.context.scene.occscene.results[-1].prompt)


def no_reports() -> contextlib.redirect_stdout[io.StringIO]:
    """While it lasts, what operators report is not printed; errors are raised all the same."""
    return contextlib.redirect_stdout(io.StringIO())


def no_infos() -> contextlib.redirect_stdout[io.TextIOBase]:
    """While it lasts, what operators report as an information is not printed; progress and warnings are."""
    return contextlib.redirect_stdout(_WithoutInfos(sys.stdout))


class _WithoutInfos(io.TextIOBase):
    """Passes on what is printed but lines that Blender prints of its operators' informations."""

    def __init__(self, output: IO[str]) -> None:
        self._output = output

    def write(self, text: str) -> int:
        """Writes; Blender writes a report at once and whole."""
        if not text.startswith("Info: "):
            self._output.write(text)
        return len(text)

    def flush(self) -> None:
        """Shows what has been written."""
        self._output.flush()


def text_to_scene(prompt: str, seed: int, output: Path) -> None:
    """Makes a scene of words on a server of this machine, and draws what came of it.

    Raises:
        RuntimeError, CalledProcessError: the server did not start, or the scene was not made.
    """
    server = start_server(output)
    try:
        address = wait_for_server(server, output)
        command = [sys.executable, "-m", "occscene_server.cli", "generate", "--prompt", prompt, "--seed", str(seed)]
        subprocess.run([*command, "--output", str(output), "--server", address], check=True, stdout=sys.stdout)
    finally:
        server.terminate()
        server.wait()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    blender_addon.register()
    draw_results(output, prompt, "The layout that the prior wrote", "Layout")


def start_server(output: Path) -> subprocess.Popen[bytes]:
    """Starts a server on a free port of this machine; it loads the model while Blender opens."""
    (output / "server.address").unlink(missing_ok=True)
    command = [sys.executable, "-m", "occscene_server.cli", "serve", "--port", "0"]
    command += ["--store", str(output / "server"), "--ready-file", str(output / "server.address")]
    with (output / "server.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)


def wait_for_server(server: subprocess.Popen[bytes], output: Path) -> str:
    """The address that the server wrote once it listened.

    Raises:
        RuntimeError: it ended, or it took too long; its log says why.
    """
    address = output / "server.address"
    deadline = time.monotonic() + SERVER_START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        if address.exists():
            return address.read_text().strip()
        time.sleep(0.1)
    raise RuntimeError(f"the server did not start; see {output / 'server.log'}")


def open_blockout(sample: str, prompt: str, output: Path) -> None:
    """Builds the sample in an empty Blender, guesses the classes, fits the volume, and writes what will be sent."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    blender_addon.register()
    if sample in STREET_SAMPLES:
        build_street_blockout(STREET_SAMPLES[sample].seed, STREET_SAMPLES[sample].prompt)
    else:
        build_sample(sample)
    if prompt:
        bpy.context.scene.occscene.prompt = prompt
    say(f"Blender {bpy.app.version_string}, {sample}: {bpy.context.scene.occscene.prompt}")
    with no_reports():
        bpy.ops.occscene.guess_classes()
        if sample not in STREET_SAMPLES:  # a street comes with its volume
            bpy.ops.occscene.fit_volume()
        bpy.ops.occscene.voxelize(filepath=str(output / "blockout.npz"), cameras_filepath=str(output / "cameras.json"))
    grid = load_grid(output / "blockout.npz")
    size = " x ".join(map(str, grid.shape))
    say(f"{len(grid.objects)} objects tagged by their names, {np.count_nonzero(grid.labels):,} of {size} voxels filled")


def draw_results(
    output: Path, prompt: str, caption: str = "The blockout that Blender sent", name: str = "Blockout"
) -> None:
    """Writes `voxels.png` and `sheet.png` from the grids and views in `output`; empties Blender's scene."""
    blockout, predicted = load_grid(output / "blockout.npz"), load_grid(output / "occupancy.npz")
    cameras = load_cameras(output / "cameras.json")
    voxels = np.stack([render_voxels(grid) for grid in (blockout, predicted)])
    Image.fromarray(np.concatenate(list(voxels), axis=1)).save(output / "voxels.png")
    seen = np.stack([class_view(blockout, camera) for camera in cameras])
    views = [np.asarray(Image.open(path).convert("RGB")) for path in read_result(output).views.values()]
    sheet = [
        captioned(caption, seen),
        captioned(f"Views: {prompt}", np.stack(views)),
        captioned(f"{name} and predicted occupancy{_CUT[blockout.taxonomy]}", voxels),
    ]
    stacked(sheet).save(output / "sheet.png")


def class_view(grid: SemanticGrid, camera: PinholeCamera) -> NDArray[np.uint8]:
    """What a camera sees of a grid in its classes' colours, darker with distance, at half its size, enlarged again.

    Args:
        grid: any grid.
        camera: of an even width and height.

    Returns:
        (height, width, 3).
    """
    reach = _REACH[grid.taxonomy]
    hits, depths = march(grid, camera, reach, stride=2)
    colors = np.array([entry.color for entry in TAXONOMIES[grid.taxonomy].classes], np.float64)
    shade = np.clip(1.15 - depths / reach, 0.3, 1.0)[..., None]
    shaded: NDArray[np.uint8] = (colors[looked_up(grid.labels, hits)] * shade).astype(np.uint8)
    if grid.taxonomy == OUTDOOR.name:
        shaded[hits < 0] = _SKY
    return shaded.repeat(2, axis=0).repeat(2, axis=1)


def render_voxels(grid: SemanticGrid, side: int = IMAGE_SIDE) -> NDArray[np.uint8]:
    """A Cycles rendering of a grid's mesh from above a corner, (side, side, 3), in an emptied Blender."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    grid_object(scene, without_near_walls(grid), "Voxels")
    scene.world = bpy.data.worlds.new("Sky")
    scene.world.color = (0.9, 0.9, 0.9)
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.data.energy, sun.data.angle, sun.rotation_euler = 2.5, 0.3, (0.5, 0.35, 0.0)
    scene.collection.objects.link(sun)
    radiance = render_views([corner_camera(grid, side)], RenderSettings(samples=16, threads=2), 0)
    return develop(radiance, exposure(radiance, key=0.5))[0]


def without_near_walls(grid: SemanticGrid) -> SemanticGrid:
    """A room opened towards the corner that `corner_camera` looks from: no ceiling, no walls at low x and low y."""
    if grid.taxonomy == OUTDOOR.name:
        return grid.without_instances()
    taxonomy = TAXONOMIES[grid.taxonomy]
    shell = np.isin(grid.labels, [taxonomy.index_of("wall"), taxonomy.index_of("window")])
    occupied = np.argwhere(shell)
    low = occupied.min(axis=0) if len(occupied) else np.zeros(3, int)
    labels = grid.labels.copy()
    labels[labels == taxonomy.index_of("ceiling")] = 0
    near = np.zeros(labels.shape, bool)
    near[: low[0] + 4], near[:, : low[1] + 4] = True, True
    labels[near & (labels != taxonomy.index_of("floor"))] = 0
    return replace(grid.without_instances(), labels=labels)


def corner_camera(grid: SemanticGrid, side: int) -> PinholeCamera:
    """A camera high above the corner of low x and y, looking at the grid's middle."""
    extent = np.array(grid.shape) * grid.voxel_size
    target = grid.world_from_grid[:3, :3] @ (extent * (0.5, 0.5, 0.3)) + grid.world_from_grid[:3, 3]
    position = target + grid.world_from_grid[:3, :3] @ (np.array([-1.0, -1.15, 1.25]) * extent.max())
    pose = looking_at(position, target, grid.world_from_grid[:3, 2])
    focal = 1.25 * side
    return PinholeCamera("corner", side, side, focal, focal, side / 2, side / 2, pose)


if __name__ == "__main__":
    typer.run(demo)
