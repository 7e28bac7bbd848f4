"""A proxy that knows the last released contract only: what stands between is as if one of both sides were old.

Fields which came since are dropped from what it passes on, so that the server gets requests as an old client sends
them, and the client gets answers as an old server gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from tests.occscene_server.serve_process import ROOT

Translation = Callable[[bytes], bytes]


def released_pool() -> descriptor_pool.DescriptorPool:
    """The messages and the service of the released contract."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString((ROOT / "protos/released.binpb").read_bytes()).file:
        pool.Add(file)
    return pool


@contextmanager
def released_contract(address: str) -> Iterator[str]:
    """Serves what is behind `address` by the released contract; gives the proxy's own address."""
    with grpc.insecure_channel(address) as channel:
        server = grpc.server(ThreadPoolExecutor(16), handlers=[_Handler(channel)])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel
        methods = released_pool().FindServiceByName("occscene.v1.SceneService").methods
        self.methods = {f"/occscene.v1.SceneService/{method.name}": method for method in methods}

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """The way of one method; one that the contract lacks is not there."""
        method = self.methods.get(call.method)
        if method is None:
            return None
        asked, answered = _as_released(method.input_type), _as_released(method.output_type)
        if method.server_streaming:

            def stream(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
                forward = self.channel.unary_stream(call.method)
                with _same_error(context):
                    yield from map(answered, forward(asked(request), metadata=context.invocation_metadata()))

            return grpc.unary_stream_rpc_method_handler(stream)

        def once(request: bytes, context: grpc.ServicerContext) -> bytes:
            forward = self.channel.unary_unary(call.method)
            with _same_error(context):
                return answered(forward(asked(request), metadata=context.invocation_metadata()))
            raise AssertionError

        return grpc.unary_unary_rpc_method_handler(once)


def _as_released(kind: Any) -> Translation:
    message_class = message_factory.GetMessageClass(kind)

    def translate(data: bytes) -> bytes:
        message = message_class.FromString(data)
        message.DiscardUnknownFields()
        return bytes(message.SerializeToString())

    return translate


@contextmanager
def _same_error(context: grpc.ServicerContext) -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        context.set_trailing_metadata(error.trailing_metadata() or ())
        context.abort(error.code(), error.details() or "")
