"""The gRPC client of SceneService, for programs in Python.

    from occscene.client import SceneClient

    with SceneClient("127.0.0.1:50051") as client:
        job = client.submit(request)
        for event in client.watch(job.id):
            ...

Importing `occscene.client.address` needs neither grpc nor protobuf: Blender's own process reads addresses with it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from occscene.client.address import ServerAddress, parse_address
    from occscene.client.client import SceneClient
    from occscene.client.errors import SceneError

__all__ = ["SceneClient", "SceneError", "ServerAddress", "parse_address"]

_MODULES = {"SceneClient": "client", "SceneError": "errors", "ServerAddress": "address", "parse_address": "address"}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
