from google.protobuf import timestamp_pb2 as _timestamp_pb2
from occscene.v1 import camera_pb2 as _camera_pb2
from occscene.v1 import grid_pb2 as _grid_pb2
from occscene.v1 import layout_pb2 as _layout_pb2
from occscene.v1 import mesh_pb2 as _mesh_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class JobPriority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOB_PRIORITY_UNSPECIFIED: _ClassVar[JobPriority]
    JOB_PRIORITY_LOW: _ClassVar[JobPriority]
    JOB_PRIORITY_NORMAL: _ClassVar[JobPriority]
    JOB_PRIORITY_HIGH: _ClassVar[JobPriority]

class SceneQuality(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCENE_QUALITY_UNSPECIFIED: _ClassVar[SceneQuality]
    SCENE_QUALITY_DRAFT: _ClassVar[SceneQuality]
    SCENE_QUALITY_FULL: _ClassVar[SceneQuality]

class JobKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOB_KIND_UNSPECIFIED: _ClassVar[JobKind]
    JOB_KIND_GENERATE_SCENE: _ClassVar[JobKind]
    JOB_KIND_PREDICT_OCCUPANCY: _ClassVar[JobKind]
    JOB_KIND_COMPOSE_LAYOUT: _ClassVar[JobKind]

class JobState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOB_STATE_UNSPECIFIED: _ClassVar[JobState]
    JOB_STATE_QUEUED: _ClassVar[JobState]
    JOB_STATE_RUNNING: _ClassVar[JobState]
    JOB_STATE_SUCCEEDED: _ClassVar[JobState]
    JOB_STATE_FAILED: _ClassVar[JobState]
    JOB_STATE_CANCELLED: _ClassVar[JobState]

class JobPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOB_PHASE_UNSPECIFIED: _ClassVar[JobPhase]
    JOB_PHASE_PREPARING: _ClassVar[JobPhase]
    JOB_PHASE_DENOISING: _ClassVar[JobPhase]
    JOB_PHASE_PREDICTING: _ClassVar[JobPhase]
    JOB_PHASE_ENCODING: _ClassVar[JobPhase]
    JOB_PHASE_COMPOSING: _ClassVar[JobPhase]
    JOB_PHASE_LOADING: _ClassVar[JobPhase]

class OccupancySource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OCCUPANCY_SOURCE_UNSPECIFIED: _ClassVar[OccupancySource]
    OCCUPANCY_SOURCE_BLOCKOUT: _ClassVar[OccupancySource]
    OCCUPANCY_SOURCE_LAYOUT: _ClassVar[OccupancySource]
    OCCUPANCY_SOURCE_COMPACT: _ClassVar[OccupancySource]
    OCCUPANCY_SOURCE_VIEWS: _ClassVar[OccupancySource]
JOB_PRIORITY_UNSPECIFIED: JobPriority
JOB_PRIORITY_LOW: JobPriority
JOB_PRIORITY_NORMAL: JobPriority
JOB_PRIORITY_HIGH: JobPriority
SCENE_QUALITY_UNSPECIFIED: SceneQuality
SCENE_QUALITY_DRAFT: SceneQuality
SCENE_QUALITY_FULL: SceneQuality
JOB_KIND_UNSPECIFIED: JobKind
JOB_KIND_GENERATE_SCENE: JobKind
JOB_KIND_PREDICT_OCCUPANCY: JobKind
JOB_KIND_COMPOSE_LAYOUT: JobKind
JOB_STATE_UNSPECIFIED: JobState
JOB_STATE_QUEUED: JobState
JOB_STATE_RUNNING: JobState
JOB_STATE_SUCCEEDED: JobState
JOB_STATE_FAILED: JobState
JOB_STATE_CANCELLED: JobState
JOB_PHASE_UNSPECIFIED: JobPhase
JOB_PHASE_PREPARING: JobPhase
JOB_PHASE_DENOISING: JobPhase
JOB_PHASE_PREDICTING: JobPhase
JOB_PHASE_ENCODING: JobPhase
JOB_PHASE_COMPOSING: JobPhase
JOB_PHASE_LOADING: JobPhase
OCCUPANCY_SOURCE_UNSPECIFIED: OccupancySource
OCCUPANCY_SOURCE_BLOCKOUT: OccupancySource
OCCUPANCY_SOURCE_LAYOUT: OccupancySource
OCCUPANCY_SOURCE_COMPACT: OccupancySource
OCCUPANCY_SOURCE_VIEWS: OccupancySource

class GenerateScene(_message.Message):
    __slots__ = ("grid", "volume", "taxonomy", "cameras", "prompt", "negative_prompt", "seed", "steps", "text_guidance_scale", "occupancy_guidance_scale", "previews", "without_prior", "layout", "mesh", "quality", "start_views", "strength", "sun_elevation", "sun_azimuth")
    GRID_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    TAXONOMY_FIELD_NUMBER: _ClassVar[int]
    CAMERAS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_PROMPT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TEXT_GUIDANCE_SCALE_FIELD_NUMBER: _ClassVar[int]
    OCCUPANCY_GUIDANCE_SCALE_FIELD_NUMBER: _ClassVar[int]
    PREVIEWS_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_PRIOR_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    MESH_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    START_VIEWS_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    SUN_ELEVATION_FIELD_NUMBER: _ClassVar[int]
    SUN_AZIMUTH_FIELD_NUMBER: _ClassVar[int]
    grid: _grid_pb2.SemanticGrid
    volume: _grid_pb2.GridVolume
    taxonomy: str
    cameras: _containers.RepeatedCompositeFieldContainer[_camera_pb2.PinholeCamera]
    prompt: str
    negative_prompt: str
    seed: int
    steps: int
    text_guidance_scale: float
    occupancy_guidance_scale: float
    previews: bool
    without_prior: bool
    layout: _layout_pb2.Layout
    mesh: _mesh_pb2.TriangleMesh
    quality: SceneQuality
    start_views: _containers.RepeatedCompositeFieldContainer[StartView]
    strength: float
    sun_elevation: float
    sun_azimuth: float
    def __init__(self, grid: _Optional[_Union[_grid_pb2.SemanticGrid, _Mapping]] = ..., volume: _Optional[_Union[_grid_pb2.GridVolume, _Mapping]] = ..., taxonomy: _Optional[str] = ..., cameras: _Optional[_Iterable[_Union[_camera_pb2.PinholeCamera, _Mapping]]] = ..., prompt: _Optional[str] = ..., negative_prompt: _Optional[str] = ..., seed: _Optional[int] = ..., steps: _Optional[int] = ..., text_guidance_scale: _Optional[float] = ..., occupancy_guidance_scale: _Optional[float] = ..., previews: bool = ..., without_prior: bool = ..., layout: _Optional[_Union[_layout_pb2.Layout, _Mapping]] = ..., mesh: _Optional[_Union[_mesh_pb2.TriangleMesh, _Mapping]] = ..., quality: _Optional[_Union[SceneQuality, str]] = ..., start_views: _Optional[_Iterable[_Union[StartView, _Mapping]]] = ..., strength: _Optional[float] = ..., sun_elevation: _Optional[float] = ..., sun_azimuth: _Optional[float] = ...) -> None: ...

class StartView(_message.Message):
    __slots__ = ("view", "image", "keep")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIELD_NUMBER: _ClassVar[int]
    view: int
    image: _camera_pb2.EncodedImage
    keep: bool
    def __init__(self, view: _Optional[int] = ..., image: _Optional[_Union[_camera_pb2.EncodedImage, _Mapping]] = ..., keep: bool = ...) -> None: ...

class PredictOccupancy(_message.Message):
    __slots__ = ("images", "cameras", "blockout", "volume", "taxonomy")
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    CAMERAS_FIELD_NUMBER: _ClassVar[int]
    BLOCKOUT_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    TAXONOMY_FIELD_NUMBER: _ClassVar[int]
    images: _containers.RepeatedCompositeFieldContainer[_camera_pb2.EncodedImage]
    cameras: _containers.RepeatedCompositeFieldContainer[_camera_pb2.PinholeCamera]
    blockout: _grid_pb2.SemanticGrid
    volume: _grid_pb2.GridVolume
    taxonomy: str
    def __init__(self, images: _Optional[_Iterable[_Union[_camera_pb2.EncodedImage, _Mapping]]] = ..., cameras: _Optional[_Iterable[_Union[_camera_pb2.PinholeCamera, _Mapping]]] = ..., blockout: _Optional[_Union[_grid_pb2.SemanticGrid, _Mapping]] = ..., volume: _Optional[_Union[_grid_pb2.GridVolume, _Mapping]] = ..., taxonomy: _Optional[str] = ...) -> None: ...

class ComposeLayout(_message.Message):
    __slots__ = ("prompt", "seed", "layout", "volume", "taxonomy", "redraw", "furnish", "with_parts")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    TAXONOMY_FIELD_NUMBER: _ClassVar[int]
    REDRAW_FIELD_NUMBER: _ClassVar[int]
    FURNISH_FIELD_NUMBER: _ClassVar[int]
    WITH_PARTS_FIELD_NUMBER: _ClassVar[int]
    prompt: str
    seed: int
    layout: _layout_pb2.Layout
    volume: _grid_pb2.GridVolume
    taxonomy: str
    redraw: _containers.RepeatedScalarFieldContainer[int]
    furnish: bool
    with_parts: bool
    def __init__(self, prompt: _Optional[str] = ..., seed: _Optional[int] = ..., layout: _Optional[_Union[_layout_pb2.Layout, _Mapping]] = ..., volume: _Optional[_Union[_grid_pb2.GridVolume, _Mapping]] = ..., taxonomy: _Optional[str] = ..., redraw: _Optional[_Iterable[int]] = ..., furnish: bool = ..., with_parts: bool = ...) -> None: ...

class JobFailure(_message.Message):
    __slots__ = ("reason", "message", "advice", "code")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ADVICE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    advice: str
    code: int
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ..., advice: _Optional[str] = ..., code: _Optional[int] = ...) -> None: ...

