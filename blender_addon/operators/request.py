"""What is asked of the server, as it is kept with a result, in the journal and in `result.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from ..bridge.cameras_head import cameras_from_head, cameras_head
from ..scene.cameras import SceneView


@dataclass(frozen=True)
class Settings:
    """The words and numbers of a request; None leaves a number to the model.

    The last four are what the views were chosen by, so that a result's settings can be brought back.
    """

    prompt: str = ""
    style: str = ""
    negative_prompt: str = ""
    seed: int = 0
    steps: int | None = None
    text_guidance: float | None = None
    occupancy_guidance: float | None = None
    cameras: str = "ALL"
    frame_step: int = 1
    image_size: int = 256

    @property
    def full_prompt(self) -> str:
        """Prompt and style, as they are sent."""
        return ", ".join(part for part in (self.prompt.strip(), self.style.strip()) if part)


@dataclass(frozen=True)
class Request:
    """One request.

    Args:
        request_id: UUID; names the result.
        kind: 'BLOCKOUT' (blockout to scene), 'TEXT' (text to scene) or 'IMAGES' (images to occupancy).
        settings: what was set.
        views: what is seen, one camera each.
        directory: where the child writes what comes back.
        created: when, as ISO 8601.
    """

    request_id: str
    kind: str
    settings: Settings
    views: tuple[SceneView, ...]
    directory: str
    created: str

    def to_json(self) -> str:
        """All of it as JSON text."""
        return json.dumps(self.fields(), separators=(",", ":"))

    def fields(self) -> dict[str, Any]:
        """All of it as JSON fields."""
        rows = cameras_head([view.camera for view in self.views])
        views = [
            {"object": view.object_name, "frame": view.frame, "camera": row}
            for view, row in zip(self.views, rows, strict=True)
        ]
        own = {name: getattr(self, name) for name in ("request_id", "kind", "directory", "created")}
        return {**own, "settings": asdict(self.settings), "views": views}

    @classmethod
    def from_json(cls, text: str) -> Request:
        """Rebuilds a request from `to_json`."""
        fields = json.loads(text)
        cameras = cameras_from_head([view["camera"] for view in fields["views"]])
        views = [
            SceneView(camera, view["object"], view["frame"])
            for camera, view in zip(cameras, fields["views"], strict=True)
        ]
        return cls(**{**fields, "settings": Settings(**fields["settings"]), "views": tuple(views)})
