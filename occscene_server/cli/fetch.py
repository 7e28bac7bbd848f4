"""`occscene-server jobs fetch`: the results of a job that was submitted before, by any client."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from occscene.client.errors import JobCancelledError, JobFailedError
from occscene.v1 import job_pb2

from occscene_server.cli.connection import LOCAL, Connection, with_connection
from occscene_server.cli.console import user_errors
from occscene_server.cli.progress import JobResult, ProgressDisplay
from occscene_server.terminal import say


@with_connection(waits=True)
def fetch_job(
    job: Annotated[str, typer.Argument(help="The job's id, the beginning of it, or its request id.")],
    output: Annotated[Path, typer.Option(help="Folder for views, occupancy and result.json.", file_okay=False)],
    connection: Connection = LOCAL,
) -> None:
    """Fetch a job's results; waits for a job that has not ended.

    Writes what `generate` writes: view_NAME.png for each camera, occupancy.npz, cameras.json, result.json, and what was
    sent, blockout.npz; of a layout, layout.json and blockout.npz.
    """
    display = ProgressDisplay()
    with user_errors(), connection.open(display.wait) as client:
        client.info()  # an unreachable server is reported at once
        record = client.find(job)
        if record.state == job_pb2.JOB_STATE_FAILED:
            raise JobFailedError(record.failure)
        if record.state == job_pb2.JOB_STATE_CANCELLED:
            raise JobCancelledError
        request = client.request(record.id)
        try:
            result = JobResult(output, request, connection.server or "")
            result.accepted(record)
            with display:
                for event in client.watch(record.id):
                    display.show(event)
                    result.take(event)
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt(f"interrupted; job {record.id} goes on, fetch it later") from error
    say(f"the results of job {record.id} are in {output}")
