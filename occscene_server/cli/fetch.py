"""`occscene-server jobs fetch`: the results of a job that was submitted before, by whomever."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from occscene.v1 import job_pb2

from occscene_server.api.client import ServerError
from occscene_server.api.results import ProgressDisplay, ResultFolder, ended_badly
from occscene_server.cli.console import (
    DEFAULT_ADDRESS,
    CaFile,
    IdentityFile,
    ServerAddress,
    TokenFile,
    connect,
    user_errors,
)
from occscene_server.terminal import say


def fetch_job(
    job: Annotated[str, typer.Argument(help="The job's id, the beginning of it, or its request id.")],
    output: Annotated[Path, typer.Option(help="Folder for views, occupancy and result.json.", file_okay=False)],
    server: ServerAddress = DEFAULT_ADDRESS,
    token_file: TokenFile = None,
    tls_ca: CaFile = None,
    tls_identity: IdentityFile = None,
) -> None:
    """Fetch a job's results; waits for a job that has not ended.

    Writes what `generate` writes: view_NAME.png for each camera, occupancy.npz, cameras.json and result.json; of a
    layout, layout.json and blockout.npz.
    """
    with user_errors(), connect(server, token_file, tls_ca, tls_identity) as client:
        found = client.find(job)
        if found.state in (job_pb2.JOB_STATE_FAILED, job_pb2.JOB_STATE_CANCELLED):
            raise ended_badly(found.failure if found.HasField("failure") else None)
        request = client.request(found.id)
        folder = ResultFolder(output, getattr(request, str(request.WhichOneof("task"))))
        try:
            with ProgressDisplay(folder.take) as display:
                for event in client.watch(found.id):
                    display.show(event)
        except KeyboardInterrupt as error:
            raise ServerError(f"interrupted; job {found.id} goes on, fetch it later") from error
    say(f"the results of job {found.id} are in {output}")
