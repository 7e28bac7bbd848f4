"""The child process: reads commands from its input, speaks gRPC, writes events to its output.

Commands (fields besides `id`, `command`, `server`) and the events that answer them:
    info                                      -> info
    check                                     -> step(step, is_good, message, advice) for each of `check.STEPS` up to
                                                 the first that fails, checked
    generate  request_id, settings (fields of `Settings`), previews; grid (fields of `grid_body`, voxels in the body)
              and mesh (fields of `mesh_body`, behind the voxels) or null, or null and volume and taxonomy, and layout
              if it begins from one; start_views (place and whether it stays, of each) and image_bytes (sizes of their
              PNG files, which the body begins with)
                                              -> accepted(job_id, note), then as `watch`
    predict   request_id, image_bytes (sizes of the PNG files that the body begins with); grid, volume and taxonomy as
              above                           -> accepted(job_id), then as `watch`
    compose   request_id, layout (fields of layout.json), volume, taxonomy, settings, redraw, furnish, with_parts
                                              -> accepted(job_id), then as `watch`
    watch     job_id, or "" and request_id; after_sequence
                                              -> accepted(job_id) where it was "", queued(position) started(device)
                                                 progress(phase, step, steps)
                                                 preview|view(view, name; the image in the body; a view's file)
                                                 occupancy(file) layout(file, layout, notes)
                                                 succeeded(seconds) | failed(reason, message, advice) | cancelled
    cancel    job_id                          -> cancelling
    draft     meshes (rows of `meshes_body`, the arrays in the body), objects, volume, taxonomy, camera, settings,
              send_geometry                   -> queued(position) draft(a PNG file in the body) | overtaken
    end_drafts                                -> ended
The results of the four commands that follow a job are written as `occscene.results` describes, to `directory`, with
`cameras` and `origin` (fields of `Origin`); a `file` is a name in that folder. Every event of a job carries its
`sequence`. While no server answers, or the server asks to retry later, all commands of jobs send
reconnecting(reason, message, advice, is_away, seconds) before each pause, and watching sends reconnected(is_queued)
when it goes on; `is_away` says that the server was not there. `is_repeat` says that a child which died had the same
command. A command that fails sends error(reason, message, advice, is_lost) instead, where `is_lost` says that the
server may have the job all the same. Each command runs in a thread of its own, so that a job is watched while another
is cancelled; but drafts, of which the newest counts, are taken in their order, and drawn one at a time. `objects` of
a draft are rows of name, prompt, hint, fill, overlap and pieces: the key of a mesh, its transform to metres (16
numbers) and the label of each of its material slots. Meshes are sent once and known by their keys from then on.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import IO, Any

from occscene.client.errors import SceneError
from occscene.client.waiting import Patience

from .check import check_server
from .drafts import Drafts
from .messages import Message, MessageDecoder, encode_message
from .remote_job import CommandError, RemoteJob, open_client
from .requests import blockout_grid, blockout_mesh, compose_request, generate_request, info_head, predict_request


class Child:
    """Runs commands and sends their events.

    Args:
        output: where messages are written.
    """

    def __init__(self, output: IO[bytes]) -> None:
        """Runs nothing yet."""
        self._output = output
        self._lock = threading.Lock()
        self._jobs: dict[str, RemoteJob] = {}  # the newest command of each request
        self._drafts = Drafts(self._send)
        self._commands: dict[str, Callable[[Message], None]] = {
            "info": self._info,
            "check": self._check,
            "generate": self._generate,
            "predict": self._predict,
            "compose": self._compose,
            "watch": self._watch,
            "cancel": self._cancel,
            "draft": self._drafts.take,
            "end_drafts": self._end_drafts,
        }

    def start(self, request: Message) -> None:
        """Begins a command: in a thread of its own, but those of drafts at once and so in their order."""
        if request.head["command"] in ("draft", "end_drafts"):
            self.run(request)
        else:
            threading.Thread(target=self.run, args=(request,), daemon=True).start()

    def run(self, request: Message) -> None:
        """Runs one command; any failure becomes an error event."""
        try:
            self._commands[request.head["command"]](request)
        except (SceneError, CommandError) as error:
            self._fail(request, error.reason, error.message, error.advice)
        except Exception as error:
            self._fail(request, "BRIDGE_ERROR", f"{type(error).__name__}: {error}", "")

    def _fail(self, request: Message, reason: str, message: str, advice: str) -> None:
        job = self._jobs.get(request.head.get("request_id", ""))
        is_lost = job is not None and job.is_submitted
        head = {"event": "error", "reason": reason, "message": message, "advice": advice, "is_lost": is_lost}
        self._send(request, head)

    def _send(self, request: Message, head: dict[str, Any], body: bytes = b"") -> None:
        message = encode_message(Message({"id": request.head["id"], **head}, body))
        with self._lock:
            self._output.write(message)
            self._output.flush()

    def _info(self, request: Message) -> None:
        with open_client(request.head["server"], Patience(0.0)) as client:
            self._send(request, {"event": "info", **info_head(client.info())})

    def _check(self, request: Message) -> None:
        for step in check_server(request.head["server"]):
            self._send(request, step)
        self._send(request, {"event": "checked"})

    def _generate(self, request: Message) -> None:
        submission, note = generate_request(request.head, request.body)
        mesh = None if note else blockout_mesh(request.head, request.body)
        with self._job(request) as job:
            job.submit(submission, blockout_grid(request.head, request.body), mesh, note)

    def _predict(self, request: Message) -> None:
        submission = predict_request(request.head, request.body)
        with self._job(request) as job:
            job.submit(submission, blockout_grid(request.head, request.body))

    def _compose(self, request: Message) -> None:
        with self._job(request) as job:
            job.submit(compose_request(request.head), None)

    def _watch(self, request: Message) -> None:
        with self._job(request) as job:
            job.watch()

    def _cancel(self, request: Message) -> None:
        with RemoteJob(request.head, partial(self._send, request)) as job:
            job.cancel()

    def _end_drafts(self, request: Message) -> None:
        self._drafts.end()
        self._send(request, {"event": "ended"})

    def _job(self, request: Message) -> RemoteJob:
        """The job that a command follows from now on, in place of an earlier command for the same request."""
        job = RemoteJob(request.head, partial(self._send, request))
        earlier = self._jobs.get(request.head["request_id"])
        self._jobs[request.head["request_id"]] = job
        if earlier is not None:
            earlier.stop()
        return job


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
            child.start(request)
    os._exit(0)  # streams that are still watched hold threads of grpc; the jobs live on in the server
