"""A blockout that changes, read a little at a time: of what has not changed nothing is read again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import bpy

from ..geometry.raw_mesh import RawMesh
from .collect import instance_key, is_flat, is_skipped, object_fields, slot_labels
from .mesh_reading import read_raw
from .tagging import ClassLookup, has_classes
from .units import to_meters
from .visibility import rendered_objects, shown_as_rendered

Row = dict[str, Any]
"""An object as a `draft` command of the bridge has it."""


class _Piece(NamedTuple):
    """A mesh that is shown: an object's, or that of an instance of it that `parent` makes."""

    object_key: object
    mesh_key: str
    evaluated: bpy.types.Object
    parent: bpy.types.Object | None
    entry: list[Any]

    @property
    def hider(self) -> bpy.types.Object:
        """Whose flags hide it."""
        return self.parent or self.evaluated.original

    def row(self, scene: bpy.types.Scene) -> Row:
        """The object's row, without its meshes."""
        return _row(scene, self.evaluated.original, self.parent)


class LiveCapture:
    """The tagged objects of a scene that a render shows, as `collect_blockout` finds them, with two exceptions.

    What is sculpted counts when Sculpt Mode is left. Of what the viewport hides, meshes and places are those of when it
    was hidden or last changed; to see them, flags are changed for a moment, which takes longer.
    """

    def __init__(self) -> None:
        """Knows nothing yet."""
        self.rows: list[Row] = []
        """The objects, once `read` is done."""
        self.meshes: dict[str, RawMesh] = {}
        """The meshes that the rows refer to."""
        self._changed: set[str] = set()  # meshes that have not been taken
        self._owners: dict[str, set[int]] = {}  # session uids of what the meshes that are read depend on
        self._hidden: dict[int, list[tuple[object, Row]]] = {}  # rows of hidden objects
        self._order: dict[object, int] = {}

    def forget(self, uids: Iterable[int]) -> None:
        """Reads anew what depends on the IDs of these session uids."""
        changed = set(uids)
        for key in [key for key, owners in self._owners.items() if owners & changed]:
            del self._owners[key]
        if changed & self._hidden.keys():
            self._hidden.clear()

    def forget_all(self) -> None:
        """Reads everything anew; what turns out to be the same counts as unchanged."""
        self._owners.clear()
        self._hidden.clear()

    def take_changed(self) -> dict[str, RawMesh]:
        """The meshes that have changed since they were last taken."""
        changed = {key: self.meshes[key] for key in self._changed if key in self.meshes}
        self._changed.clear()
        return changed

    def give_back_all(self) -> None:
        """Counts all meshes as changed."""
        self._changed.update(self.meshes)

    def read(self, context: bpy.types.Context, seconds: float) -> bool:
        """Reads for a while; whether all is read. Call it again if not.

        Args:
            context: of the scene.
            seconds: after which no other mesh is begun; one is read at least.
        """
        deadline = time.perf_counter() + seconds
        scene, view_layer = context.scene, context.view_layer
        lookup, rendered = ClassLookup.of(scene), rendered_objects(scene)
        hidden = _hidden_objects(view_layer, rendered)
        if not hidden.keys() <= self._hidden.keys():
            self._read_hidden(context, lookup, rendered, hidden)
            return False
        found: dict[object, Row] = {}
        used: set[str] = set()
        is_first = True
        for piece in _pieces(context, lookup, rendered):
            if piece.hider.session_uid in hidden:
                continue
            if piece.mesh_key not in self._owners:
                if not is_first and time.perf_counter() > deadline:
                    return False
                is_first = False
                self._read_mesh(piece)
            used.add(piece.mesh_key)
            if len(self.meshes[piece.mesh_key].corners):
                if piece.object_key not in found:
                    found[piece.object_key] = piece.row(scene)
                found[piece.object_key]["pieces"].append(piece.entry)
        for uid, obj in hidden.items():
            for key, row in self._hidden[uid]:
                used.update(piece[0] for piece in row["pieces"])
                found[key] = _retagged(scene, lookup, obj, row)
        self._order = {key: self._order.get(key, len(self._order) + number) for number, key in enumerate(found)}
        self.rows = [row for _, row in sorted(found.items(), key=lambda item: self._order[item[0]]) if _is_tagged(row)]
        self._keep(used)
        return True

    def _keep(self, used: set[str]) -> None:
        """Drops what is no longer there; a mesh that comes back is read again."""
        used |= {piece[0] for rows in self._hidden.values() for _, row in rows for piece in row["pieces"]}
        self.meshes = {key: mesh for key, mesh in self.meshes.items() if key in used}
        self._owners = {key: owners for key, owners in self._owners.items() if key in used}

    def _read_mesh(self, piece: _Piece) -> None:
        mesh, _ = read_raw(piece.evaluated)
        if not mesh.equals(self.meshes.get(piece.mesh_key)):
            self.meshes[piece.mesh_key] = mesh
            self._changed.add(piece.mesh_key)
        depends = (piece.evaluated.original, piece.evaluated.original.data, piece.parent)
        self._owners[piece.mesh_key] = {owner.session_uid for owner in depends if owner is not None}

    def _read_hidden(
        self,
        context: bpy.types.Context,
        lookup: ClassLookup,
        rendered: frozenset[bpy.types.Object],
        hidden: dict[int, bpy.types.Object],
    ) -> None:
        """Reads what only the viewport hides, and the order of all objects."""
        rows: dict[int, dict[object, Row]] = {uid: {} for uid in hidden}
        order: dict[object, int] = {}
        with shown_as_rendered(context.view_layer):
            for piece in _pieces(context, lookup, rendered):
                key, uid = piece.object_key, piece.hider.session_uid
                order.setdefault(key, len(order))
                if uid in hidden:
                    self._read_mesh(piece)
                    if key not in rows[uid]:
                        rows[uid][key] = piece.row(context.scene)
                    rows[uid][key]["pieces"].append(piece.entry)
        self._hidden = {uid: list(own.items()) for uid, own in rows.items()}
        self._order = order


