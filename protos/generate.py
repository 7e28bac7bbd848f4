"""Generates the Python modules next to the `.proto` files: `python protos/generate.py`.

`*_pb2.py`, `*_pb2.pyi` and `*_pb2_grpc.py` come from `grpcio-tools`, whose pinned version decides the oldest protobuf
runtime that loads them; `*_pb2_grpc.pyi` comes from `mypy-protobuf`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from grpc_tools import protoc

PROTOS = Path(__file__).resolve().parent


def generate(output: Path) -> None:
    """Writes the generated modules of every `.proto` under this folder to the same places under `output`.

    Raises:
        RuntimeError: protoc refused a file; it has printed why.
    """
    files = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    services = [name for name in files if name.endswith("_service.proto")]
    plugin = Path(sys.executable).parent / "protoc-gen-mypy_grpc"
    _run(f"--python_out={output}", f"--pyi_out={output}", *files)
    _run(f"--grpc_python_out={output}", *services)
    _run(f"--plugin=protoc-gen-mypy_grpc={plugin}", f"--mypy_grpc_out={output}", *services)


def _run(*arguments: str) -> None:
    includes = [f"-I{PROTOS}", f"-I{Path(protoc.__file__).parent / '_proto'}"]
    if protoc.main(["protoc", *includes, *arguments]) != 0:
        raise RuntimeError(f"protoc failed with {' '.join(arguments)}")


if __name__ == "__main__":
    generate(PROTOS)
