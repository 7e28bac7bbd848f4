"""Who is let in: how many streams each connection may hold, whose message is read next, and what of it is parsed.

Calls that answer once are never behind those that stay open: each kind of stream has places of its own, and a call for
which there is none is refused at once. No message is read before its call is let in, so that what waits or is refused
takes no more of the server than the 64 KiB which HTTP/2 lets a client send unasked.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2
from occscene.v1 import scene_service_pb2

from occscene_server.api.errors import abort, abort_invalid, retry_after
from occscene_server.api.process import return_freed_memory
from occscene_server.api.violations import FieldViolation
from occscene_server.api.wire import MalformedError, RepeatedTooOftenError, parse

Context = grpc.aio.ServicerContext[Any, Any]
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]

_SCENE = scene_service_pb2.DESCRIPTOR.services_by_name["SceneService"].full_name
_HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
_SUBMIT, _WATCH = f"/{_SCENE}/SubmitJob", f"/{_SCENE}/WatchJob"

MAX_SMALL_BYTES = 2**20
"""Bytes of a request that carries no scene."""

_END: Any = grpc.aio.EOF  # type: ignore[attr-defined]  # its stubs lack it
_AT_ONCE_BYTES = 16 * 1024  # parsed in the event loop: a thread would take longer to wake up
_SUBMIT_SECONDS, _SMALL_SECONDS = 60.0, 5.0  # for a request to arrive once it is its turn
_EXCLUSIVE_SECONDS = 0.2
_RETRY_SECONDS = 10


@dataclass
class Places:
    """Streams of one kind that are open at a time.

    Args:
        each: of one connection.
        total: of all connections.
        way_out: what a client should do for which there is no place.
    """

    each: int
    total: int
    way_out: str
    _held: Counter[str] = field(default_factory=Counter)

    def full(self, peer: str) -> str:
        """Why there is no place for a further stream of a connection; "" where there is one."""
        if self._held[peer] >= self.each:
            return f"this connection has {self.each} such streams open, which is the limit; {self.way_out}"
        if self._held.total() >= self.total:
            return f"{self.total} such streams are open, which is the limit for all clients; {self.way_out}"
        return ""

    @contextlib.contextmanager
    def held(self, peer: str) -> Any:
        """Holds a place for the time of the block."""
        self._held[peer] += 1
        try:
            yield
        finally:
            _count_down(self._held, peer)


class Turns:
    """Lets a few calls work at a time, in the order in which they came, but of one connection no more than its share.

    Args:
        each: of one connection.
        total: of all connections.
    """

    def __init__(self, each: int, total: int) -> None:
        self._each = each
        self._total = total
        self._held: Counter[str] = Counter()
        self._waiting: deque[tuple[str, asyncio.Future[None]]] = deque()

    @contextlib.asynccontextmanager
    async def turn(self, peer: str) -> AsyncIterator[None]:
        """Waits for a turn, and has it for the time of the block."""
        if self._free(peer):
            self._held[peer] += 1
        else:
            await self._wait(peer)
        try:
            yield
        finally:
            self._pass_on(peer)

    def _free(self, peer: str) -> bool:
        return self._held[peer] < self._each and self._held.total() < self._total

    async def _wait(self, peer: str) -> None:
        mine = asyncio.get_running_loop().create_future()
        self._waiting.append((peer, mine))
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # it came in the same moment
                self._pass_on(peer)
            else:
                self._waiting.remove((peer, mine))
            raise

    def _pass_on(self, peer: str) -> None:
        _count_down(self._held, peer)
        for index, (other, turn) in enumerate(self._waiting):
            if self._free(other) and not turn.done():
                del self._waiting[index]
                self._held[other] += 1
                turn.set_result(None)
                return


def _count_down(held: Counter[str], peer: str) -> None:
    held[peer] -= 1
    if not held[peer]:
        del held[peer]


class AdmissionInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Reads and parses each request itself, in turn, and gives every stream a place or an answer why there is none.

    Args:
        threads: where large requests are parsed.
    """

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._one_submission = asyncio.Lock()
        # Health is open to all, so what is asked of it holds up nothing else.
        self._turns = {_SUBMIT: Turns(2, 8), _HEALTH: Turns(2, 16), "": Turns(2, 64)}
        self._places = {
            _WATCH: Places(64, 512, "end one, or ask with GetJob from time to time"),
            _HEALTH: Places(4, 64, "end one, or ask with Check from time to time"),
            "": Places(2, 16, "end one"),
        }

    async def intercept_service(self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Puts a handler that gets no message before it asks for it in the place of the method's own."""
        handler: Any = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        service = method.split("/")[1]
        turns = self._turns.get(method) or self._turns.get(service) or self._turns[""]
        if not handler.response_streaming:
            return grpc.stream_unary_rpc_method_handler(
                self._answering(method, handler, turns), None, handler.response_serializer
            )
        places = self._places.get(method) or self._places.get(service) or self._places[""]
        return grpc.stream_stream_rpc_method_handler(
            self._streaming(method, handler, turns, places), None, handler.response_serializer
        )

    def _answering(self, method: str, handler: Any, turns: Turns) -> Callable[..., Any]:
        async def call(_: object, context: Context) -> Any:
            async with turns.turn(context.peer()):
                return await handler.unary_unary(await self._request(method, handler, context), context)

        return call

    def _streaming(self, method: str, handler: Any, turns: Turns, places: Places) -> Callable[..., Any]:
        async def call(_: object, context: Context) -> None:
            peer = context.peer()
            full = places.full(peer)
            if full:
                code = grpc.StatusCode.RESOURCE_EXHAUSTED
                await abort(context, code, "TOO_MANY_STREAMS", full, retry_after(_RETRY_SECONDS))
            with places.held(peer):
                if handler.request_streaming:
                    answers = handler.stream_stream(self._requests(method, handler, context), context)
                else:
                    async with turns.turn(peer):
                        request = await self._request(method, handler, context)
                    answers = handler.unary_stream(request, context)
                if not inspect.isasyncgen(answers):  # it writes by itself
                    await answers
                    return
                async with contextlib.aclosing(answers):
                    async for answer in answers:
                        await context.write(answer)

        return call

    def _tidy_up(self, _: object) -> None:
        self._threads.submit(return_freed_memory)

    async def _requests(self, method: str, handler: Any, context: Context) -> AsyncIterator[Any]:
        while (data := await context.read()) is not _END:
            yield await self._parsed(method, handler, data, context)

    async def _request(self, method: str, handler: Any, context: Context) -> Any:
        """The one request of a call."""
        seconds = _SUBMIT_SECONDS if method == _SUBMIT else _SMALL_SECONDS
        try:
            async with asyncio.timeout(seconds):
                data = await (self._submission(context) if method == _SUBMIT else context.read())
        except TimeoutError:
            text = f"the request has not arrived within {seconds:g} seconds"
            await abort(context, grpc.StatusCode.DEADLINE_EXCEEDED, "REQUEST_TOO_SLOW", text, retry_after(1))
        if data is _END:
            text = "the call ended without a request; send one"
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST", text)
        return await self._parsed(method, handler, data, context)

    async def _submission(self, context: Context) -> Any:
        """The bytes of a submission; the event loop stands still while gRPC copies them, so one is taken at a time.

        A slow sender holds the lock for `_EXCLUSIVE_SECONDS` at most, and is then read concurrently with the others.
        """
        await self._one_submission.acquire()
        with contextlib.ExitStack() as exclusive:
            exclusive.callback(self._one_submission.release)
            later = asyncio.get_running_loop().call_later(
                _EXCLUSIVE_SECONDS, exclusive.close
            )  # released once, by the timer or here
            try:
                return await context.read()
            finally:
                later.cancel()

    async def _parsed(self, method: str, handler: Any, data: bytes, context: Context) -> Any:
        if len(data) > MAX_SMALL_BYTES:
            context.add_done_callback(self._tidy_up)  # type: ignore[arg-type]  # the stubs take no function
        # Nothing is refused within `except`: the refusal would keep the error, and with it the bytes, in a cycle.
        try:
            if method != _SUBMIT:
                return _parse_small(handler, data)
            if len(data) <= _AT_ONCE_BYTES:
                return parse(scene_service_pb2.SubmitJobRequest, data)
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, _parse_large, data)
        except MalformedError as error:
            text, violation = str(error), None
        except RepeatedTooOftenError as error:
            text, violation = "", FieldViolation(error.field, error.description)
        if violation is not None:
            await abort_invalid(context, [violation])
        await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST", text)


def _parse_large(data: bytes) -> scene_service_pb2.SubmitJobRequest:
    return_freed_memory()  # what the bytes arrived in, as much as they are themselves
    return parse(scene_service_pb2.SubmitJobRequest, data)


def _parse_small(handler: Any, data: bytes) -> Any:
    if len(data) > MAX_SMALL_BYTES:
        raise MalformedError(f"the request has {len(data):,} bytes; the limit of this method is {MAX_SMALL_BYTES:,}")
    try:
        return handler.request_deserializer(data)
    except DecodeError:
        text = "the bytes are no request of this method: they are damaged, or a text in them is not UTF-8"
        raise MalformedError(text) from None