def _pieces(context: bpy.types.Context, lookup: ClassLookup, rendered: frozenset[bpy.types.Object]) -> Iterator[_Piece]:
    """The meshes that the viewport's dependency graph shows."""
    scene = context.scene
    for instance in context.evaluated_depsgraph_get().object_instances:
        evaluated = instance.object
        if evaluated.type != "MESH" or not instance.show_self:
            continue
        obj = evaluated.original
        parent = instance.parent.original if instance.is_instance and instance.parent else None
        matrix = instance.matrix_world
        if is_skipped(obj, parent, rendered) or is_flat(matrix):
            continue
        mesh_key = str(obj.session_uid)
        if parent is not None:  # of what an object makes, several meshes may come
            mesh_key = f"{parent.session_uid} {mesh_key} {evaluated.data.as_pointer()}"
        labels = slot_labels(lookup, evaluated, parent, evaluated.data.materials)
        entry = [mesh_key, to_meters(scene, matrix).ravel().tolist(), labels]
        yield _Piece(instance_key(instance, obj, parent), mesh_key, evaluated, parent, entry)


def _row(scene: bpy.types.Scene, obj: bpy.types.Object, parent: bpy.types.Object | None) -> Row:
    name, prompt, hint, fill, overlap = object_fields(scene, obj, parent)
    return {"name": name, "prompt": prompt, "hint": hint, "fill": fill.name, "overlap": overlap, "pieces": []}


def _retagged(scene: bpy.types.Scene, lookup: ClassLookup, obj: bpy.types.Object, row: Row) -> Row:
    """A hidden object's row with its tags as they are now; an instancer's keep those of what it instances."""
    if obj.type != "MESH" or row["name"] != obj.name:
        return row
    labels = slot_labels(lookup, obj, None, obj.data.materials)
    return _row(scene, obj, None) | {"pieces": [[key, matrix, labels] for key, matrix, _ in row["pieces"]]}


def _is_tagged(row: Row) -> bool:
    return any(label for _, _, labels in row["pieces"] for label in labels)


def _hidden_objects(
    view_layer: bpy.types.ViewLayer, rendered: frozenset[bpy.types.Object]
) -> dict[int, bpy.types.Object]:
    """The objects that only the viewport hides, by their session uids."""
    return {
        obj.session_uid: obj
        for obj in view_layer.objects
        if obj in rendered and has_classes(obj) and not obj.visible_get(view_layer=view_layer)
    }
