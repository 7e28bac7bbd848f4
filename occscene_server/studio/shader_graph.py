"""A small language for shader nodes: sockets in, sockets out, so that a material reads like a formula."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import bpy

Color = tuple[float, float, float]
Scalar: TypeAlias = "bpy.types.NodeSocket | float"
Vector: TypeAlias = "bpy.types.NodeSocket | tuple[float, float, float]"
Tint: TypeAlias = "bpy.types.NodeSocket | Color"


@dataclass
class Surface:
    """What a pattern says about a surface; numbers or sockets, as `Principled BSDF` takes them."""

    color: Tint
    roughness: Scalar = 0.6
    metallic: float = 0.0
    sheen: float = 0.0
    height: Scalar | None = None
    height_scale: float = 0.01


class ShaderGraph:
    """Builds the node tree of one material or world, which it empties first.

    `local` is the mesh attribute of the same name: texture coordinates in metres in the part's own frame. `surface`
    are those of box projection along the object's axes, in metres from its origin: x level along an upright surface
    and y up it, x and y on what lies flat.
    """

    def __init__(self, owner: bpy.types.Material | bpy.types.World) -> None:
        """Takes over the node tree of `owner`."""
        owner.use_nodes = True
        self.tree = owner.node_tree
        self.tree.nodes.clear()
        self.local = self.node("ShaderNodeAttribute", {}, attribute_name="local").outputs["Vector"]

    @cached_property
    def surface(self) -> bpy.types.NodeSocket:
        """Box projection: what x and y of a texture are on the faces of a box."""
        x, y, z = self.axes(self.node("ShaderNodeTexCoord", {}).outputs["Object"])
        across, along, up = (
            self.math("ABSOLUTE", axis)
            for axis in self.axes(self.node("ShaderNodeNewGeometry", {}).outputs["True Normal"])
        )
        flat = self.math("GREATER_THAN", up, self.math("MAXIMUM", across, along))
        faces_x = self.math("MULTIPLY", self.math("GREATER_THAN", across, along), self.math("SUBTRACT", 1.0, flat))

        def choose(condition: Scalar, yes: Scalar, no: Scalar) -> bpy.types.NodeSocket:
            return self.math("MULTIPLY_ADD", condition, self.math("SUBTRACT", yes, no), no)

        return self.vector(choose(faces_x, y, x), choose(flat, y, z))

    def node(self, kind: str, inputs: dict[str | int, object], **properties: object) -> bpy.types.Node:
        """A node of the given type with its properties set and its inputs linked to sockets or set to values."""
        node = self.tree.nodes.new(kind)
        for name, value in properties.items():
            setattr(node, name, value)
        for key, value in inputs.items():
            self.connect(node.inputs[key], value)
        return node

    def connect(self, socket: bpy.types.NodeSocket, value: object) -> None:
        """Links a socket to another one, or sets its value; a colour gets its alpha."""
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        elif isinstance(value, tuple) and socket.type == "RGBA":
            socket.default_value = (*value, 1.0)
        else:
            socket.default_value = value

    def math(self, operation: str, a: Scalar, b: Scalar = 0.0, c: Scalar = 0.0) -> bpy.types.NodeSocket:
        """A scalar `Math` node."""
        return self.node("ShaderNodeMath", {0: a, 1: b, 2: c}, operation=operation).outputs[0]

    def smoothstep(self, value: Scalar, low: float, high: float) -> bpy.types.NodeSocket:
        """0 below `low`, 1 above `high`, smooth between them."""
        inputs: dict[str | int, object] = {"Value": value, "From Min": low, "From Max": high}
        return self.node("ShaderNodeMapRange", inputs, interpolation_type="SMOOTHSTEP").outputs["Result"]

    def wave(self, value: Scalar, period: float, phase: float = 0.0) -> bpy.types.NodeSocket:
        """A cosine of the given period in metres."""
        return self.math("COSINE", self.math("MULTIPLY_ADD", value, 6.2831853 / period, phase))

    def ping_pong(self, value: Scalar, period: float) -> bpy.types.NodeSocket:
        """The distance to the nearest multiple of `period`, in metres."""
        return self.math("PINGPONG", value, period / 2)

    def axes(self, vector: Vector) -> tuple[bpy.types.NodeSocket, bpy.types.NodeSocket, bpy.types.NodeSocket]:
        """The x, y and z of a vector."""
        outputs = self.node("ShaderNodeSeparateXYZ", {0: vector}).outputs
        return outputs[0], outputs[1], outputs[2]

    def vector(self, x: Scalar, y: Scalar, z: Scalar = 0.0) -> bpy.types.NodeSocket:
        """A vector from its components."""
        return self.node("ShaderNodeCombineXYZ", {0: x, 1: y, 2: z}).outputs[0]

    def stretch(self, vector: Vector, factors: Color, offset: Vector = (0.0, 0.0, 0.0)) -> bpy.types.NodeSocket:
        """`vector * factors + offset`, component by component."""
        return self.node("ShaderNodeVectorMath", {0: vector, 1: factors, 2: offset}, operation="MULTIPLY_ADD").outputs[
            "Vector"
        ]

    def noise(self, vector: Vector, frequency: float, detail: float = 2.0, flat: bool = False) -> bpy.types.NodeSocket:
        """Perlin noise in about [0.25, 0.75]; `frequency` in repeats a metre; `flat` noise ignores z and costs less."""
        inputs: dict[str | int, object] = {"Vector": vector, "Scale": frequency, "Detail": detail}
        kind = {"noise_dimensions": "2D"} if flat else {}
        return self.node("ShaderNodeTexNoise", inputs, **kind).outputs[0]

    def cells(self, vector: Vector, size: float, feature: str = "F1", flat: bool = False) -> bpy.types.Node:
        """A Voronoi node with cells of about `size` metres; its outputs are `Distance` and, for F1, `Color`.

        `flat` cells ignore z and cost less.
        """
        kind = {"voronoi_dimensions": "2D"} if flat else {}
        return self.node("ShaderNodeTexVoronoi", {"Vector": vector, "Scale": 1.0 / size}, feature=feature, **kind)

    def bricks(
        self, vector: Vector, width: float, height: float, gap: float, offset: float = 0.5
    ) -> tuple[bpy.types.NodeSocket, bpy.types.NodeSocket]:
        """Rows of bricks: a random number in [0, 1] for each brick, and 1 in the gaps between them, else 0."""
        inputs: dict[str | int, object] = {
            "Vector": vector,
            "Color1": (0.0, 0.0, 0.0),
            "Color2": (1.0, 1.0, 1.0),
            "Mortar": (0.5, 0.5, 0.5),
            "Scale": 1.0,
            "Mortar Size": gap / 2,
            "Mortar Smooth": 0.2,
            "Brick Width": width,
            "Row Height": height,
        }
        node = self.node("ShaderNodeTexBrick", inputs, offset=offset)
        return node.outputs["Color"], node.outputs["Fac"]

    def mix(self, factor: Scalar, a: Tint, b: Tint, blend: str = "MIX") -> bpy.types.NodeSocket:
        """Colours `a` and `b` mixed by `factor` in [0, 1]."""
        node = self.node("ShaderNodeMix", {0: factor, 6: a, 7: b}, data_type="RGBA", blend_type=blend)
        return node.outputs[2]

    def ramp(self, factor: Scalar, colors: list[Color], constant: bool = True) -> bpy.types.NodeSocket:
        """Evenly spaced colours along `factor` in [0, 1], in steps or blended."""
        node = self.node("ShaderNodeValToRGB", {0: factor})
        node.color_ramp.interpolation = "CONSTANT" if constant else "LINEAR"
        elements = node.color_ramp.elements
        while len(elements) < len(colors):
            elements.new(0.5)
        for index, color in enumerate(colors):
            elements[index].position = index / (len(colors) - (0 if constant else 1))
            elements[index].color = (*color, 1.0)
        return node.outputs[0]

    def gain(self, color: Tint, value: Scalar, low: float, high: float) -> bpy.types.NodeSocket:
        """The colour made darker or lighter: times `low` where `value` is 0, times `high` where it is 1."""
        factor = self.math("MULTIPLY_ADD", value, high - low, low)
        return self.node("ShaderNodeVectorMath", {0: color, "Scale": factor}, operation="SCALE").outputs["Vector"]
