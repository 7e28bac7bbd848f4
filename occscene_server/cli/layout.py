"""`occscene-server layout`: rooms and streets as boxes, from a prompt and from given objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from occscene.codec import volume_to_message
from occscene.grid import GridVolume
from occscene.layout import Layout
from occscene.layout_codec import layout_from_message, layout_to_message
from occscene.placed_layout import load_layout
from occscene.settings import Settings
from occscene.settings_codec import fill_message
from occscene.taxonomy import taxonomy_named
from occscene.v1 import job_pb2, scene_service_pb2
from occscene.volumes import default_volume

from occscene_server.cli.connection import LOCAL, Connection, with_connection
from occscene_server.cli.console import user_errors
from occscene_server.cli.progress import JobResult
from occscene_server.cli.setting_options import DEFAULTS, with_settings
from occscene_server.cli.task_runner import Device, Model, TaskRunner
from occscene_server.terminal import one_line, say


@with_connection(waits=True, or_here=True)
@with_settings("prompt", "seed")
def layout(
    output: Annotated[Path, typer.Option(help="Folder for layout.json and blockout.npz.", file_okay=False)],
    settings: Settings = DEFAULTS,
    given: Annotated[
        Path | None,
        typer.Option(help="Layout (.json) of the objects that are there already.", exists=True, dir_okay=False),
    ] = None,
    redraw: Annotated[
        list[str] | None, typer.Option(help="Name of given objects to draw again; may be repeated.")
    ] = None,
    furnish: Annotated[
        bool | None, typer.Option(help="Furnish the rest of the scene; the default without --redraw.")
    ] = None,
    parts: Annotated[bool, typer.Option(help="Give boxes parts.")] = False,
    taxonomy: Annotated[str, typer.Option(help="indoor or outdoor; a given layout brings its own.")] = "indoor",
    connection: Connection = LOCAL,
    model: Model = None,
    device: Device = "auto",
) -> None:
    """Compose a room or a street of named and coloured boxes from a prompt and given objects."""
    with user_errors(), TaskRunner(connection, model, device) as runner:
        before = None if given is None else load_layout(given)
        domain = taxonomy_named(taxonomy if before is None else before.layout.taxonomy, "--taxonomy").name
        volume = default_volume(domain, None if before is None else before.world_from_layout)
        task = compose_task(settings, volume, domain, parts)
        if before is not None:
            task.layout.CopyFrom(layout_to_message(before))
            task.taxonomy = ""
        task.redraw.extend(_places(None if before is None else before.layout, redraw or [], given))
        task.furnish = not redraw if furnish is None else furnish
        request = scene_service_pb2.SubmitJobRequest(compose_layout=task)
        result = JobResult(output, request, runner.server)
        composed = run_composition(runner, request, result.take, result.accepted)
    for note in composed.notes:
        say(one_line(f"note: {note}"))
    written = layout_from_message(composed.layout).layout
    say(one_line(f"{describe(written)}; layout.json and blockout.npz are in {output}"))


def compose_task(settings: Settings, volume: GridVolume, taxonomy: str, parts: bool) -> job_pb2.ComposeLayout:
    """The task that furnishes an empty volume, with boxes or with their parts."""
    task = job_pb2.ComposeLayout(volume=volume_to_message(volume), taxonomy=taxonomy, furnish=True, with_parts=parts)
    fill_message(settings, task)
    return task


def run_composition(
    runner: TaskRunner,
    request: scene_service_pb2.SubmitJobRequest,
    take: Callable[[job_pb2.JobEvent], object] = lambda event: None,
    accepted: Callable[[job_pb2.Job], object] = lambda job: None,
) -> job_pb2.JobLayout:
    """Composes a layout; the arguments are those of `TaskRunner.run`.

    Raises:
        ValueError, SceneError: the request is wrong, or there is no prior for it.
    """
    composed = job_pb2.JobLayout()

    def keep(event: job_pb2.JobEvent) -> None:
        take(event)
        if event.HasField("layout"):
            composed.CopyFrom(event.layout)

    runner.check(request)
    runner.run(request, keep, accepted=accepted)
    return composed


def describe(written: Layout) -> str:
    """A layout in words: its room and the count of each kind of object."""
    names = [obj.name for obj in written.objects]
    counts = ", ".join(
        f"{names.count(name)} {name}" if names.count(name) > 1 else name for name in dict.fromkeys(names)
    )
    if written.room is None:
        return counts
    return f"a room of {' x '.join(f'{side:.2f}' for side in written.room.size)} m with {counts}"


def _places(before: Layout | None, redraw: Sequence[str], given: Path | None) -> list[int]:
    """Places of the given objects that have one of some names, however capitalised."""
    if redraw and before is None:
        raise ValueError(f"--redraw is {redraw[0]!r}, but without --given nothing stands there; give both")
    objects = before.objects if before is not None else ()
    chosen: list[int] = []
    for name in redraw:
        places = [index for index, obj in enumerate(objects) if obj.name.lower() == name.lower()]
        if not places:
            known = ", ".join(sorted({obj.name for obj in objects}))
            raise ValueError(f"--redraw is {name!r}, but {given} has no such object; it has {known}")
        chosen += [place for place in places if place not in chosen]
    return chosen
