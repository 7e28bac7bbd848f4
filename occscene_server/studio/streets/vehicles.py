"""Vehicles: cars, vans, buses, trucks, two-wheelers. Their front is at +y, they stand on z = 0."""

from __future__ import annotations

from dataclasses import dataclass

from occscene.srgb import LinearColor

from occscene_server.studio.kit import Block, Piece, with_article
from occscene_server.studio.room import Part
from occscene_server.studio.shapes import box, ellipsoid, rod
from occscene_server.studio.streets.kit import CAR_COLORS, CAR_SHARES, StreetKit
from occscene_server.studio.streets.solids import loft, prism, tower, wheel


@dataclass(frozen=True)
class CarShape:
    """Proportions of a car, metres.

    Args:
        length, width, height: overall.
        belt: height of the windows' lower edge.
        hood: height of the bonnet at the windscreen.
        screen: y of the windscreen's foot and of its head, from the front.
        rear: y of the rear window's foot and of its head, from the back.
        deck: height of the boot lid; None where the back is upright.
        radius: of the wheels.
    """

    length: float
    width: float
    height: float
    belt: float
    hood: float
    screen: tuple[float, float]
    rear: tuple[float, float]
    deck: float | None
    radius: float = 0.32


CARS: dict[str, CarShape] = {
    "hatchback": CarShape(4.05, 1.75, 1.47, 0.93, 0.9, (1.05, 1.85), (0.12, 0.55), None, 0.31),
    "saloon car": CarShape(4.7, 1.82, 1.44, 0.93, 0.9, (1.4, 2.15), (0.72, 1.35), 0.98, 0.33),
    "estate car": CarShape(4.7, 1.82, 1.47, 0.94, 0.9, (1.4, 2.15), (0.1, 0.42), None, 0.33),
    "off-road car": CarShape(4.5, 1.88, 1.72, 1.08, 1.05, (1.3, 1.95), (0.1, 0.4), None, 0.37),
    "small car": CarShape(3.6, 1.65, 1.5, 0.94, 0.92, (0.8, 1.5), (0.1, 0.4), None, 0.29),
}


def paint(kit: StreetKit, color: LinearColor) -> str:
    """Glossy car paint."""
    return kit.material("car_paint", color, vary=0.03)


def wheels(kit: StreetKit, track: float, axles: tuple[float, ...], radius: float, width: float = 0.2) -> list[Part]:
    """Wheels with rims at both sides of each axle, in dark wheel houses that stand a little out of the body."""
    parts = []
    for y in axles:
        for side in (-1, 1):
            x = side * (track - width / 2)
            parts.append(wheel((x - side * 0.015, y, radius * 1.02), radius * 1.17, width, kit.rubber(), 18))
            parts.append(wheel((x + side * 0.012, y, radius), radius, width, kit.shared("tyre", "rubber", "1b1b1b")))
            parts.append(wheel((x + side * 0.022, y, radius), radius * 0.62, width, kit.chrome(), 10))
            parts.append(wheel((x + side * 0.03, y, radius), radius * 0.16, width, kit.rubber(), 6))
    return parts