class Job(_message.Message):
    __slots__ = ("id", "request_id", "kind", "state", "prompt", "create_time", "start_time", "end_time", "queue_position", "last_sequence", "failure", "client", "priority", "expire_time", "ephemeral")
    ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    QUEUE_POSITION_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    EPHEMERAL_FIELD_NUMBER: _ClassVar[int]
    id: str
    request_id: str
    kind: JobKind
    state: JobState
    prompt: str
    create_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    queue_position: int
    last_sequence: int
    failure: JobFailure
    client: str
    priority: JobPriority
    expire_time: _timestamp_pb2.Timestamp
    ephemeral: bool
    def __init__(self, id: _Optional[str] = ..., request_id: _Optional[str] = ..., kind: _Optional[_Union[JobKind, str]] = ..., state: _Optional[_Union[JobState, str]] = ..., prompt: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., queue_position: _Optional[int] = ..., last_sequence: _Optional[int] = ..., failure: _Optional[_Union[JobFailure, _Mapping]] = ..., client: _Optional[str] = ..., priority: _Optional[_Union[JobPriority, str]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ephemeral: bool = ...) -> None: ...

class JobQueued(_message.Message):
    __slots__ = ("position",)
    POSITION_FIELD_NUMBER: _ClassVar[int]
    position: int
    def __init__(self, position: _Optional[int] = ...) -> None: ...

class JobStarted(_message.Message):
    __slots__ = ("device",)
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    device: str
    def __init__(self, device: _Optional[str] = ...) -> None: ...

class JobProgress(_message.Message):
    __slots__ = ("phase", "step", "steps", "drafting", "model")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    DRAFTING_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    phase: JobPhase
    step: int
    steps: int
    drafting: bool
    model: str
    def __init__(self, phase: _Optional[_Union[JobPhase, str]] = ..., step: _Optional[int] = ..., steps: _Optional[int] = ..., drafting: bool = ..., model: _Optional[str] = ...) -> None: ...

class JobPreview(_message.Message):
    __slots__ = ("view", "name", "image")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    view: int
    name: str
    image: _camera_pb2.EncodedImage
    def __init__(self, view: _Optional[int] = ..., name: _Optional[str] = ..., image: _Optional[_Union[_camera_pb2.EncodedImage, _Mapping]] = ...) -> None: ...

class JobView(_message.Message):
    __slots__ = ("view", "name", "image")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    view: int
    name: str
    image: _camera_pb2.EncodedImage
    def __init__(self, view: _Optional[int] = ..., name: _Optional[str] = ..., image: _Optional[_Union[_camera_pb2.EncodedImage, _Mapping]] = ...) -> None: ...

class JobOccupancy(_message.Message):
    __slots__ = ("grid", "source")
    GRID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    grid: _grid_pb2.SemanticGrid
    source: OccupancySource
    def __init__(self, grid: _Optional[_Union[_grid_pb2.SemanticGrid, _Mapping]] = ..., source: _Optional[_Union[OccupancySource, str]] = ...) -> None: ...

class JobLayout(_message.Message):
    __slots__ = ("layout", "notes")
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    layout: _layout_pb2.Layout
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, layout: _Optional[_Union[_layout_pb2.Layout, _Mapping]] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...

class JobSucceeded(_message.Message):
    __slots__ = ("seconds",)
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    seconds: float
    def __init__(self, seconds: _Optional[float] = ...) -> None: ...

class JobFailed(_message.Message):
    __slots__ = ("failure",)
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    failure: JobFailure
    def __init__(self, failure: _Optional[_Union[JobFailure, _Mapping]] = ...) -> None: ...

class JobCancelled(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class JobEvent(_message.Message):
    __slots__ = ("sequence", "time", "queued", "started", "progress", "preview", "view", "occupancy", "succeeded", "failed", "cancelled", "layout")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    OCCUPANCY_FIELD_NUMBER: _ClassVar[int]
    SUCCEEDED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    time: _timestamp_pb2.Timestamp
    queued: JobQueued
    started: JobStarted
    progress: JobProgress
    preview: JobPreview
    view: JobView
    occupancy: JobOccupancy
    succeeded: JobSucceeded
    failed: JobFailed
    cancelled: JobCancelled
    layout: JobLayout
    def __init__(self, sequence: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., queued: _Optional[_Union[JobQueued, _Mapping]] = ..., started: _Optional[_Union[JobStarted, _Mapping]] = ..., progress: _Optional[_Union[JobProgress, _Mapping]] = ..., preview: _Optional[_Union[JobPreview, _Mapping]] = ..., view: _Optional[_Union[JobView, _Mapping]] = ..., occupancy: _Optional[_Union[JobOccupancy, _Mapping]] = ..., succeeded: _Optional[_Union[JobSucceeded, _Mapping]] = ..., failed: _Optional[_Union[JobFailed, _Mapping]] = ..., cancelled: _Optional[_Union[JobCancelled, _Mapping]] = ..., layout: _Optional[_Union[JobLayout, _Mapping]] = ...) -> None: ...
