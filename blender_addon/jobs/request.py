"""A request to the server, as it is kept with a result, in the journal and in `result.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from occscene.placed_layout import PlacedLayout, placed_from_json, placed_to_json
from occscene.results import Origin
from occscene.settings import Settings

from ..bridge.cameras_head import cameras_from_head, cameras_head
from ..properties.settings import SceneSettings
from ..scene.cameras import SceneView


@dataclass(frozen=True, eq=False)
class Composition:
    """The objects of the scene, and what the server does with them.

    Args:
        given: the objects, in the world's axes; those that become another kind already have its name and class.
        sources: the Blender object that each of them is or comes from.
        redraw: places of those that are drawn again.
        furnish: whether the rest of the volume is furnished.
        with_parts: whether they get parts.
    """

    given: PlacedLayout
    sources: tuple[str, ...]
    redraw: tuple[int, ...] = ()
    furnish: bool = False
    with_parts: bool = False

    def fields(self) -> dict[str, Any]:
        """All of it as JSON fields."""
        own = {name: getattr(self, name) for name in ("sources", "redraw", "furnish", "with_parts")}
        return {**own, "given": placed_to_json(self.given)}

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Composition:
        """Rebuilds it from `fields`."""
        given, sources, redraw = placed_from_json(fields["given"]), tuple(fields["sources"]), tuple(fields["redraw"])
        return cls(given, sources, redraw, fields["furnish"], fields["with_parts"])


@dataclass(frozen=True)
class Request:
    """One request.

    Args:
        request_id: UUID; names the result.
        kind: 'BLOCKOUT' (blockout to scene), 'TEXT' (text to scene), 'IMAGES' (images to occupancy), 'COMPLETE'
            (the rest furnished), 'REDRAW' (objects drawn anew) or 'DETAIL' (objects get parts).
        settings: what was set.
        views: what is seen, one camera each.
        directory: where the child writes what comes back.
        created: when, as ISO 8601.
        composition: what the last three work on; None for the others.
        source: id of the result whose views this one begins at, or keeps; "" where there is none.
        redone: names of the views that are made anew while the source's others stay; () where none stay.
    """

    request_id: str
    kind: str
    settings: SceneSettings
    views: tuple[SceneView, ...]
    directory: str
    created: str
    composition: Composition | None = None
    source: str = ""
    redone: tuple[str, ...] = ()

    @property
    def kept(self) -> tuple[str, ...]:
        """The names of the views that stay as they are in the source."""
        names = [view.camera.name for view in self.views]
        return tuple(name for name in names if name not in self.redone) if self.redone else ()

    def origin(self, server: str) -> Origin:
        """How its result comes to be, as `result.json` says it; `server` is the address."""
        used = Settings() if self.kind == "IMAGES" else self.settings.sent()
        kind = "layout" if self.composition is not None else self.kind.lower()
        own: dict[str, Any] = {"request_id": self.request_id, "server": server, "created": self.created}
        return Origin(**used.to_json(), **own, kind=kind, kept_views=self.kept)

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
        own = {name: getattr(self, name) for name in ("request_id", "kind", "directory", "created", "source", "redone")}
        if self.composition is not None:
            own["composition"] = self.composition.fields()
        return {**own, "settings": self.settings.to_json(), "views": views}

    @classmethod
    def from_json(cls, text: str) -> Request:
        """Rebuilds a request from `to_json`."""
        fields = json.loads(text)
        cameras = cameras_from_head([view["camera"] for view in fields["views"]])
        views = [
            SceneView(camera, view["object"], view["frame"])
            for camera, view in zip(cameras, fields["views"], strict=True)
        ]
        fields["redone"] = tuple(fields.get("redone", ()))
        if "composition" in fields:
            fields["composition"] = Composition.from_fields(fields["composition"])
        return cls(**{**fields, "settings": SceneSettings.from_json(fields["settings"]), "views": tuple(views)})


@lru_cache(maxsize=512)
def known_request(text: str) -> Request:
    """A request from `to_json`, read once: panels ask for it whenever they are drawn. It is not to be changed."""
    return Request.from_json(text)
