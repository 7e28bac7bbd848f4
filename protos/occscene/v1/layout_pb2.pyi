from occscene.v1 import grid_pb2 as _grid_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LayoutPartKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LAYOUT_PART_KIND_UNSPECIFIED: _ClassVar[LayoutPartKind]
    LAYOUT_PART_KIND_BOX: _ClassVar[LayoutPartKind]
    LAYOUT_PART_KIND_ROUNDED_BOX: _ClassVar[LayoutPartKind]
    LAYOUT_PART_KIND_CUSHION: _ClassVar[LayoutPartKind]
    LAYOUT_PART_KIND_ELLIPSOID: _ClassVar[LayoutPartKind]
    LAYOUT_PART_KIND_CYLINDER: _ClassVar[LayoutPartKind]
    LAYOUT_PART_KIND_ROD: _ClassVar[LayoutPartKind]
    LAYOUT_PART_KIND_BLADE: _ClassVar[LayoutPartKind]
    LAYOUT_PART_KIND_CURTAIN: _ClassVar[LayoutPartKind]
    LAYOUT_PART_KIND_WINDOW_WALL: _ClassVar[LayoutPartKind]
    LAYOUT_PART_KIND_FACADE: _ClassVar[LayoutPartKind]
    LAYOUT_PART_KIND_SHOP_FRONT: _ClassVar[LayoutPartKind]
LAYOUT_PART_KIND_UNSPECIFIED: LayoutPartKind
LAYOUT_PART_KIND_BOX: LayoutPartKind
LAYOUT_PART_KIND_ROUNDED_BOX: LayoutPartKind
LAYOUT_PART_KIND_CUSHION: LayoutPartKind
LAYOUT_PART_KIND_ELLIPSOID: LayoutPartKind
LAYOUT_PART_KIND_CYLINDER: LayoutPartKind
LAYOUT_PART_KIND_ROD: LayoutPartKind
LAYOUT_PART_KIND_BLADE: LayoutPartKind
LAYOUT_PART_KIND_CURTAIN: LayoutPartKind
LAYOUT_PART_KIND_WINDOW_WALL: LayoutPartKind
LAYOUT_PART_KIND_FACADE: LayoutPartKind
LAYOUT_PART_KIND_SHOP_FRONT: LayoutPartKind

class Vector3(_message.Message):
    __slots__ = ("x", "y", "z")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    Z_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    z: float
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ..., z: _Optional[float] = ...) -> None: ...

class Quaternion(_message.Message):
    __slots__ = ("w", "x", "y", "z")
    W_FIELD_NUMBER: _ClassVar[int]
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    Z_FIELD_NUMBER: _ClassVar[int]
    w: float
    x: float
    y: float
    z: float
    def __init__(self, w: _Optional[float] = ..., x: _Optional[float] = ..., y: _Optional[float] = ..., z: _Optional[float] = ...) -> None: ...

class LayoutPart(_message.Message):
    __slots__ = ("kind", "center", "size", "rotation", "taper", "material", "role")
    KIND_FIELD_NUMBER: _ClassVar[int]
    CENTER_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ROTATION_FIELD_NUMBER: _ClassVar[int]
    TAPER_FIELD_NUMBER: _ClassVar[int]
    MATERIAL_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    kind: LayoutPartKind
    center: Vector3
    size: Vector3
    rotation: Quaternion
    taper: float
    material: str
    role: int
    def __init__(self, kind: _Optional[_Union[LayoutPartKind, str]] = ..., center: _Optional[_Union[Vector3, _Mapping]] = ..., size: _Optional[_Union[Vector3, _Mapping]] = ..., rotation: _Optional[_Union[Quaternion, _Mapping]] = ..., taper: _Optional[float] = ..., material: _Optional[str] = ..., role: _Optional[int] = ...) -> None: ...

class LayoutObject(_message.Message):
    __slots__ = ("name", "class_name", "center", "size", "turn", "color_word", "color", "parts")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CLASS_NAME_FIELD_NUMBER: _ClassVar[int]
    CENTER_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    COLOR_WORD_FIELD_NUMBER: _ClassVar[int]
    COLOR_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    class_name: str
    center: Vector3
    size: Vector3
    turn: float
    color_word: str
    color: _grid_pb2.LinearColor
    parts: _containers.RepeatedCompositeFieldContainer[LayoutPart]
    def __init__(self, name: _Optional[str] = ..., class_name: _Optional[str] = ..., center: _Optional[_Union[Vector3, _Mapping]] = ..., size: _Optional[_Union[Vector3, _Mapping]] = ..., turn: _Optional[float] = ..., color_word: _Optional[str] = ..., color: _Optional[_Union[_grid_pb2.LinearColor, _Mapping]] = ..., parts: _Optional[_Iterable[_Union[LayoutPart, _Mapping]]] = ...) -> None: ...

class LayoutRoom(_message.Message):
    __slots__ = ("size", "wall_color", "floor_color")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    WALL_COLOR_FIELD_NUMBER: _ClassVar[int]
    FLOOR_COLOR_FIELD_NUMBER: _ClassVar[int]
    size: Vector3
    wall_color: str
    floor_color: str
    def __init__(self, size: _Optional[_Union[Vector3, _Mapping]] = ..., wall_color: _Optional[str] = ..., floor_color: _Optional[str] = ...) -> None: ...

class Layout(_message.Message):
    __slots__ = ("taxonomy", "room", "objects", "world_from_layout")
    TAXONOMY_FIELD_NUMBER: _ClassVar[int]
    ROOM_FIELD_NUMBER: _ClassVar[int]
    OBJECTS_FIELD_NUMBER: _ClassVar[int]
    WORLD_FROM_LAYOUT_FIELD_NUMBER: _ClassVar[int]
    taxonomy: str
    room: LayoutRoom
    objects: _containers.RepeatedCompositeFieldContainer[LayoutObject]
    world_from_layout: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, taxonomy: _Optional[str] = ..., room: _Optional[_Union[LayoutRoom, _Mapping]] = ..., objects: _Optional[_Iterable[_Union[LayoutObject, _Mapping]]] = ..., world_from_layout: _Optional[_Iterable[float]] = ...) -> None: ...
