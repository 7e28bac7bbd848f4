"""The shader nodes of a projection."""

from __future__ import annotations

from typing import Any

import bpy
from occscene.camera import PinholeCamera

from .units import meters_per_unit, pose_to_units

VIEW_GROUP = "OccScene View 2"
"""The node group that says where a point lies in a view, and how well the view's camera sees it."""

TOLERANCE = 0.01
"""A point counts as hidden if the depth image is nearer by more than this part of its depth."""

ROUGH_TOLERANCE = 0.03
"""The same for points that no camera sees well: outlines of thin legs fall between the pixels of a depth image."""

FALLBACK = 1e-3
"""Weight of a view that may see a point, so that it counts only where no camera sees the point well."""

UNSEEN_COLOR = "occscene.unseen_color"
"""The object's property with the colour of what no camera sees."""

BORDER = 0.06
"""Part of a view's sides over which it fades out, so that neighbors join without a seam."""

SHARPNESS = 4.0
"""Exponent of the facing: higher values let the camera that looks straightest win."""

_STEP_X, _STEP_Y = 240.0, 420.0


class ProjectionNodes:
    """Builds the node tree of a projection material, view by view.

    Args:
        tree: of a new material; what is in it is removed.
        scene: whose units the shaded points are in.
    """

    def __init__(self, tree: bpy.types.NodeTree, scene: bpy.types.Scene) -> None:
        tree.nodes.clear()
        self._tree = tree
        self._scene = scene
        self._views = 0
        self._color: Any = None
        self._weight: Any = None
        self._sharpness = self._node("ShaderNodeValue", -1, 0)
        self._sharpness.label = self._sharpness.name = "Blend Sharpness"
        self._sharpness.outputs[0].default_value = SHARPNESS

    def add_view(
        self,
        camera: PinholeCamera,
        image: bpy.types.Image,
        depth: bpy.types.Image,
        place: tuple[float, float, float, float],
    ) -> None:
        """Adds a view: its colour, weighted by how well its camera sees the point, joins the sums.

        Args:
            camera: the view's.
            image: the view.
            depth: an image with 1 / depth in red.
            place: scale and offset (x, y of each) that take places in the view to places on `depth`.
        """
        row = self._views
        self._views += 1
        view = self._node("ShaderNodeGroup", 0, row)
        view.node_tree = _view_group()
        view.label = camera.name
        for name, vector in projector_rows(camera, self._scene).items():
            view.inputs[name].default_value = vector
        self._link(self._sharpness.outputs[0], view.inputs["Sharpness"])
        color = self._image(image, view.outputs["Place"], 1, row)
        on_atlas = self._vector_math("MULTIPLY_ADD", 1, row + 0.5)
        self._link(view.outputs["Place"], on_atlas.inputs[0])
        on_atlas.inputs[1].default_value, on_atlas.inputs[2].default_value = (*place[:2], 0.0), (*place[2:], 0.0)
        stored = self._image(depth, on_atlas.outputs[0], 2, row + 0.5)
        seen = self._node("ShaderNodeMath", 3, row + 0.5, "MULTIPLY")
        self._link(stored.outputs["Color"], seen.inputs[0])
        self._link(view.outputs["Depth"], seen.inputs[1])
        clear = self._map_range(seen.outputs[0], (1 + TOLERANCE, 1 + 2 * TOLERANCE), (1.0, 0.0), 4, row + 0.5)
        likely = self._map_range(seen.outputs[0], (1 + ROUGH_TOLERANCE, 1 + 1.5 * ROUGH_TOLERANCE), (1.0, 0.0), 4, row)
        fallback = self._node("ShaderNodeMath", 4.5, row, "MULTIPLY")
        self._link(view.outputs["Fallback"], fallback.inputs[0])
        self._link(likely.outputs[0], fallback.inputs[1])
        weight = self._node("ShaderNodeMath", 5, row + 0.5, "MULTIPLY_ADD")
        self._link(view.outputs["Weight"], weight.inputs[0])
        self._link(clear.outputs[0], weight.inputs[1])
        self._link(fallback.outputs[0], weight.inputs[2])
        self._add(color.outputs["Color"], weight.outputs[0], row)

    def finish(self) -> None:
        """Divides the sums and leads the colour to the output, as light: the views are lit already."""
        mean = self._vector_math("DIVIDE", 7, 0)
        self._link(self._color, mean.inputs[0])
        self._link(self._weight, mean.inputs[1])
        is_seen = self._node("ShaderNodeMath", 7, 0.5, "GREATER_THAN")
        self._link(self._weight, is_seen.inputs[0])
        is_seen.inputs[1].default_value = 1e-6
        unseen = self._node("ShaderNodeAttribute", 7, 1)
        unseen.attribute_type, unseen.attribute_name = "OBJECT", UNSEEN_COLOR
        mix = self._node("ShaderNodeMix", 8, 0)
        mix.data_type = "RGBA"
        self._link(is_seen.outputs[0], mix.inputs["Factor"])
        colors = [socket for socket in mix.inputs if socket.type == "RGBA"]
        self._link(unseen.outputs["Color"], colors[0])
        self._link(mean.outputs[0], colors[1])
        emission = self._node("ShaderNodeEmission", 9, 0)
        self._link(next(socket for socket in mix.outputs if socket.type == "RGBA"), emission.inputs["Color"])
        output = self._node("ShaderNodeOutputMaterial", 10, 0)
        self._link(emission.outputs[0], output.inputs["Surface"])

    def _add(self, color: Any, weight: Any, row: int) -> None:
        """Adds a weighted colour and its weight to the sums."""
        total = self._vector_math("MULTIPLY_ADD", 6, row)
        self._link(color, total.inputs[0])
        self._link(weight, total.inputs[1])
        weights = self._node("ShaderNodeMath", 6, row + 0.5, "ADD")
        self._link(weight, weights.inputs[0])
        if self._color is None:
            total.inputs[2].default_value, weights.inputs[1].default_value = (0.0, 0.0, 0.0), 0.0
        else:
            self._link(self._color, total.inputs[2])
            self._link(self._weight, weights.inputs[1])
        self._color, self._weight = total.outputs[0], weights.outputs[0]

    def _image(self, image: bpy.types.Image, place: Any, column: float, row: float) -> Any:
        node = self._node("ShaderNodeTexImage", column, row)
        node.image, node.extension, node.interpolation = image, "EXTEND", "Linear"
        self._link(place, node.inputs["Vector"])
        return node

    def _map_range(
        self, value: Any, source: tuple[float, float], target: tuple[float, float], column: float, row: float
    ) -> Any:
        node = self._node("ShaderNodeMapRange", column, row)
        self._link(value, node.inputs["Value"])
        for name, number in zip(("From Min", "From Max", "To Min", "To Max"), (*source, *target), strict=True):
            node.inputs[name].default_value = number
        return node

    def _vector_math(self, operation: str, column: float, row: float) -> Any:
        return self._node("ShaderNodeVectorMath", column, row, operation)

    def _node(self, kind: str, column: float, row: float, operation: str = "") -> Any:
        node = self._tree.nodes.new(kind)
        node.location = (column * _STEP_X, -row * _STEP_Y)
        if operation:
            node.operation = operation
        return node

    def _link(self, source: Any, target: Any) -> None:
        self._tree.links.new(source, target)


