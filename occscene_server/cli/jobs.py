"""`occscene-server info` and `occscene-server jobs`: questions to a running server."""

from __future__ import annotations

from typing import Annotated

import typer
from occscene.events import advice_on, in_words
from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.cli.connection import LOCAL, Connection, with_connection
from occscene_server.cli.console import console, user_errors
from occscene_server.cli.fetch import fetch_job
from occscene_server.terminal import PlainTable, one_line, say

jobs_app = typer.Typer(
    help="List, show, fetch, cancel and delete jobs of a running server.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

JobId = Annotated[str, typer.Argument(help="The job's id, the beginning of it, or its request id.")]


@with_connection()
def info(
    connection: Connection = LOCAL,
) -> None:
    """What a running server runs and accepts."""
    with user_errors(), connection.open() as client:
        answer = client.info()
    state = scene_service_pb2.ServerState.Name(answer.state).removeprefix("SERVER_STATE_").lower()
    say(one_line(f"OccScene server {answer.version} at {connection.server}: {state} {answer.message}"))
    say(one_line(f"  device  {answer.device or '-'}"))
    for model in answer.models:
        known = {"writes layouts": model.layout_prior, "knows parts": model.parts_prior, "draws drafts": model.drafts}
        text = (
            f"  model   {model.name}: {', '.join(model.taxonomies)}; {model.image_width} x {model.image_height} px, "
            f"{model.default_steps} steps, guidance {model.default_text_guidance_scale:g} (text) "
            f"{model.default_occupancy_guidance_scale:g} (occupancy)"
            f"{''.join(f', {does}' for does, is_so in known.items() if is_so)}"
        )
        say(one_line(text))
        if model.family not in ("", "compact"):
            controls = ", ".join(f"{control.name} {control.strength:g}" for control in model.controls)
            say(one_line(f"          {model.family}, license {model.license}; ControlNets: {controls or 'none'}"))
    limits = answer.limits
    console.print(f"  jobs    {answer.running} running, {answer.queue_length} of {limits.queued_jobs} waiting")
    console.print(
        f"  limits  {limits.views} views, {limits.steps} steps, "
        f"{limits.image_side} pixels and {limits.grid_side} voxels a side"
    )


@jobs_app.command("list")
@with_connection()
def list_jobs(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most N jobs, newest first.")] = 20,
    connection: Connection = LOCAL,
) -> None:
    """The newest jobs."""
    with user_errors(), connection.open() as client:
        jobs = client.jobs(limit)
    several = len({job.client for job in jobs}) > 1
    names = ("job", "state", "task", "submitted", *(("client",) if several else ()), "prompt")
    table = PlainTable(*names, box=None, pad_edge=False)
    for job in jobs:
        submitted = job.create_time.ToDatetime().strftime("%Y-%m-%d %H:%M:%S")
        owner = [job.client] if several else []
        table.add_row(job.id[:12], _state(job), _kind(job), submitted, *owner, job.prompt[:60])
    table.show()


@jobs_app.command("show")
@with_connection()
def show_job(
    job: JobId,
    connection: Connection = LOCAL,
) -> None:
    """One job, and why it failed if it did."""
    with user_errors(), connection.open() as client:
        record = client.find(job)
    say(one_line(f"{record.id}  {_state(record)}  {_kind(record)}"))
    for name in ("create_time", "start_time", "end_time"):
        if record.HasField(name):
            console.print(
                f"  {name.replace('_time', ''):<7} {getattr(record, name).ToDatetime():%Y-%m-%d %H:%M:%S} UTC"
            )
    if record.client:
        say(one_line(f"  client  {record.client}"))
    if record.prompt:
        say(one_line(f"  prompt  {record.prompt}"))
    if record.HasField("failure"):
        failure = record.failure
        text = in_words(failure.message, failure.advice or advice_on(failure.reason))
        say(one_line(f"  failed  {failure.reason}: {text}"))


@jobs_app.command("cancel")
@with_connection()
def cancel_job(
    job: JobId,
    connection: Connection = LOCAL,
) -> None:
    """Ask a job to end."""
    with user_errors(), connection.open() as client:
        console.print(_state(client.cancel(client.find(job).id)))


@jobs_app.command("delete")
@with_connection()
def delete_job(
    job: JobId,
    connection: Connection = LOCAL,
) -> None:
    """Delete a job and its results."""
    with user_errors(), connection.open() as client:
        client.delete(client.find(job).id)
    console.print("deleted")


jobs_app.command("fetch")(fetch_job)


def _state(job: job_pb2.Job) -> str:
    return job_pb2.JobState.Name(job.state).removeprefix("JOB_STATE_").lower()


def _kind(job: job_pb2.Job) -> str:
    return job_pb2.JobKind.Name(job.kind).removeprefix("JOB_KIND_").lower().replace("_", " ")