def car(kit: StreetKit, kind: str, color: str) -> Piece:
    """A car of one of `CARS`."""
    shape = CARS[kind]
    body = paint(kit, CAR_COLORS[color])
    half, wide = shape.length / 2, shape.width / 2
    low = shape.radius * 0.62
    screen_foot, screen_head = half - shape.screen[0], half - shape.screen[1]
    rear_foot, rear_head = -half + shape.rear[0], -half + shape.rear[1]
    back = shape.deck or shape.belt + 0.04
    nose = 0.72 * shape.hood
    lower = loft(
        [
            (-half, wide * 0.72, low + 0.2, back - 0.24),
            (-half + 0.05, wide * 0.9, low + 0.06, back - 0.08),
            (-half + 0.22, wide * 0.97, low, back),
            (-half + 0.9, wide, low - 0.02, shape.belt + 0.02),
            (0.0, wide, low - 0.02, shape.belt),
            (screen_foot, wide * 0.99, low - 0.02, shape.hood + 0.01),
            (half - 0.5, wide * 0.96, low, nose + 0.12),
            (half - 0.12, wide * 0.88, low + 0.05, nose),
            (half - 0.02, wide * 0.74, low + 0.14, nose - 0.12),
            (half, wide * 0.62, low + 0.2, nose - 0.2),
        ],
        body,
    )
    top = shape.height
    glass = tower(
        [
            (shape.belt - 0.08, rear_foot, screen_foot, wide * 0.93),
            (shape.belt + 0.03, rear_foot + 0.02, screen_foot - 0.04, wide * 0.92),
            (top - 0.07, rear_head, screen_head, wide * 0.75),
        ],
        kit.car_glass(),
    )
    roof = tower(
        [
            (top - 0.09, rear_head - 0.05, screen_head + 0.05, wide * 0.775),
            (top - 0.03, rear_head - 0.01, screen_head - 0.02, wide * 0.74),
            (top, rear_head + 0.14, screen_head - 0.2, wide * 0.6),
        ],
        body,
    )
    parts = [lower, glass, roof]
    middle = (screen_head + rear_head) / 2 - 0.05
    for side in (-1, 1):
        foot, head = side * wide * 0.905, side * wide * 0.745
        parts.append(
            rod((foot, screen_foot - 0.06, shape.belt - 0.02), (head, screen_head, top - 0.06), 0.045, 0.04, body)
        )
        parts.append(
            rod((foot, middle, shape.belt - 0.02), (head + side * 0.01, middle, top - 0.05), 0.04, 0.035, body)
        )
        parts.append(
            rod((foot, rear_foot + 0.1, shape.belt - 0.02), (head, rear_head + 0.04, top - 0.06), 0.09, 0.06, body)
        )
        parts.append(ellipsoid((side * (wide + 0.07), screen_foot - 0.2, shape.belt + 0.06), (0.09, 0.06, 0.07), body))
        for y in (middle, screen_foot - 0.12, rear_foot + 0.55):
            parts.append(box((side * wide * 0.985, y, shape.belt - 0.33), (0.06, 0.014, 0.56), kit.rubber()))
        for y in (middle - 0.22, screen_foot - 1.0):
            parts.append(
                box((side * (wide + 0.0), y - 0.05, shape.belt - 0.13), (0.05, 0.16, 0.03), kit.chrome(), 0.008)
            )
        parts.append(box((side * wide * 0.97, 0, low + 0.04), (0.1, shape.length * 0.5, 0.08), kit.rubber()))
        lamp = kit.shared("head lamp", "lamp", "dfe6ea", emission=4.0)
        tail = kit.shared("tail lamp", "lamp", "a0100f", emission=2.0)
        parts.append(box((side * wide * 0.66, half - 0.1, nose - 0.15), (wide * 0.42, 0.16, 0.13), lamp, 0.03))
        parts.append(box((side * wide * 0.74, -half + 0.07, back - 0.2), (wide * 0.3, 0.12, 0.2), tail, 0.03))
    plate = kit.shared("number plate", "painted", "e3e0d3")
    parts.append(box((0, half - 0.005, low + 0.24), (0.5, 0.03, 0.11), plate))
    parts.append(box((0, -half + 0.01, back - 0.38), (0.5, 0.05, 0.11), plate))
    parts.append(box((0, half - 0.03, nose - 0.17), (wide * 0.8, 0.06, 0.1), kit.rubber(), 0.02))
    parts.append(box((0, half - 0.06, low + 0.1), (wide * 1.3, 0.1, 0.12), kit.rubber(), 0.03))
    parts.append(box((0, -half + 0.08, low + 0.1), (wide * 1.4, 0.1, 0.14), kit.rubber(), 0.03))
    axle = half - shape.length * 0.2
    parts += wheels(kit, wide + 0.005, (axle, -half + shape.length * 0.19), shape.radius)
    blocks: tuple[Block, ...] = (
        ((0.0, 0.0, 0.52), (shape.width, shape.length, 0.84)),
        ((0.0, (screen_head + rear_head) / 2, (top + 0.9) / 2), (shape.width * 0.85, shape.length * 0.55, top - 0.9)),
    )
    return Piece("car", "car", with_article(f"{color} {kind}"), tuple(parts), blocks)


def any_car(kit: StreetKit) -> Piece:
    """A car of a kind and colour as they are seen in streets."""
    kind = kit.pick(("hatchback", "hatchback", "saloon car", "estate car", "off-road car", "small car"))
    return car(kit, kind, kit.one_of(CAR_COLORS, CAR_SHARES))


