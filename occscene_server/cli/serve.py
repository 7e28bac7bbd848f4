"""`occscene-server serve`."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import signal
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from occscene import __version__, tracing
from occscene.v1 import scene_service_pb2
from platformdirs import user_data_path

from occscene_server.api.access import TlsFiles, check_exposure, endpoint
from occscene_server.api.logs import LogFormat, configure_logs
from occscene_server.api.server import Server, ServerOptions
from occscene_server.api.tokens import Tokens, create_token, read_tokens
from occscene_server.api.worker_setup import set_up_worker
from occscene_server.cli.config import FROM_ENVIRONMENT, ConfigFile, ConfigurableCommand
from occscene_server.cli.console import user_errors
from occscene_server.engine.local import LocalEngine, Patience
from occscene_server.engine.pipeline_loader import check_device, load_pipeline
from occscene_server.engine.ray_engine import RayEngine
from occscene_server.engine.ray_options import RayOptions
from occscene_server.jobs.errors import StoreError
from occscene_server.jobs.store import StoreLimits
from occscene_server.models.checkpoint_options import CheckpointOptions
from occscene_server.pipelines.checkpoint_arguments import USUAL, with_checkpoint
from occscene_server.terminal import say
from occscene_server.weights import bundled_models

log = logging.getLogger(__name__)

serve_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_ACCESS, _LIMITS, _OBSERVED, _CLUSTER = "Access", "Limits", "Observation", "Cluster"


def default_store() -> Path:
    """The default folder for jobs: the user's data folder."""
    return user_data_path("occscene", appauthor=False) / "jobs"


