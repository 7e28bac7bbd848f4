"""Limits that every reader of untrusted input checks before it allocates memory."""

from __future__ import annotations

MAX_GRID_SIDE = 512
"""Voxels along one side of a grid."""

MAX_GRID_VOXELS = 2**25
"""Voxels of a whole grid."""

MIN_VOXEL_SIZE = 0.01
"""Metres."""

MAX_VOXEL_SIZE = 10.0
"""Metres."""

MAX_OBJECTS = 65535
"""Rows of an object table: instance ids are uint16 and 0 means none."""

MAX_NAME_LENGTH = 200
"""Characters of an object's or a camera's name, and of an object's own words."""

MAX_MESH_TRIANGLES = 2_000_000
"""Triangles of a scene's mesh, and as many vertices."""

MAX_CLASSES = 255
"""Classes of a taxonomy, the empty one among them: label 255 means unknown."""

MAX_VIEWS = 16
"""Cameras or images of one request."""

MIN_IMAGE_SIDE = 64
"""Pixels."""

MAX_IMAGE_SIDE = 1024
"""Pixels."""

IMAGE_SIDE = 512
"""Pixels of the longer side of a view, where nobody says another number."""

MAX_MESSAGE_BYTES = 16 * 2**20
"""Bytes of one gRPC message."""

MAX_PROMPT_LENGTH = 2000
"""Characters."""

MAX_STEPS = 100
"""Denoising steps."""

MAX_GUIDANCE_SCALE = 30.0
"""Of the prompt's and of the occupancy's guidance; 1 is none."""

MAX_SEED = 2**64 - 1
"""Seeds are uint64."""

RIGID_TOLERANCE = 1e-3
"""Largest deviation of R R^T from the identity, and of det R from 1."""

MAX_COORDINATE = 1e6
"""Metres from the world's origin to a grid or a camera, along each axis: beyond it float32 has no centimetres."""

MIN_FOCAL_SIDES, MAX_FOCAL_SIDES = 0.005, 10_000.0
"""Focal lengths in units of the image's larger side; a lens of 1 mm to 5 m before any usual sensor lies within."""

MAX_CENTER_SIDES = 20.0
"""Distance of the principal point from the image's corner in units of its larger side: a very shifted lens."""

MAX_TIMEOUT_SECONDS = 30 * 86_400
"""After which a job may fail for its request's timeout."""
