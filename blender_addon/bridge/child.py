"""The child process: reads commands from its input, speaks gRPC, writes events to its output.

Commands (fields beside `id`, `command`, `server`) and the events that answer them:
    info                                      -> info
    check                                     -> step(step, is_good, message, advice) for each of `check.STEPS` up to
                                                 the first that fails, checked
    generate  request_id, directory, cameras, prompt, negative_prompt, seed, steps, text_guidance_scale,
              occupancy_guidance_scale, previews; grid (fields of `grid_body`, voxels in the body), or null and
              volume and taxonomy             -> accepted(job_id), then as `watch`
    predict   request_id, directory, cameras, image_bytes (sizes of the PNG files that the body begins with); grid,
              volume and taxonomy as above    -> accepted(job_id), then as `watch`
    watch     job_id, or "" and request_id; directory, after_sequence
                                              -> accepted(job_id) where it was "", queued(position) started(device)
                                                 progress(phase, step, steps)
                                                 preview|view(view, name; the image in the body; a view's file)
                                                 occupancy(file)
                                                 succeeded(seconds) | failed(reason, message, advice) | cancelled
    cancel    job_id                          -> cancelling
The blockout that is sent, finished views and the occupancy are written to `directory`, where a `file` is a name in it.
Every event of a job carries its `sequence`. A command that fails sends error(reason, message, advice) instead. Each
command runs in a thread of its own, so that a job is watched while another is cancelled.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any

import grpc
from occscene.v1 import scene_service_pb2, scene_service_pb2_grpc

from .check import check_server
from .failures import Failure, failure_of
from .messages import Message, MessageDecoder, encode_message
from .requests import blockout_grid, event_messages, generate_request, info_head, occupancy_grid, predict_request
from .result_folder import BLOCKOUT_FILE, OCCUPANCY_FILE, ResultFolder
from .server import Metadata, ServerConnections

RPC_TIMEOUT = 20.0
"""Seconds that a call other than watching may take; sending a large grid included."""

RECONNECT_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between attempts to watch a job again after the connection broke."""


class Child:
    """Runs commands and sends their events.

    Args:
        output: where messages are written.
    """

    def __init__(self, output: IO[bytes]) -> None:
        """Runs nothing yet."""
        self._output = output
        self._lock = threading.Lock()
        self._connections = ServerConnections()
        self._commands: dict[str, Callable[[Message], None]] = {
            "info": self._info,
            "check": self._check,
            "generate": self._generate,
            "predict": self._predict,
            "watch": self._watch,
            "cancel": self._cancel,
        }

    def run(self, request: Message) -> None:
        """Runs one command; whatever goes wrong becomes an error event."""
        try:
            self._commands[request.head["command"]](request)
        except Failure as failure:
            self._send(request, {"event": "error", **failure.head()})
        except Exception as error:
            address = str(request.head.get("server", {}).get("address", ""))
            self._send(request, {"event": "error", **failure_of(error, address).head()})

    def _send(self, request: Message, head: dict[str, Any], body: bytes = b"") -> None:
        message = encode_message(Message({"id": request.head["id"], **head}, body))
        with self._lock:
            self._output.write(message)
            self._output.flush()

    def _stub(self, request: Message) -> tuple[scene_service_pb2_grpc.SceneServiceStub, Metadata]:
        channel, metadata = self._connections.open(request.head["server"])
        return scene_service_pb2_grpc.SceneServiceStub(channel), metadata

    def _info(self, request: Message) -> None:
        stub, metadata = self._stub(request)
        answer = stub.GetServerInfo(scene_service_pb2.GetServerInfoRequest(), timeout=RPC_TIMEOUT, metadata=metadata)
        self._send(request, {"event": "info", **info_head(answer)})

    def _check(self, request: Message) -> None:
        for step in check_server(self._connections, request.head["server"]):
            self._send(request, step)
        self._send(request, {"event": "checked"})

    def _generate(self, request: Message) -> None:
        self._submit(request, generate_request(request.head, request.body))

    def _predict(self, request: Message) -> None:
        self._submit(request, predict_request(request.head, request.body))

    def _submit(self, request: Message, submission: scene_service_pb2.SubmitJobRequest) -> None:
        stub, metadata = self._stub(request)
        answer = stub.SubmitJob(submission, timeout=RPC_TIMEOUT, metadata=metadata)
        self._send(request, {"event": "accepted", "job_id": answer.job.id})
        grid = blockout_grid(request.head, request.body)
        if grid is not None:
            ResultFolder(request.head["directory"]).write_grid(BLOCKOUT_FILE, grid)
        self._follow(request, answer.job.id, request.head.get("after_sequence", 0))

    def _watch(self, request: Message) -> None:
        job_id = request.head["job_id"]
        if not job_id:
            job_id = self._find(request)
            self._send(request, {"event": "accepted", "job_id": job_id})
        self._follow(request, job_id, request.head["after_sequence"])

    def _find(self, request: Message) -> str:
        """The job that was made for a request id whose answer was never heard."""
        stub, metadata = self._stub(request)
        answer = stub.ListJobs(scene_service_pb2.ListJobsRequest(limit=1000), timeout=RPC_TIMEOUT, metadata=metadata)
        for job in answer.jobs:
            if job.request_id == request.head["request_id"]:
                return str(job.id)
        raise Failure("NEVER_ARRIVED", "The request never reached the server.", "Generate again.")

    def _cancel(self, request: Message) -> None:
        stub, metadata = self._stub(request)
        stub.CancelJob(
            scene_service_pb2.CancelJobRequest(job_id=request.head["job_id"]), timeout=RPC_TIMEOUT, metadata=metadata
        )
        self._send(request, {"event": "cancelling"})

    def _follow(self, request: Message, job_id: str, after_sequence: int) -> None:
        """Watches a job to its end; a broken connection is taken up again where it broke."""
        attempt = 0
        folder = ResultFolder(request.head["directory"])
        while True:
            stub, metadata = self._stub(request)
            try:
                for response in stub.WatchJob(
                    scene_service_pb2.WatchJobRequest(job_id=job_id, after_sequence=after_sequence), metadata=metadata
                ):
                    attempt = 0
                    after_sequence = response.event.sequence
                    head, body = event_messages(response.event)
                    if head["event"] == "view":
                        head["file"] = folder.write_view(head["name"], body)
                    elif head["event"] == "occupancy":
                        folder.write_grid(OCCUPANCY_FILE, occupancy_grid(response.event))
                        head["file"] = OCCUPANCY_FILE
                    self._send(request, head, body)
                return
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE or attempt == len(RECONNECT_PAUSES):
                    raise
                time.sleep(RECONNECT_PAUSES[attempt])
                attempt += 1


def main() -> None:
    """Serves standard input until it closes, then ends the process at once."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    sys.stdout = sys.stderr  # a library's print must not fall between the messages
    if sys.platform == "win32":
        import msvcrt

        for descriptor in (sys.stdin.fileno(), output.fileno()):
            msvcrt.setmode(descriptor, os.O_BINARY)
    child = Child(output)
    decoder = MessageDecoder()
    while data := os.read(sys.stdin.fileno(), 1 << 20):
        for request in decoder.feed(data):
            threading.Thread(target=child.run, args=(request,), daemon=True).start()
    os._exit(0)  # streams that are still watched hold threads of grpc; the jobs live on in the server