@serve_app.command(cls=ConfigurableCommand, context_settings=FROM_ENVIRONMENT)
@with_checkpoint()
def serve(
    config: ConfigFile = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 50051,
    model: Annotated[
        str,
        typer.Option(
            help="Model folder or hub id; a Stable Diffusion checkpoint as a folder, a .safetensors file, a hub id, or "
            "sdxl, sdxl-lightning or sd15; if omitted the bundled models of both domains, loaded when needed."
        ),
    ] = "",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    store: Annotated[
        Path | None, typer.Option(help="Folder for jobs and results; the user's data folder if omitted.")
    ] = None,
    database: Annotated[
        str,
        typer.Option(
            help="postgresql:// URL for the list of jobs, which several servers can share: all take calls, one runs "
            "the jobs, and the next takes over when it ends. Needs --artifacts.",
            rich_help_panel=_CLUSTER,
        ),
    ] = "",
    artifacts: Annotated[
        str,
        typer.Option(
            help="Folder or URL (s3://bucket/folder) for large requests and results; in --store if omitted.",
            rich_help_panel=_CLUSTER,
        ),
    ] = "",
    ready_file: Annotated[
        Path | None, typer.Option(help="Write host:port here once the server listens; for scripts with --port 0.")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="Ask for the token in this file (mode 0600; created if missing), or for one of its lines NAME TOKEN: "
            "then each client has only its own jobs, and the one called admin all.",
            rich_help_panel=_ACCESS,
        ),
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Private key (PEM).", rich_help_panel=_ACCESS)] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(help="Certificate chain (PEM).", rich_help_panel=_ACCESS)
    ] = None,
    tls_client_ca: Annotated[
        Path | None,
        typer.Option(help="Ask clients for a certificate signed by one of these (PEM).", rich_help_panel=_ACCESS),
    ] = None,
    max_queued: Annotated[int, typer.Option(min=1, help="Jobs that may wait.", rich_help_panel=_LIMITS)] = 64,
    max_queued_each: Annotated[
        int,
        typer.Option(
            min=1,
            help="Jobs of one client that may wait; clients are told apart by their tokens' names, or else addresses.",
            rich_help_panel=_LIMITS,
        ),
    ] = 32,
    store_gib: Annotated[
        float,
        typer.Option(
            min=0.1,
            max=2**20,
            help="GiB of stored jobs; beyond it the oldest finished ones are deleted.",
            rich_help_panel=_LIMITS,
        ),
    ] = 10.0,
    store_days: Annotated[
        float, typer.Option(min=0.01, max=36_500, help="Days for which ended jobs are kept.", rich_help_panel=_LIMITS)
    ] = 30.0,
    step_minutes: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=10_080,
            help="Minutes for one step of a job, or for loading the model, after which the worker counts as hung and "
            "is replaced; its job is retried once.",
            rich_help_panel=_LIMITS,
        ),
    ] = 30.0,
    warm_up: Annotated[
        bool,
        typer.Option(
            help="Run a small job before the first, which is then as fast as the next; --no-warm-up starts sooner.",
            rich_help_panel=_LIMITS,
        ),
    ] = True,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Prometheus metrics; 0 takes a free port.",
            rich_help_panel=_OBSERVED,
        ),
    ] = None,
    metrics_host: Annotated[
        str,
        typer.Option(
            help="Address of the metrics. Who reaches it reads them, without TLS or token.", rich_help_panel=_OBSERVED
        ),
    ] = "127.0.0.1",
    log_format: Annotated[
        LogFormat, typer.Option(help="Format of the log: text lines or JSON objects.", rich_help_panel=_OBSERVED)
    ] = "text",
    log_prompts: Annotated[
        bool, typer.Option("--log-prompts", help="Let the log hold the prompts.", rich_help_panel=_OBSERVED)
    ] = False,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="Run jobs in one worker process here, or on a Ray cluster.", rich_help_panel=_CLUSTER),
    ] = "local",
    ray_address: Annotated[
        str,
        typer.Option(
            help="host:port of the cluster's head; auto for the one of this machine; local starts one.",
            rich_help_panel=_CLUSTER,
        ),
    ] = "auto",
    ray_replicas: Annotated[
        int,
        typer.Option(
            min=0, help="Number of models, each on its own GPU; 0 is one for each GPU.", rich_help_panel=_CLUSTER
        ),
    ] = 0,
    ray_max_replicas: Annotated[
        int,
        typer.Option(
            min=0, help="Number of models while jobs wait; 0 for as many as otherwise.", rich_help_panel=_CLUSTER
        ),
    ] = 0,
    ray_shrink_seconds: Annotated[
        float,
        typer.Option(
            min=1.0, help="Seconds without work after which further models go again.", rich_help_panel=_CLUSTER
        ),
    ] = 600.0,
    checkpoint: CheckpointOptions = USUAL,
) -> None:
    """Run the server that Blender talks to.

    It listens on this machine only; another address needs TLS and a token. Each option can also come from an
    OCCSCENE_* variable or from a TOML file (--config); the command line comes first, then the variables.
    """
    configure_logs(log_format)
    tracing.configure("occscene-server")
    with user_errors():
        loader = load_pipeline if checkpoint == USUAL else partial(load_pipeline, options=checkpoint)
        tls = None
        if tls_key is not None and tls_certificate is not None:
            tls = TlsFiles(tls_key, tls_certificate, tls_client_ca)
        elif tls_key or tls_certificate or tls_client_ca:
            raise ValueError("TLS needs both --tls-key and --tls-certificate; give both or neither")
        check_device(device)
        check_exposure(host, tls, token_file)  # before a token is made
        if database and not artifacts:
            raise ValueError(
                "--database is without --artifacts; give a folder or URL for results that all servers on it can reach"
            )
        options = ServerOptions(
            model=model,
            store=store or default_store(),
            host=host,
            port=port,
            device=device,
            max_queued=max_queued,
            max_queued_each=max_queued_each,
            store_limits=StoreLimits(int(store_gib * 2**30), store_days * 86_400),
            tokens=_tokens(token_file) if token_file else {},
            tls=tls,
            metrics_host=metrics_host,
            metrics_port=metrics_port,
            log_prompts=log_prompts,
            loader=partial(set_up_worker, log_format, warm_up, loader),
            engine=_ray_engine(
                RayOptions(
                    ray_address,
                    ray_replicas,
                    ray_max_replicas,
                    shrink_seconds=ray_shrink_seconds,
                    step=60.0 * step_minutes,
                    keep=bool(database),
                ),
                log_format,
            )
            if engine == "ray"
            else partial(LocalEngine, patience=Patience(step=60.0 * step_minutes)),
            database=database,
            artifacts=artifacts,
        )
        try:
            failure = asyncio.run(_serve(options, log_format, ready_file))
        except StoreError as error:
            raise ValueError(str(error)) from error
        if failure:
            raise ValueError(failure)