def projector_rows(camera: PinholeCamera, scene: bpy.types.Scene) -> dict[str, tuple[float, float, float]]:
    """The vectors that a view's node needs, in the scene's world coordinates.

    For a point at d Blender units from `Origin` the depth in metres is d . Forward, and the place in the view, 0 .. 1
    from its lower left, is (d . Right, d . Up) / depth. Right and Up hold focal lengths and principal point too, so
    that shift and pixels of any shape need nothing more.
    """
    x_axis, y_axis, z_axis = camera.world_from_camera[:3, :3].T
    right = (camera.fx * x_axis + camera.cx * z_axis) / camera.width
    down = (camera.fy * y_axis + camera.cy * z_axis) / camera.height
    rows = {"Right": right, "Up": z_axis - down, "Forward": z_axis}
    rows = {name: row * meters_per_unit(scene) for name, row in rows.items()}
    rows["Origin"] = pose_to_units(scene, camera.world_from_camera)[:3, 3]
    return {name: (float(row[0]), float(row[1]), float(row[2])) for name, row in rows.items()}


def _view_group() -> bpy.types.NodeTree:
    """The group `VIEW_GROUP`, made when it is first asked for."""
    known = bpy.data.node_groups.get(VIEW_GROUP)
    if known is not None:
        return known
    tree = bpy.data.node_groups.new(VIEW_GROUP, "ShaderNodeTree")
    for name in ("Origin", "Right", "Up", "Forward"):
        tree.interface.new_socket(name, in_out="INPUT", socket_type="NodeSocketVector")
    tree.interface.new_socket("Sharpness", in_out="INPUT", socket_type="NodeSocketFloat")
    tree.interface.new_socket("Place", in_out="OUTPUT", socket_type="NodeSocketVector")
    for name in ("Depth", "Weight", "Fallback"):
        tree.interface.new_socket(name, in_out="OUTPUT", socket_type="NodeSocketFloat")
    graph = _Formulas(tree)
    given, result = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
    surface = tree.nodes.new("ShaderNodeNewGeometry")
    offset = graph.vector("SUBTRACT", surface.outputs["Position"], given.outputs["Origin"])
    right, up, depth = (graph.dot(offset, given.outputs[name]) for name in ("Right", "Up", "Forward"))
    x, y = graph.math("DIVIDE", right, depth), graph.math("DIVIDE", up, depth)
    place = tree.nodes.new("ShaderNodeCombineXYZ")
    tree.links.new(x, place.inputs[0])
    tree.links.new(y, place.inputs[1])
    towards = graph.vector("NORMALIZE", graph.vector("SUBTRACT", given.outputs["Origin"], surface.outputs["Position"]))
    facing = graph.math("MAXIMUM", graph.dot(surface.outputs["Normal"], towards), 0.0)
    in_front = graph.math("GREATER_THAN", depth, 0.0)
    edge = graph.math("MINIMUM", graph.from_edge(x), graph.from_edge(y))
    border = graph.math("MINIMUM", graph.math("DIVIDE", graph.math("MAXIMUM", edge, 0.0), BORDER), 1.0)
    weight = graph.math("POWER", facing, given.outputs["Sharpness"])
    for factor in (in_front, border):
        weight = graph.math("MULTIPLY", weight, factor)
    fallback = graph.math("MULTIPLY", graph.math("ADD", graph.math("MULTIPLY", facing, 0.9), 0.1), FALLBACK)
    for factor in (in_front, graph.math("GREATER_THAN", edge, 0.0)):
        fallback = graph.math("MULTIPLY", fallback, factor)
    sources = {"Place": place.outputs[0], "Depth": depth, "Weight": weight, "Fallback": fallback}
    for name, source in sources.items():
        tree.links.new(source, result.inputs[name])
    for number, node in enumerate(tree.nodes):
        node.location = (number % 6 * _STEP_X, -(number // 6) * 200.0)
    return tree


class _Formulas:
    """Arithmetic as nodes: takes sockets or numbers, gives the socket of the result."""

    def __init__(self, tree: bpy.types.NodeTree) -> None:
        self._tree = tree

    def math(self, operation: str, *operands: Any) -> Any:
        return self._node("ShaderNodeMath", operation, operands).outputs[0]

    def vector(self, operation: str, *operands: Any) -> Any:
        return self._node("ShaderNodeVectorMath", operation, operands).outputs[0]

    def dot(self, first: Any, second: Any) -> Any:
        return self._node("ShaderNodeVectorMath", "DOT_PRODUCT", (first, second)).outputs["Value"]

    def from_edge(self, place: Any) -> Any:
        """Distance of a place in 0 .. 1 from the nearer end; negative outside."""
        return self.math("MINIMUM", place, self.math("SUBTRACT", 1.0, place))

    def _node(self, kind: str, operation: str, operands: tuple[Any, ...]) -> Any:
        node = self._tree.nodes.new(kind)
        node.operation = operation
        for socket, operand in zip(node.inputs, operands, strict=False):
            if isinstance(operand, float):
                socket.default_value = operand
            else:
                self._tree.links.new(operand, socket)
        return node
