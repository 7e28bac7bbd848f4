"""`occscene-server studio`: makes synthetic scenes for training and shows them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from occscene.limits import MAX_IMAGE_SIDE, MIN_IMAGE_SIDE
from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

from occscene_server.data.dataset import list_scenes, read_info, read_scene, scene_folder
from occscene_server.data.layouts import ROOMS_PER_FILE, layouts_file
from occscene_server.data.scene_mesh import MESHES_FILE
from occscene_server.data.scene_windows import WINDOW_SIDE, missing_windows
from occscene_server.data.seeds import seed_range
from occscene_server.studio.domains import DOMAINS, VIEWS
from occscene_server.studio.layouts import write_rooms
from occscene_server.studio.scene_meshes import add_meshes
from occscene_server.studio.sheet import contact_sheet
from occscene_server.studio.workers import SceneTask, Task, WindowsTask, render_all
from occscene_server.terminal import PlainTextColumn, Progress, errors, track

studio_app = typer.Typer(help="Make synthetic scenes for training.", no_args_is_help=True)


@studio_app.command()
def render(
    output: Annotated[Path, typer.Option(help="Folder that receives a folder for each scene.")],
    scenes: Annotated[str, typer.Option(help="Seeds FIRST:END[:STEP], END not included.")] = "0:8",
    domain: Annotated[str, typer.Option(help="What to render: indoor or outdoor.")] = "indoor",
    image_size: Annotated[
        int, typer.Option(min=MIN_IMAGE_SIDE, max=MAX_IMAGE_SIDE, help="Pixels of a side of the square views.")
    ] = 256,
    workers: Annotated[int, typer.Option(min=1, help="Processes of one thread each.")] = 2,
    semantics: Annotated[bool, typer.Option(help="Also store which item each pixel shows.")] = False,
) -> None:
    """Render scenes; existing ones are kept, so that an interrupted rendering resumes."""
    if domain not in DOMAINS:
        raise typer.BadParameter(f"--domain is {domain!r}; it must be one of {', '.join(DOMAINS)}")
    seeds = [seed for seed in _seeds(scenes) if not scene_folder(output, seed).exists()]
    if not seeds:
        errors.say(f"all scenes of {scenes} are in {output} already")
        return
    output.mkdir(parents=True, exist_ok=True)
    _run_all([SceneTask(domain, seed, output, image_size, semantics) for seed in seeds], workers, VIEWS[domain])


@studio_app.command()
def windows(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of rendered scenes.")],
    windows: Annotated[int, typer.Option(min=1, help="Windows of each view.")] = 1,
    size: Annotated[
        int, typer.Option(min=WINDOW_SIDE + 1, max=MAX_IMAGE_SIDE, help="Pixels of a side of the whole view.")
    ] = 512,
    workers: Annotated[int, typer.Option(min=1, help="Processes of one thread each.")] = 2,
) -> None:
    """Add random windows of 256 pixels of larger views to scenes; existing ones are kept."""
    paths = list_scenes(folder)
    views = {path: VIEWS[read_info(path).domain] for path in paths}
    tasks = [
        WindowsTask(int(path.name.removeprefix("scene_")), path, windows, size)
        for path in paths
        if missing_windows(path, views[path], windows, size)
    ]
    if not tasks:
        errors.say(f"all scenes of {folder} have {windows} windows of each view at {size} pixels already")
        return
    _run_all(tasks, workers, max(views.values()) * windows)


def _run_all(tasks: Sequence[Task], workers: int, images: int) -> None:
    """Runs tasks that render `images` images each, and exits with 1 if one of them fails twice."""
    columns = (PlainTextColumn(), BarColumn(), MofNCompleteColumn(), PlainTextColumn("{task.fields[speed]}"))
    failed: list[int] = []
    finished = 0
    with Progress(*columns, TimeRemainingColumn(), console=errors) as progress:
        bar = progress.add_task("scenes", total=len(tasks), speed="")
        for outcome in render_all(tasks, workers):
            seed = outcome.task.seed
            if outcome.error is None:
                finished += 1
            elif outcome.will_retry:
                errors.say(f"scene {seed}: {outcome.error}; retrying it once")
                continue
            else:
                errors.say(f"scene {seed}: {outcome.error}; left out")
                failed.append(seed)
            elapsed = progress.tasks[bar].elapsed or 0.0
            progress.update(bar, advance=1, speed=f"{images * finished / max(elapsed, 1e-6):.2f} images/s")
    if failed:
        errors.say(f"{len(failed)} of {len(tasks)} scenes could not be rendered: {failed}")
        raise typer.Exit(1)


@studio_app.command()
def meshes(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of rendered indoor scenes.")],
) -> None:
    """Store the triangles of scenes that were rendered without them, if the studio still draws the same room."""
    missing = [path for path in list_scenes(folder) if not (path / MESHES_FILE).exists()]
    changed = [
        path.name for path in track(missing, "scenes") if not add_meshes(path, int(path.name.removeprefix("scene_")))
    ]
    errors.say(f"{len(missing) - len(changed)} scenes have their triangles now")
    if changed:
        errors.say(f"{len(changed)} were rendered by another version of the studio and stay without: {changed}")
        raise typer.Exit(1)


@studio_app.command()
def layouts(
    output: Annotated[Path, typer.Option(help="Folder that receives files of 1,000 rooms or streets each.")],
    scenes: Annotated[str, typer.Option(help="Seeds FIRST:END, END not included; whole thousands.")] = "0:5000",
    domain: Annotated[str, typer.Option(help="What to write: indoor or outdoor.")] = "indoor",
    workers: Annotated[int, typer.Option(min=1, help="Processes of one thread each.")] = 1,
) -> None:
    """Write rooms or streets as boxes, parts and prompts, without rendering; existing files are kept."""
    if domain not in DOMAINS:
        raise typer.BadParameter(f"--domain is {domain!r}; it must be one of {', '.join(DOMAINS)}")
    seeds = _seeds(scenes)
    if seeds.start % ROOMS_PER_FILE or seeds.stop % ROOMS_PER_FILE or seeds.step != 1:
        raise typer.BadParameter(
            f"--scenes is {scenes!r}; both ends must be multiples of {ROOMS_PER_FILE} and no step, for example 0:5000"
        )
    output.mkdir(parents=True, exist_ok=True)
    files = len(seeds) // ROOMS_PER_FILE
    there = sum(layouts_file(output, first).exists() for first in seeds[::ROOMS_PER_FILE])
    columns = (PlainTextColumn(), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors) as progress:
        bar = progress.add_task("files", total=files, completed=there)
        for _ in write_rooms(output, seeds, workers, domain):
            progress.advance(bar)


@studio_app.command()
def sheet(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of rendered scenes.")],
    image: Annotated[Path, typer.Argument(help="Image file to write.")],
    count: Annotated[int, typer.Option(min=1, help="How many scenes to show.")] = 8,
) -> None:
    """Draw a contact sheet of the first scenes of a folder with their prompts."""
    scenes = list_scenes(folder)[:count]
    if not scenes:
        raise typer.BadParameter(f"{folder} holds no scene; render some with: occscene-server studio render")
    contact_sheet([read_scene(path) for path in scenes]).save(image)


def _seeds(scenes: str) -> range:
    try:
        return seed_range(scenes)
    except ValueError as error:
        raise typer.BadParameter(f"--scenes is {scenes!r}; {error}") from None


if __name__ == "__main__":
    studio_app()
