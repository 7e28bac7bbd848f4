from occscene.v1 import grid_pb2 as _grid_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MeshRun(_message.Message):
    __slots__ = ("object_id", "label", "triangles")
    OBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    TRIANGLES_FIELD_NUMBER: _ClassVar[int]
    object_id: int
    label: int
    triangles: int
    def __init__(self, object_id: _Optional[int] = ..., label: _Optional[int] = ..., triangles: _Optional[int] = ...) -> None: ...

class TriangleMesh(_message.Message):
    __slots__ = ("vertices", "triangles", "runs")
    VERTICES_FIELD_NUMBER: _ClassVar[int]
    TRIANGLES_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    vertices: _grid_pb2.VoxelBlock
    triangles: _grid_pb2.VoxelBlock
    runs: _containers.RepeatedCompositeFieldContainer[MeshRun]
    def __init__(self, vertices: _Optional[_Union[_grid_pb2.VoxelBlock, _Mapping]] = ..., triangles: _Optional[_Union[_grid_pb2.VoxelBlock, _Mapping]] = ..., runs: _Optional[_Iterable[_Union[MeshRun, _Mapping]]] = ...) -> None: ...
