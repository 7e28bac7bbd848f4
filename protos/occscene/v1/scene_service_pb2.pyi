from google.protobuf import duration_pb2 as _duration_pb2
from occscene.v1 import job_pb2 as _job_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelFeature(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODEL_FEATURE_UNSPECIFIED: _ClassVar[ModelFeature]
    MODEL_FEATURE_NEGATIVE_PROMPT: _ClassVar[ModelFeature]
    MODEL_FEATURE_OBJECT_PROMPT: _ClassVar[ModelFeature]
    MODEL_FEATURE_COLOR_HINT: _ClassVar[ModelFeature]
    MODEL_FEATURE_OCCUPANCY_GUIDANCE: _ClassVar[ModelFeature]
    MODEL_FEATURE_TEXT_TO_SCENE: _ClassVar[ModelFeature]
    MODEL_FEATURE_IMAGES_TO_OCCUPANCY: _ClassVar[ModelFeature]

class ServerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVER_STATE_UNSPECIFIED: _ClassVar[ServerState]
    SERVER_STATE_LOADING: _ClassVar[ServerState]
    SERVER_STATE_READY: _ClassVar[ServerState]
    SERVER_STATE_FAILED: _ClassVar[ServerState]
MODEL_FEATURE_UNSPECIFIED: ModelFeature
MODEL_FEATURE_NEGATIVE_PROMPT: ModelFeature
MODEL_FEATURE_OBJECT_PROMPT: ModelFeature
MODEL_FEATURE_COLOR_HINT: ModelFeature
MODEL_FEATURE_OCCUPANCY_GUIDANCE: ModelFeature
MODEL_FEATURE_TEXT_TO_SCENE: ModelFeature
MODEL_FEATURE_IMAGES_TO_OCCUPANCY: ModelFeature
SERVER_STATE_UNSPECIFIED: ServerState
SERVER_STATE_LOADING: ServerState
SERVER_STATE_READY: ServerState
SERVER_STATE_FAILED: ServerState

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ModelControl(_message.Message):
    __slots__ = ("name", "strength")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    name: str
    strength: float
    def __init__(self, name: _Optional[str] = ..., strength: _Optional[float] = ...) -> None: ...

class ModelInfo(_message.Message):
    __slots__ = ("name", "taxonomies", "image_width", "image_height", "default_steps", "default_text_guidance_scale", "default_occupancy_guidance_scale", "image_multiple", "layout_prior", "parts_prior", "drafts", "family", "license", "features", "controls", "start_views")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TAXONOMIES_FIELD_NUMBER: _ClassVar[int]
    IMAGE_WIDTH_FIELD_NUMBER: _ClassVar[int]
    IMAGE_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_STEPS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_TEXT_GUIDANCE_SCALE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_OCCUPANCY_GUIDANCE_SCALE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_MULTIPLE_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_PRIOR_FIELD_NUMBER: _ClassVar[int]
    PARTS_PRIOR_FIELD_NUMBER: _ClassVar[int]
    DRAFTS_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    LICENSE_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    CONTROLS_FIELD_NUMBER: _ClassVar[int]
    START_VIEWS_FIELD_NUMBER: _ClassVar[int]
    name: str
    taxonomies: _containers.RepeatedScalarFieldContainer[str]
    image_width: int
    image_height: int
    default_steps: int
    default_text_guidance_scale: float
    default_occupancy_guidance_scale: float
    image_multiple: int
    layout_prior: bool
    parts_prior: bool
    drafts: bool
    family: str
    license: str
    features: _containers.RepeatedScalarFieldContainer[ModelFeature]
    controls: _containers.RepeatedCompositeFieldContainer[ModelControl]
    start_views: bool
    def __init__(self, name: _Optional[str] = ..., taxonomies: _Optional[_Iterable[str]] = ..., image_width: _Optional[int] = ..., image_height: _Optional[int] = ..., default_steps: _Optional[int] = ..., default_text_guidance_scale: _Optional[float] = ..., default_occupancy_guidance_scale: _Optional[float] = ..., image_multiple: _Optional[int] = ..., layout_prior: bool = ..., parts_prior: bool = ..., drafts: bool = ..., family: _Optional[str] = ..., license: _Optional[str] = ..., features: _Optional[_Iterable[_Union[ModelFeature, str]]] = ..., controls: _Optional[_Iterable[_Union[ModelControl, _Mapping]]] = ..., start_views: bool = ...) -> None: ...

class ServerLimits(_message.Message):
    __slots__ = ("message_bytes", "grid_side", "grid_voxels", "views", "image_side", "steps", "prompt_length", "queued_jobs", "queued_jobs_each", "mesh_triangles")
    MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    GRID_SIDE_FIELD_NUMBER: _ClassVar[int]
    GRID_VOXELS_FIELD_NUMBER: _ClassVar[int]
    VIEWS_FIELD_NUMBER: _ClassVar[int]
    IMAGE_SIDE_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    QUEUED_JOBS_FIELD_NUMBER: _ClassVar[int]
    QUEUED_JOBS_EACH_FIELD_NUMBER: _ClassVar[int]
    MESH_TRIANGLES_FIELD_NUMBER: _ClassVar[int]
    message_bytes: int
    grid_side: int
    grid_voxels: int
    views: int
    image_side: int
    steps: int
    prompt_length: int
    queued_jobs: int
    queued_jobs_each: int
    mesh_triangles: int
    def __init__(self, message_bytes: _Optional[int] = ..., grid_side: _Optional[int] = ..., grid_voxels: _Optional[int] = ..., views: _Optional[int] = ..., image_side: _Optional[int] = ..., steps: _Optional[int] = ..., prompt_length: _Optional[int] = ..., queued_jobs: _Optional[int] = ..., queued_jobs_each: _Optional[int] = ..., mesh_triangles: _Optional[int] = ...) -> None: ...

class GetServerInfoResponse(_message.Message):
    __slots__ = ("version", "state", "message", "device", "models", "limits", "queue_length", "running")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_LENGTH_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    version: str
    state: ServerState
    message: str
    device: str
    models: _containers.RepeatedCompositeFieldContainer[ModelInfo]
    limits: ServerLimits
    queue_length: int
    running: int
    def __init__(self, version: _Optional[str] = ..., state: _Optional[_Union[ServerState, str]] = ..., message: _Optional[str] = ..., device: _Optional[str] = ..., models: _Optional[_Iterable[_Union[ModelInfo, _Mapping]]] = ..., limits: _Optional[_Union[ServerLimits, _Mapping]] = ..., queue_length: _Optional[int] = ..., running: _Optional[int] = ...) -> None: ...

class SubmitJobRequest(_message.Message):
    __slots__ = ("request_id", "generate_scene", "predict_occupancy", "compose_layout", "priority", "timeout", "ephemeral")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATE_SCENE_FIELD_NUMBER: _ClassVar[int]
    PREDICT_OCCUPANCY_FIELD_NUMBER: _ClassVar[int]
    COMPOSE_LAYOUT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    EPHEMERAL_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    generate_scene: _job_pb2.GenerateScene
    predict_occupancy: _job_pb2.PredictOccupancy
    compose_layout: _job_pb2.ComposeLayout
    priority: _job_pb2.JobPriority
    timeout: _duration_pb2.Duration
    ephemeral: bool
    def __init__(self, request_id: _Optional[str] = ..., generate_scene: _Optional[_Union[_job_pb2.GenerateScene, _Mapping]] = ..., predict_occupancy: _Optional[_Union[_job_pb2.PredictOccupancy, _Mapping]] = ..., compose_layout: _Optional[_Union[_job_pb2.ComposeLayout, _Mapping]] = ..., priority: _Optional[_Union[_job_pb2.JobPriority, str]] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., ephemeral: bool = ...) -> None: ...

class SubmitJobResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: _job_pb2.Job
    def __init__(self, job: _Optional[_Union[_job_pb2.Job, _Mapping]] = ...) -> None: ...

class WatchJobRequest(_message.Message):
    __slots__ = ("job_id", "after_sequence")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    after_sequence: int
    def __init__(self, job_id: _Optional[str] = ..., after_sequence: _Optional[int] = ...) -> None: ...

class WatchJobResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: _job_pb2.JobEvent
    def __init__(self, event: _Optional[_Union[_job_pb2.JobEvent, _Mapping]] = ...) -> None: ...

class GetJobRequest(_message.Message):
    __slots__ = ("job_id", "request_id", "with_request")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WITH_REQUEST_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    request_id: str
    with_request: bool
    def __init__(self, job_id: _Optional[str] = ..., request_id: _Optional[str] = ..., with_request: bool = ...) -> None: ...

class GetJobResponse(_message.Message):
    __slots__ = ("job", "request")
    JOB_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    job: _job_pb2.Job
    request: SubmitJobRequest
    def __init__(self, job: _Optional[_Union[_job_pb2.Job, _Mapping]] = ..., request: _Optional[_Union[SubmitJobRequest, _Mapping]] = ...) -> None: ...

class ListJobsRequest(_message.Message):
    __slots__ = ("limit",)
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    def __init__(self, limit: _Optional[int] = ...) -> None: ...

class ListJobsResponse(_message.Message):
    __slots__ = ("jobs",)
    JOBS_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[_job_pb2.Job]
    def __init__(self, jobs: _Optional[_Iterable[_Union[_job_pb2.Job, _Mapping]]] = ...) -> None: ...

class CancelJobRequest(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    def __init__(self, job_id: _Optional[str] = ...) -> None: ...

class CancelJobResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: _job_pb2.Job
    def __init__(self, job: _Optional[_Union[_job_pb2.Job, _Mapping]] = ...) -> None: ...

class DeleteJobRequest(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    def __init__(self, job_id: _Optional[str] = ...) -> None: ...

class DeleteJobResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
