from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Compression(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMPRESSION_UNSPECIFIED: _ClassVar[Compression]
    COMPRESSION_NONE: _ClassVar[Compression]
    COMPRESSION_ZSTD: _ClassVar[Compression]
    COMPRESSION_ZLIB: _ClassVar[Compression]
COMPRESSION_UNSPECIFIED: Compression
COMPRESSION_NONE: Compression
COMPRESSION_ZSTD: Compression
COMPRESSION_ZLIB: Compression

class VoxelBlock(_message.Message):
    __slots__ = ("compression", "data", "raw_size", "crc32")
    COMPRESSION_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    RAW_SIZE_FIELD_NUMBER: _ClassVar[int]
    CRC32_FIELD_NUMBER: _ClassVar[int]
    compression: Compression
    data: bytes
    raw_size: int
    crc32: int
    def __init__(self, compression: _Optional[_Union[Compression, str]] = ..., data: _Optional[bytes] = ..., raw_size: _Optional[int] = ..., crc32: _Optional[int] = ...) -> None: ...

class GridVolume(_message.Message):
    __slots__ = ("size_x", "size_y", "size_z", "voxel_size", "world_from_grid")
    SIZE_X_FIELD_NUMBER: _ClassVar[int]
    SIZE_Y_FIELD_NUMBER: _ClassVar[int]
    SIZE_Z_FIELD_NUMBER: _ClassVar[int]
    VOXEL_SIZE_FIELD_NUMBER: _ClassVar[int]
    WORLD_FROM_GRID_FIELD_NUMBER: _ClassVar[int]
    size_x: int
    size_y: int
    size_z: int
    voxel_size: float
    world_from_grid: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, size_x: _Optional[int] = ..., size_y: _Optional[int] = ..., size_z: _Optional[int] = ..., voxel_size: _Optional[float] = ..., world_from_grid: _Optional[_Iterable[float]] = ...) -> None: ...

class LinearColor(_message.Message):
    __slots__ = ("red", "green", "blue")
    RED_FIELD_NUMBER: _ClassVar[int]
    GREEN_FIELD_NUMBER: _ClassVar[int]
    BLUE_FIELD_NUMBER: _ClassVar[int]
    red: float
    green: float
    blue: float
    def __init__(self, red: _Optional[float] = ..., green: _Optional[float] = ..., blue: _Optional[float] = ...) -> None: ...

class GridObject(_message.Message):
    __slots__ = ("id", "name", "hint", "prompt")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    id: int
    name: str
    hint: LinearColor
    prompt: str
    def __init__(self, id: _Optional[int] = ..., name: _Optional[str] = ..., hint: _Optional[_Union[LinearColor, _Mapping]] = ..., prompt: _Optional[str] = ...) -> None: ...

class SemanticGrid(_message.Message):
    __slots__ = ("volume", "taxonomy", "labels", "instances", "objects")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    TAXONOMY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    OBJECTS_FIELD_NUMBER: _ClassVar[int]
    volume: GridVolume
    taxonomy: str
    labels: VoxelBlock
    instances: VoxelBlock
    objects: _containers.RepeatedCompositeFieldContainer[GridObject]
    def __init__(self, volume: _Optional[_Union[GridVolume, _Mapping]] = ..., taxonomy: _Optional[str] = ..., labels: _Optional[_Union[VoxelBlock, _Mapping]] = ..., instances: _Optional[_Union[VoxelBlock, _Mapping]] = ..., objects: _Optional[_Iterable[_Union[GridObject, _Mapping]]] = ...) -> None: ...
