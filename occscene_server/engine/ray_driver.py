"""The process between the server and a Ray cluster.

Ray ends a process whose cluster has gone, takes SIGTERM for itself, and keeps an interpreter busy while it starts. So
the server leaves all that to a child, and starts another one when it has ended. Both directions of the pipe carry
pickled tuples, as those of a worker do. To this process: ("run", number, job_id, request, context of its trace),
("cancel", number), ("leave",). From it: ("ready", device, model infos) or, before it ends, ("broken", text, "absent",
"starting" or "model") for what is broken; ("cluster", state, answers) now and then, ("event", number, event),
("interrupted", number, failure, begun) where a replica died, and ("alive", None) once a second.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from occscene.events import FINAL_EVENTS
from occscene.v1 import job_pb2
from ray import serve
from ray.exceptions import ObjectLostError, RayActorError, TaskCancelledError, WorkerCrashedError

from occscene_server.engine.deaths import DeviceLostError, device_lost
from occscene_server.engine.events import failed_event
from occscene_server.engine.ray_cluster import APPLICATION, ClusterStartsError, RayCluster
from occscene_server.engine.ray_options import ClusterState, RayOptions
from occscene_server.engine.worker import Loader, ServerEnd, end_with_server

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.5
_STATE_SECONDS = 10.0  # in which the cluster says how it is
LOST_SECONDS = 20.0
"""For which the head may be silent, as while it is busy, before this process ends to connect anew."""

_DEATHS = (RayActorError, WorkerCrashedError, ObjectLostError)  # of the replica, or of its node


def drive(
    pipe_end: Connection, loader: Loader, model: str, device: str, options: RayOptions, prepare: Callable[[], None]
) -> None:
    """Runs this process until the other end of the pipe is closed, or the cluster is lost."""
    ignore_signals()
    prepare()
    server = ServerEnd(pipe_end)
    threading.Thread(target=end_with_server, name="end-with-server", daemon=True).start()
    threading.Thread(target=server.tell_of_life, name="heartbeat", daemon=True).start()
    asyncio.run(_Driver(server, options).drive(partial(RayCluster.deploy, loader=loader, model=model, device=device)))


def ignore_signals() -> None:
    """Leaves SIGINT and SIGTERM, which go to the whole group, to the server.

    Ray catches SIGTERM in C and arms an alarm that ends the process after 3 s (ray#64830): call this after it too.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


class _Driver:
    def __init__(self, server: ServerEnd, options: RayOptions) -> None:
        self._server = server
        self._options = options
        self._cluster: RayCluster | None = None
        self._handle: Any = None
        self._streams: dict[int, Any] = {}  # of jobs that run, by the number of the run
        self._cancelled: set[int] = set()  # runs that are to end
        self._tasks: set[asyncio.Task[None]] = set()
        self._leave = asyncio.Event()

    async def drive(self, deploy: Callable[..., None]) -> None:
        """Connects, and does what the server asks until it asks to leave, or the cluster cannot run the model."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, args=(loop,), name="server-pipe", daemon=True).start()
        serving = asyncio.create_task(self._serve(deploy))
        leaving = asyncio.create_task(self._leave.wait())
        await asyncio.wait((serving, leaving), return_when=asyncio.FIRST_COMPLETED)
        if self._cluster is None:
            os._exit(0)  # not even connected: there is nothing to take back
        serving.cancel()
        if leaving.done():
            await asyncio.to_thread(self._cluster.leave)

    async def _serve(self, deploy: Callable[..., None]) -> None:
        try:
            self._cluster = cluster = await asyncio.to_thread(RayCluster, self._options)
            ignore_signals()
            await asyncio.to_thread(deploy, cluster, edge=uuid.uuid4().hex)
            await self._replica_runs(cluster)
            handle = serve.get_app_handle(APPLICATION)
            device, models = await handle.describe.remote()
        except ClusterStartsError as error:
            self._server.send(("broken", str(error), "starting"))
            return
        except ConnectionError as error:
            self._server.send(("broken", str(error), "absent"))
            return
        except _LoadError as error:
            self._server.send(("broken", str(error), "model"))
            return
        except Exception as error:
            log.exception("the model could not be deployed on Ray")
            text = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
            self._server.send(("broken", f"the model could not be loaded on Ray: {text}", "model"))
            return
        self._handle = handle.options(stream=True)
        self._server.send(("ready", device, models))
        await self._follow_state(cluster)

    async def _replica_runs(self, cluster: RayCluster) -> None:
        """Waits until a replica has loaded the model.

        Raises:
            _LoadError: none can.
        """
        while True:
            state = await asyncio.to_thread(cluster.state)
            if state.failure:
                raise _LoadError(f"the model could not be loaded on Ray: {state.failure}")
            self._server.send(("cluster", state, True))
            if state.running:
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _follow_state(self, cluster: RayCluster) -> None:
        """Tells the server of the cluster's state, and ends this process where it has gone."""
        answered = time.monotonic()
        state = ClusterState(0, 0)
        while True:
            try:
                state = await asyncio.wait_for(asyncio.to_thread(cluster.state), _STATE_SECONDS)
                answered = time.monotonic()
                self._server.send(("cluster", state, True))
            except Exception as error:  # of the network, of Ray, of time
                text = f"the head of the Ray cluster at {cluster.head} does not answer; jobs wait until it does"
                log.warning("%s (%s)", text, error or type(error).__name__)
                self._server.send(("cluster", replace(state, message=text), False))
                if time.monotonic() - answered > LOST_SECONDS:
                    os._exit(1)  # Ray would try for minutes to say goodbye
            await asyncio.sleep(_POLL_SECONDS)

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Takes the server's messages (in a thread of its own)."""
        while True:
            try:
                message = self._server.pipe_end.recv()
            except (EOFError, OSError):
                os._exit(1)
            loop.call_soon_threadsafe(self._take, message)

    def _take(self, message: tuple[Any, ...]) -> None:
        if message[0] == "run":
            task = asyncio.create_task(self._run(*message[1:]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif message[0] == "cancel":
            self._cancelled.add(message[1])
            self._give_up(self._streams.get(message[1]))
        else:
            self._leave.set()

    async def _run(self, number: int, job_id: str, request: bytes, carrier: dict[str, str]) -> None:
        """Sends a job to a replica and its events to the server; one that was cancelled ends here at once."""
        begun = ended = False
        stream = self._streams[number] = self._handle.run.remote(job_id, request, carrier)
        try:
            async for data in stream:
                begun = True
                ended = job_pb2.JobEvent.FromString(data).WhichOneof("kind") in FINAL_EVENTS
                self._server.send(("event", number, data))
            if not ended and number not in self._cancelled:
                self._interrupted(number, failed_event("WORKER_DIED", "another server has taken the replica"), begun)
            elif not ended:
                self._end_cancelled(number)
        except (TaskCancelledError, asyncio.CancelledError) as error:  # the second where no replica had the job yet
            if number not in self._cancelled and not ended:
                self._interrupted(number, failed_event("WORKER_DIED", f"Ray gave the job up: {error}"), begun)
            elif not ended:
                self._end_cancelled(number)
        except DeviceLostError as error:
            self._interrupted(number, device_lost(str(getattr(error, "cause", error))), begun)
        except Exception as error:
            if not isinstance(error, _DEATHS):
                log.exception("job %s: the replica failed", job_id)
            reason = str(error).partition("\n")[0]
            self._interrupted(
                number, failed_event("WORKER_DIED", f"the replica died while it ran this job: {reason}"), begun
            )
        finally:
            del self._streams[number]
            self._cancelled.discard(number)

    def _end_cancelled(self, number: int) -> None:
        event = job_pb2.JobEvent(cancelled=job_pb2.JobCancelled())
        self._server.send(("event", number, event.SerializeToString()))

    def _interrupted(self, number: int, failure: job_pb2.JobEvent, begun: bool) -> None:
        self._server.send(("interrupted", number, failure.SerializeToString(), begun))

    @staticmethod
    def _give_up(stream: Any) -> None:
        if stream is not None:  # may wait for Ray's own loop, which this one must not
            asyncio.get_running_loop().run_in_executor(None, stream.cancel)


class _LoadError(Exception):
    """No replica can load the model."""
