"""`occscene-server serve`."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from pathlib import Path
from typing import Annotated

import typer
from occscene import __version__
from occscene.v1 import scene_service_pb2

from occscene_server.api.access import TlsFiles, read_token
from occscene_server.api.console import TokenFile, console, errors, user_errors
from occscene_server.api.server import Server, ServerOptions
from occscene_server.jobs.store import StoreInUseError
from occscene_server.weights import default_model


def default_store() -> Path:
    """Where jobs are kept if nothing else is said: the user's data folder."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "occscene" / "jobs"


def serve(
    host: Annotated[str, typer.Option(envvar="OCCSCENE_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="OCCSCENE_PORT", min=0, max=65535, help="0 takes a free one.")] = 50051,
    model: Annotated[
        str | None, typer.Option(envvar="OCCSCENE_MODEL", help="Model folder or hub id; the bundled one if absent.")
    ] = None,
    device: Annotated[str, typer.Option(envvar="OCCSCENE_DEVICE", help="auto, cpu, cuda or cuda:N.")] = "auto",
    store: Annotated[Path | None, typer.Option(envvar="OCCSCENE_STORE", help="Folder for jobs and results.")] = None,
    max_queued: Annotated[int, typer.Option(min=1, help="Jobs that may wait.")] = 32,
    max_finished: Annotated[int, typer.Option(min=1, help="Finished jobs that are kept.")] = 200,
    token_file: TokenFile = None,
    tls_key: Annotated[Path | None, typer.Option(help="Private key (PEM).")] = None,
    tls_certificate: Annotated[Path | None, typer.Option(help="Certificate chain (PEM).")] = None,
    tls_client_ca: Annotated[
        Path | None, typer.Option(help="Ask clients for a certificate signed by one of these (PEM).")
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="Write host:port here once the server listens; for scripts with --port 0.")
    ] = None,
) -> None:
    """Run the server that Blender talks to.

    It listens on this machine alone; another address needs TLS and a token. A token file that does not exist is made,
    with a random token.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
    with user_errors():
        if (tls_key is None) != (tls_certificate is None):
            raise ValueError("--tls-key and --tls-certificate belong together; give both or neither")
        tls = TlsFiles(tls_key, tls_certificate, tls_client_ca) if tls_key and tls_certificate else None
        options = ServerOptions(
            model=model or str(default_model()),
            store=store or default_store(),
            host=host,
            port=port,
            device=device,
            max_queued=max_queued,
            max_finished=max_finished,
            token=read_token(token_file) if token_file else None,
            tls=tls,
        )
        try:
            failure = asyncio.run(_serve(options, ready_file))
        except StoreInUseError as error:
            raise ValueError(str(error)) from error
        if failure:
            raise ValueError(failure)


async def _serve(options: ServerOptions, ready_file: Path | None) -> str:
    """Serves until a signal or until the model cannot be loaded; returns what was wrong, if anything."""
    stop, hurry = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(hurry.set if stop.is_set() else stop.set))
    server = Server(options)
    begin = time.monotonic()
    await server.start()
    _introduce(options, server)
    if ready_file is not None:
        part = ready_file.with_name(ready_file.name + ".part")
        part.write_text(f"{options.host}:{server.port}\n", encoding="ascii")
        part.replace(ready_file)
    loading = asyncio.create_task(server.engine.ready())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((loading, stopping), return_when=asyncio.FIRST_COMPLETED)
    if loading.done() and not loading.result():
        await server.stop()
        return f"{server.engine.message}; give another --model"
    if loading.done():
        console.print(f"ready on {server.engine.device} after {time.monotonic() - begin:.1f} s")
    await stopping
    errors.print("stopping; the running job is finished first, Ctrl-C again puts it back into the queue")
    draining = asyncio.create_task(server.drain())
    hurrying = asyncio.create_task(hurry.wait())
    await asyncio.wait((draining, hurrying), return_when=asyncio.FIRST_COMPLETED)
    for task in (loading, draining, hurrying):
        task.cancel()
    await server.stop()
    return "" if server.engine.state != scene_service_pb2.SERVER_STATE_FAILED else server.engine.message


def _introduce(options: ServerOptions, server: Server) -> None:
    guards = [name for name, on in (("TLS", options.tls), ("token", options.token)) if on]
    rows = {
        "listens": f"{options.host}:{server.port} ({', '.join(guards) or 'this machine only'})",
        "model": options.model,
        "device": f"{options.device}, loading the model ...",
        "jobs": f"{options.store} ({server.jobs.queued} waiting)",
        "stop": "Ctrl-C",
    }
    console.print(f"[bold]OccScene server {__version__}[/]")
    for name, text in rows.items():
        console.print(f"  {name:<8} {text}", highlight=False, soft_wrap=True)