def van(kit: StreetKit) -> Piece:
    """A delivery van."""
    color = kit.one_of(CAR_COLORS, {"white": 10, "silver": 3})
    body = paint(kit, CAR_COLORS[color])
    half, wide, top = 2.75, 1.0, 2.45
    parts = [
        loft(
            [
                (-half, wide * 0.93, 0.42, top - 0.08), (-half + 0.08, wide, 0.34, top), (1.0, wide, 0.34, top),
                (1.35, wide, 0.34, top - 0.1), (1.9, wide * 0.99, 0.34, 1.3), (half - 0.3, wide * 0.96, 0.36, 1.12),
                (half - 0.06, wide * 0.88, 0.42, 0.98), (half, wide * 0.75, 0.5, 0.86),
            ],
            body, 7.0,
        ),
        prism(
            [(-0.86, 1.36), (-0.86, 1.42), (-0.8, 2.26), (0.8, 2.26), (0.86, 1.42), (0.86, 1.36)],
            1.24, 1.3, kit.car_glass(),
        ),
    ]  # fmt: skip
    parts[1] = _sloped(parts[1], 1.3, 2.26, 1.88, 1.36)
    for side in (-1, 1):
        parts.append(box((side * 1.0, 1.0, 1.62), (0.05, 0.8, 0.62), kit.car_glass(), 0.02))
        parts.append(box((side * 1.0, -0.4, 1.25), (0.03, 0.02, 1.7), kit.rubber()))
        parts.append(box((side * 1.0, 0.5, 1.25), (0.03, 0.02, 1.7), kit.rubber()))
        parts.append(box((side * 0.98, -0.9, 0.62), (0.08, 3.2, 0.12), kit.rubber(), 0.02))
        parts.append(box((side * 1.12, 1.62, 1.55), (0.16, 0.1, 0.3), kit.rubber(), 0.03))
        parts.append(
            box(
                (side * 0.72, half - 0.1, 0.93),
                (0.34, 0.18, 0.2),
                kit.shared("head lamp", "lamp", "dfe6ea", emission=4.0),
                0.03,
            )
        )
        parts.append(
            box(
                (side * 0.9, -half + 0.02, 1.15),
                (0.12, 0.06, 0.5),
                kit.shared("tail lamp", "lamp", "a0100f", emission=2.0),
                0.02,
            )
        )
        parts.append(box((side * 0.42, -half + 0.005, 1.9), (0.6, 0.05, 0.55), kit.car_glass(), 0.02))
    parts.append(box((0, half - 0.03, 0.55), (1.5, 0.12, 0.2), kit.rubber(), 0.04))
    parts.append(box((0, -half, 0.48), (1.8, 0.14, 0.16), kit.rubber(), 0.03))
    parts.append(box((0, -half - 0.002, 1.3), (0.02, 0.04, 1.8), kit.rubber()))
    parts += wheels(kit, wide + 0.01, (1.85, -1.75), 0.35, 0.22)
    blocks: tuple[Block, ...] = (((0.0, -0.5, 1.35), (2.0, 4.5, 2.1)), ((0.0, 2.2, 0.8), (1.95, 1.1, 1.0)))
    return Piece("van", "other-vehicle", with_article(f"{color} delivery van"), tuple(parts), blocks)


def _sloped(part: Part, y_top: float, z_top: float, y_foot: float, z_foot: float) -> Part:
    """An upright sheet leaned forward, its foot at `y_foot`, its head at `y_top`."""
    lean = (y_foot - y_top) / (z_top - z_foot)
    vertices = part.vertices.copy()
    vertices[:, 1] += (z_top - vertices[:, 2]) * lean + 0.06
    return Part(vertices, part.faces, part.material, part.local)