def _tokens(path: Path) -> Tokens:
    if not path.exists():
        create_token(path)
        log.info("a random token was written to %s; give clients a copy of the file", path)
    return read_tokens(path)


def _ray_engine(options: RayOptions, log_format: LogFormat) -> Any:
    if importlib.util.find_spec("ray") is None:
        raise ValueError("--engine ray needs Ray; run: pip install 'occscene-server[server,ray]'")
    if options.max_replicas and options.max_replicas < (options.replicas or 1):
        raise ValueError(
            f"--ray-max-replicas is {options.max_replicas} and --ray-replicas is {options.replicas}; give at least as "
            "many, or omit --ray-max-replicas"
        )
    return partial(RayEngine, options, partial(configure_logs, log_format))


async def _serve(options: ServerOptions, log_format: LogFormat, ready_file: Path | None) -> str:
    """Serves until a signal or until the model cannot be loaded; returns what was wrong, if anything."""
    stop, force_stop = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(force_stop.set if stop.is_set() else stop.set))
    server = Server(options)
    begin = time.monotonic()
    await server.start()
    _introduce(options, server, log_format)
    if ready_file is not None:
        part = ready_file.with_name(ready_file.name + ".part")
        part.write_text(f"{endpoint(options.host, server.port)}\n", encoding="ascii")
        part.replace(ready_file)
    stopping = asyncio.create_task(stop.wait())
    losing = asyncio.create_task(server.store_lost.wait())
    leading = asyncio.create_task(server.leading.wait())
    if not server.leading.is_set():
        _say(log_format, "another server runs the jobs; this one takes calls, and stands by to run them")
        await asyncio.wait((leading, stopping, losing), return_when=asyncio.FIRST_COMPLETED)
        if leading.done():
            begin = time.monotonic()
            _say(log_format, "the other server has ended; this one runs the jobs from now on")
    loading = asyncio.create_task(server.engine.ready())
    await asyncio.wait((loading, stopping, losing), return_when=asyncio.FIRST_COMPLETED)
    if loading.done() and not loading.result():
        await server.stop()
        return server.engine.message
    if loading.done():
        _say(log_format, f"ready on {server.engine.device} after {time.monotonic() - begin:.1f} s")
    await asyncio.wait((stopping, losing), return_when=asyncio.FIRST_COMPLETED)
    if losing.done():
        await server.stop()
        return "the database has gone; its jobs are kept, start this server again to wait for it"
    _say(log_format, "stopping; a running job is finished first, Ctrl-C again puts it back into the queue")
    draining = asyncio.create_task(server.drain())
    forcing = asyncio.create_task(force_stop.wait())
    await asyncio.wait((draining, forcing, losing), return_when=asyncio.FIRST_COMPLETED)
    for task in (leading, loading, draining, forcing, losing):
        task.cancel()
    await server.stop()
    return "" if server.engine.state != scene_service_pb2.SERVER_STATE_FAILED else server.engine.message


def _say(log_format: LogFormat, text: str) -> None:
    """Prints for people, logs for machines."""
    if log_format == "json":
        log.info(text)
    else:
        say(text)


def _introduce(options: ServerOptions, server: Server, log_format: LogFormat) -> None:
    guards = [name for name, on in (("TLS", options.tls), ("token", options.tokens)) if on]
    rows = {
        "listens": f"{endpoint(options.host, server.port)} ({', '.join(guards) or 'this machine only'})",
        "model": options.model or ", ".join(path.name for path in bundled_models().values()),
        "device": f"{options.device}, loading the model ..." if server.jobs.leads else "that of the other server",
        "jobs": f"{'PostgreSQL' if options.database else options.store} ({server.jobs.counts()[0]} waiting)",
    }
    if options.metrics_port is not None:
        rows["metrics"] = f"http://{endpoint(options.metrics_host, server.metrics_port)}/metrics"
    if log_format == "json":
        log.info("OccScene server %s", __version__, extra=rows)
        return
    say(f"OccScene server {__version__}", "bold")
    for name, text in (rows | {"stop": "Ctrl-C"}).items():
        say(f"  {name:<8} {text}")