def bus(kit: StreetKit) -> Piece:
    """A city bus."""
    color = kit.pick(("yellow", "red", "white", "green", "blue", "orange"))
    body = paint(kit, CAR_COLORS[color])
    length, wide, top = kit.between(9.5, 11.5), 1.25, 3.0
    half = length / 2
    parts = [
        loft(
            [
                (-half, 1.12, 0.45, top - 0.12),
                (-half + 0.1, wide, 0.36, top),
                (half - 0.25, wide, 0.36, top),
                (half, 1.15, 0.42, top - 0.2),
            ],
            body,
            12.0,
        ),
        box((0, half - 0.02, 1.75), (2.2, 0.1, 1.35), kit.car_glass(), 0.04),
        box((0, half - 0.01, 2.66), (1.5, 0.1, 0.26), kit.shared("bus sign", "lamp", "e8a21c", emission=2.0), 0.02),
        box((0, -half + 0.02, 2.0), (1.9, 0.1, 0.8), kit.car_glass(), 0.04),
        box((0, 0, top + 0.06), (1.6, length * 0.45, 0.18), kit.shared("bus roof", "painted", "c9cac8"), 0.05),
        box((0, half - 0.02, 0.55), (2.3, 0.1, 0.25), kit.rubber(), 0.04),
    ]
    windows = int((length - 1.2) / 1.45)
    for side in (-1, 1):
        for index in range(windows):
            y = -half + 0.8 + (index + 0.5) * (length - 1.4) / windows
            is_door = side > 0 and index in (windows // 2, windows - 1)
            tall, z = (2.05, 1.55) if is_door else (1.05, 1.95)
            parts.append(box((side * wide, y, z), (0.05, (length - 1.4) / windows - 0.12, tall), kit.car_glass(), 0.03))
            if is_door:
                parts.append(box((side * (wide + 0.01), y, z), (0.05, 0.05, tall), kit.rubber()))
        parts.append(
            box(
                (side * wide * 0.995, 0, 0.75), (0.04, length * 0.96, 0.08), kit.shared("bus trim", "painted", "e6e6e2")
            )
        )
        parts.append(box((side * 1.38, half + 0.1, 2.2), (0.2, 0.14, 0.4), kit.rubber(), 0.04))
        parts.append(
            box(
                (side * 0.9, half - 0.0, 0.85),
                (0.34, 0.06, 0.18),
                kit.shared("head lamp", "lamp", "dfe6ea", emission=4.0),
                0.02,
            )
        )
        parts.append(
            box(
                (side * 1.0, -half + 0.02, 1.0),
                (0.18, 0.06, 0.4),
                kit.shared("tail lamp", "lamp", "a0100f", emission=2.0),
                0.02,
            )
        )
    parts += wheels(kit, wide + 0.01, (half - 2.4, -half + 2.6), 0.48, 0.28)
    blocks: tuple[Block, ...] = (((0.0, 0.0, top / 2 + 0.15), (2.5, length, top - 0.25)),)
    return Piece("bus", "other-vehicle", with_article(f"{color} city bus"), tuple(parts), blocks)


def truck(kit: StreetKit) -> Piece:
    """A lorry with a box, a tarpaulin, or a tipper's open bed."""
    color = kit.one_of(CAR_COLORS, {"white": 4, "red": 3, "blue": 3})
    body, chassis = paint(kit, CAR_COLORS[color]), kit.rubber()
    length, load = kit.between(6.4, 9.0), kit.pick(("box truck", "tarpaulin truck", "tipper truck"))
    half, high = length / 2, kit.between(3.0, 3.6)
    cab = half - 1.75
    parts = [
        loft(
            [
                (cab, 1.15, 0.6, 2.6),
                (cab + 0.1, 1.2, 0.55, 2.72),
                (half - 0.4, 1.2, 0.5, 2.7),
                (half - 0.12, 1.18, 0.48, 2.1),
                (half, 1.1, 0.5, 1.5),
            ],
            body,
            8.0,
        ),
        _sloped(
            prism([(-1.05, 1.62), (-0.98, 2.5), (0.98, 2.5), (1.05, 1.62)], half - 0.36, half - 0.3, kit.car_glass()),
            half - 0.3,
            2.5,
            half - 0.1,
            1.62,
        ),
        box((0, -0.9, 0.78), (0.9, length - 1.8, 0.24), chassis),
        box((0, half - 0.02, 0.75), (2.2, 0.12, 0.3), kit.rubber(), 0.03),
        box((0, half + 0.0, 1.3), (1.5, 0.06, 0.36), kit.rubber(), 0.03),
    ]
    for side in (-1, 1):
        parts.append(box((side * 1.2, half - 0.75, 2.0), (0.05, 0.75, 0.62), kit.car_glass(), 0.03))
        parts.append(box((side * 1.36, half - 0.15, 2.0), (0.2, 0.12, 0.5), kit.rubber(), 0.03))
        parts.append(
            box(
                (side * 0.9, half + 0.01, 0.95),
                (0.36, 0.06, 0.18),
                kit.shared("head lamp", "lamp", "dfe6ea", emission=4.0),
                0.02,
            )
        )
        parts.append(
            box(
                (side * 0.9, -half + 0.02, 0.85),
                (0.34, 0.06, 0.14),
                kit.shared("tail lamp", "lamp", "a0100f", emission=2.0),
                0.02,
            )
        )
        parts.append(box((side * 1.05, -0.5, 0.7), (0.06, 1.6, 0.35), kit.steel()))
    y, deep = (cab - 0.12 - half) / 2, cab - 0.12 + half
    if load == "tipper truck":
        bed = kit.shared("tipper", "painted", "7d5a1c")
        parts += [
            box((0, y, 1.05), (2.4, deep, 0.16), bed),
            box((0, y + deep / 2, 1.7), (2.4, 0.1, 1.4), bed),
            box((0, y - deep / 2, 1.55), (2.4, 0.1, 1.0), bed),
        ]
        parts += [box((side * 1.17, y, 1.6), (0.1, deep, 1.1), bed) for side in (-1, 1)]
        parts += [
            box((side * 1.24, y + f * deep, 1.6), (0.06, 0.1, 1.1), bed)
            for side in (-1, 1)
            for f in (-0.4, -0.2, 0.0, 0.2, 0.4)
        ]
        parts.append(ellipsoid((0, y, 1.6), (1.05, deep * 0.42, 0.75), kit.shared("gravel load", "gravel", "8a7d68")))
        high = 2.4
        phrase = with_article(f"{color} {load}")
    else:
        word = kit.pick(("white", "grey", "blue", "green", "red", "beige"))
        cargo = "tarpaulin" if load == "tarpaulin truck" else "box"
        phrase = f"{with_article(color)} truck with {with_article(f'{word} {cargo}')}"
        kind = "fabric" if load == "tarpaulin truck" else "corrugated"
        skin = kit.material("painted" if kind == "fabric" else kind, CAR_COLORS[word])
        parts.append(box((0, y, (1.0 + high) / 2), (2.46, deep, high - 1.0), skin, 0.03))
        parts += [
            box((side * 1.235, y, z), (0.03, deep + 0.02, 0.09), kit.steel())
            for side in (-1, 1)
            for z in (1.05, high - 0.04)
        ]
        parts += [
            box((x, y - deep / 2 - 0.005, (1.0 + high) / 2), (0.05, 0.04, high - 1.1), kit.steel())
            for x in (-1.15, 0.0, 1.15)
        ]
    axles = (half - 1.1, -half + 1.2) if length < 7.6 else (half - 1.1, -half + 1.0, -half + 2.2)
    parts += wheels(kit, 1.22, axles, 0.48, 0.3)
    blocks: tuple[Block, ...] = (
        ((0.0, y, (0.6 + high) / 2), (2.46, deep, high - 0.6)),
        ((0.0, half - 0.88, 1.6), (2.4, 1.75, 2.2)),
    )
    return Piece("truck", "truck", phrase, tuple(parts), blocks)


def trailer(kit: StreetKit) -> Piece:
    """A caravan or a box trailer."""
    if kit.chance(0.5):
        body = paint(kit, CAR_COLORS["white"])
        parts = [
            loft(
                [
                    (-2.2, 0.95, 0.75, 2.2),
                    (-2.05, 1.1, 0.55, 2.5),
                    (1.8, 1.1, 0.5, 2.55),
                    (2.15, 1.05, 0.6, 1.9),
                    (2.3, 0.9, 0.7, 1.4),
                ],
                body,
                7.0,
            ),
            rod((0, 2.2, 0.5), (0, 3.2, 0.42), 0.05, 0.04, kit.steel()),
            rod((0, 3.1, 0.0), (0, 3.1, 0.5), 0.04, 0.04, kit.steel()),
            box((0, 0, 0.72), (2.24, 4.0, 0.1), kit.shared("caravan stripe", "painted", "7f8f9a")),
        ]
        parts += [
            box((s * 1.1, y, 1.75), (0.05, 0.9, 0.55), kit.car_glass(), 0.03) for s in (-1, 1) for y in (-1.2, 0.7)
        ]
        parts += wheels(kit, 1.11, (-0.2,), 0.33)
        return Piece("caravan", "other-vehicle", "a white caravan", tuple(parts), (((0.0, 0.0, 1.5), (2.2, 4.5, 2.1)),))
    wood = kit.shared("trailer boards", "wood", "7c5a38")
    parts = [box((0, 0, 0.55), (1.6, 2.6, 0.1), wood), rod((0, 1.3, 0.5), (0, 2.5, 0.45), 0.05, 0.04, kit.steel())]
    parts += [box((s * 0.8, 0, 0.8), (0.05, 2.6, 0.5), wood) for s in (-1, 1)]
    parts += [box((0, s * 1.3, 0.8), (1.6, 0.05, 0.5), wood) for s in (-1, 1)]
    parts.append(rod((0, 2.4, 0.0), (0, 2.4, 0.5), 0.03, 0.03, kit.steel()))
    parts += wheels(kit, 1.0, (0.0,), 0.31)
    return Piece(
        "trailer", "other-vehicle", "a small wooden trailer", tuple(parts), (((0.0, 0.0, 0.7), (1.9, 2.6, 0.8)),)
    )
