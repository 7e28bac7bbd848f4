"""The ground of a street: carriageway with its markings, parking, pavements with kerbs, grass, yards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from occscene_server.geometry.course import Course
from occscene_server.studio.room import FloatArray, Item, Part
from occscene_server.studio.streets.kit import StreetKit
from occscene_server.studio.streets.plan import ACROSS, BEGIN, END, Plan, Side
from occscene_server.studio.streets.solids import blades, ribbon, strip

BASE, LAWN, YARD, PARKING = -0.05, 0.06, 0.04, 0.012
"""Heights above the carriageway in metres: of the fields that all else lies on, of lawns, of yards, of parking bays."""

THICK = 0.3
FILLET = 4.5
"""Radius in metres of the kerb at a junction's corners."""


_LAWNS = (("grass", "5f7436", "grass"), ("grass", "6f7a3c", "grass"))
_FIELDS = (
    ("grass", "61772f", "meadows"),
    ("crops", "a58f45", "wheat fields"),
    ("crops", "56702e", "green fields"),
    ("soil", "6a523c", "ploughed fields"),
)
"""Pattern, colour and words of what lies around a street."""


@dataclass(frozen=True)
class Surfaces:
    """Materials of the ground and the words for them."""

    asphalt: str
    paving: str
    paving_words: str
    parking: str
    field: str
    field_words: str
    yard: str
    yard_words: str
    lawn: str


def draw_surfaces(kit: StreetKit, plan: Plan) -> Surfaces:
    """What the ground is made of."""
    asphalt = kit.shared("asphalt", "asphalt", kit.pick(("4b4c4e", "565656", "424347", "605f5c")))
    if plan.kind in ("village", "city") and kit.chance(0.22):
        asphalt = kit.shared("sett road", "cobbles", kit.pick(("5d5a55", "6b655c")))
    paving, words = (
        ("slabs", "concrete slab pavement"), ("slabs", "concrete slab pavement"), ("setts", "paved footway"),
        ("cobbles", "cobbled pavement"), ("asphalt", "asphalt pavement"),
    )[int(kit.rng.integers(5))]  # fmt: skip
    code = {"slabs": "9b978f", "setts": "8f6f60", "cobbles": "77736c", "asphalt": "6b6a68"}[paving]
    parking = kit.shared("bays", *(("setts", "6f6a64") if kit.chance(0.5) else ("asphalt", "3c3d40")))
    fields = _FIELDS if plan.kind == "countryside" else _LAWNS
    kind, field_code, field_words = fields[int(kit.rng.integers(len(fields)))]
    yard, yard_words = (("setts", "paved"), ("gravel", "gravelled"), ("slabs", "paved"), ("asphalt", "asphalt"))[
        int(kit.rng.integers(4))
    ]
    yard_code = {"setts": "86776a", "gravel": "a79a82", "slabs": "a39d90", "asphalt": "5e5e5e"}[yard]
    pavement, field = kit.shared("pavement", paving, code), kit.shared("field", kind, field_code)
    lawn = kit.shared("lawn", "grass", kit.pick(("587234", "4f6c33", "667a3d")))
    yard_key = kit.shared("yard", yard, yard_code)
    return Surfaces(asphalt, pavement, words, parking, field, field_words, yard_key, yard_words, lawn)


class Ground:
    """Collects the slabs of a street's ground by class."""

    def __init__(self, kit: StreetKit, plan: Plan, surfaces: Surfaces) -> None:
        """Begins with nothing."""
        self.kit, self.plan, self.surfaces = kit, plan, surfaces
        self.parts: dict[str, list[Part]] = {
            name: [] for name in ("terrain", "other-ground", "road", "parking", "sidewalk")
        }
        self.sketch: dict[str, list[Part]] = {name: [] for name in self.parts}

    @property
    def course(self) -> Course:
        """Of the street."""
        return self.plan.course

    def lay(
        self, name: str, span: tuple[float, float], across: tuple[float, float], top: float, material: str,
        thick: float = THICK,
    ) -> None:  # fmt: skip
        """A slab over s in `span`, d in `across`, in the scene and in the blockout."""
        across = (self.course.within(across[0]), self.course.within(across[1]))
        if span[1] - span[0] < 0.05 or abs(across[1] - across[0]) < 0.05:
            return
        self.parts[name].append(strip(self.course, span, across, top, thick, material))
        self.sketch[name].append(strip(self.course, span, across, top, thick, material, 5.0))

    def mark(self, span: tuple[float, float], across: tuple[float, float], top: float = 0.0) -> None:
        """Paint on the carriageway."""
        self.parts["road"].append(strip(self.course, span, across, top + 0.007, 0.014, self.kit.marking(), 1.0))


def lay_ground(kit: StreetKit, plan: Plan, surfaces: Surfaces) -> list[Item]:
    """The ground's items, one a class that there is."""
    ground = Ground(kit, plan, surfaces)
    is_hard = plan.kind == "industrial estate" or (plan.kind == "city" and kit.chance(0.3))
    base = "other-ground" if is_hard else "terrain"
    material = surfaces.yard if is_hard else surfaces.field
    level = Course(slope=plan.course.slope)
    ground.parts[base].append(strip(level, (BEGIN - 40, END + 46), (-100, 100), BASE, 0.25, material))
    ground.sketch[base].append(strip(level, (-28, 28), (-28, 28), BASE, 0.25, material))
    half = plan.width / 2
    ground.lay("road", (BEGIN, END + 40), (-half, half), 0.0, surfaces.asphalt)
    for side in plan.sides:
        _lay_side(ground, side, half)
    _lay_junction(ground, half)
    if plan.square is not None:
        low, high, sign = plan.square
        side = plan.left if sign > 0 else plan.right
        back = side.edges(half)[1]
        ground.lay("other-ground", (low, high), (sign * back, sign * (back + 15)), side.kerb - 0.02, surfaces.yard)
    _mark_road(ground, half)
    return _items(ground)


def _lay_side(ground: Ground, side: Side, half: float) -> None:
    plan, surfaces, sign = ground.plan, ground.surfaces, side.sign
    kerb, back, verge, line = side.edges(half)
    kit = ground.kit
    for span in plan.runs(sign):
        if side.parking:
            cut = _inside(span, plan, sign, 9.0)
            ground.lay("parking", cut, (sign * half, sign * kerb), PARKING, surfaces.parking)
            for low, high in ((span[0], cut[0]), (cut[1], span[1])):
                if side.pavement:  # the pavement comes out to the carriageway before a corner
                    ground.lay(
                        "sidewalk",
                        _off_fillet((low, high), plan, sign),
                        (sign * (half + 0.16), sign * kerb),
                        side.kerb,
                        surfaces.paving,
                    )
                    ground.lay(
                        "sidewalk",
                        _off_fillet((low, high), plan, sign),
                        (sign * half, sign * (half + 0.16)),
                        side.kerb + 0.01,
                        kit.concrete(),
                    )
                else:
                    ground.lay("road", (low, high), (sign * half, sign * kerb), 0.0, surfaces.asphalt)
            _mark_bays(ground, side, cut, half)
        if side.pavement:
            start = kerb + 0.16
            ground.lay(
                "sidewalk", _off_fillet(span, plan, sign), (sign * kerb, sign * start), side.kerb + 0.01, kit.concrete()
            )
            ground.lay(
                "sidewalk", _off_fillet(span, plan, sign), (sign * start, sign * back), side.kerb, surfaces.paving
            )
        if side.verge:
            wide = _off_pavement(span, plan, sign)
            ground.lay("terrain", wide, (sign * back, sign * verge), LAWN if side.pavement else 0.02, surfaces.lawn)
        behind = _off_pavement(span, plan, sign)
        if plan.kind in ("suburb", "village"):
            ground.lay("terrain", behind, (sign * verge, sign * (ACROSS + 20)), LAWN, surfaces.lawn)
        elif plan.kind == "city" and side.line > 0:
            ground.lay(
                "terrain" if kit.chance(0.6) else "other-ground",
                behind,
                (sign * verge, sign * line),
                LAWN,
                surfaces.lawn if kit.chance(0.6) else surfaces.yard,
            )


def _inside(span: tuple[float, float], plan: Plan, sign: int, margin: float) -> tuple[float, float]:
    """A stretch shortened where it ends at a junction."""
    if plan.junction is None or sign not in plan.junction.sides:
        return span
    return (span[0] + margin * (span[0] > BEGIN), span[1] - margin * (span[1] < END))


def _off_fillet(span: tuple[float, float], plan: Plan, sign: int) -> tuple[float, float]:
    return _inside(span, plan, sign, FILLET)


def _off_pavement(span: tuple[float, float], plan: Plan, sign: int) -> tuple[float, float]:
    return _inside(span, plan, sign, plan.junction.pavement if plan.junction else 0.0)


def _lay_junction(ground: Ground, half: float) -> None:
    """The side street's carriageway, its pavements, and the round corners between."""
    plan, surfaces, kit = ground.plan, ground.surfaces, ground.kit
    junction = plan.junction
    if junction is None:
        return
    low, high = junction.at - junction.width / 2, junction.at + junction.width / 2
    for sign in junction.sides:
        side = plan.left if sign > 0 else plan.right
        _, back, _, _ = side.edges(half)
        ground.lay("road", (low, high), (sign * half, sign * (ACROSS + 40)), 0.0, surfaces.asphalt)
        for end, outward in ((low, -1), (high, 1)):
            if not side.pavement:
                continue
            _lay_corner(ground, end, outward, sign, half, side)
            far = end + outward * junction.pavement
            start = max(back, half + FILLET)
            ground.lay(
                "sidewalk",
                _ordered(end, end + outward * 0.16),
                (sign * start, sign * ACROSS),
                side.kerb + 0.01,
                kit.concrete(),
            )
            ground.lay(
                "sidewalk",
                _ordered(end + outward * 0.16, far),
                (sign * start, sign * ACROSS),
                side.kerb,
                surfaces.paving,
            )


def _lay_corner(ground: Ground, end: float, outward: int, sign: int, kerb: float, side: Side) -> None:
    """Road within a quarter circle's complement, pavement behind it, over the FILLET metres next to the junction."""
    plan, surfaces = ground.plan, ground.surfaces
    assert plan.junction is not None
    back = max(side.edges(plan.width / 2)[1], kerb + FILLET)
    turn = np.linspace(0.0, np.pi / 2, 7)
    s = end + outward * FILLET * (1 - np.sin(turn))  # from the far end of the corner to the side street
    d = kerb + FILLET * (1 - np.cos(turn))
    near, curve = np.column_stack([s, np.full(7, sign * kerb)]), np.column_stack([s, sign * d])
    curb = np.column_stack([s + outward * 0.12 * np.sin(turn), sign * (d + 0.16)])
    outer = np.column_stack([s, np.full(7, sign * back)])
    course = ground.course
    reverse = (outward > 0) == (sign > 0)

    def fill(a: FloatArray, b: FloatArray, top: float, material: str) -> Part:
        return ribbon(course, *((a, b) if reverse else (b, a)), top, THICK, material)

    road = fill(near, curve, 0.0, surfaces.asphalt)
    stone = fill(curve, curb, side.kerb + 0.01, ground.kit.concrete())
    paved = fill(curb, outer, side.kerb, surfaces.paving)
    ground.parts["road"].append(road)
    ground.parts["sidewalk"] += [stone, paved]
    ground.sketch["road"].append(road)
    ground.sketch["sidewalk"].append(paved)


def _ordered(a: float, b: float) -> tuple[float, float]:
    return (a, b) if a < b else (b, a)


def _mark_bays(ground: Ground, side: Side, span: tuple[float, float], half: float) -> None:
    step = 2.5 if side.across_parking else 5.6
    for s in np.arange(span[0] + 1.0, span[1], step).tolist():
        ground.mark((s, s + 0.1), (side.sign * half, side.sign * (half + side.parking)), PARKING)


def _mark_road(ground: Ground, half: float) -> None:
    """Centre line, edge lines, stop lines, zebra crossings, manholes."""
    plan, kit = ground.plan, ground.kit
    junction = plan.junction
    gap = (junction.at - junction.width / 2 - 3.0, junction.at + junction.width / 2 + 3.0) if junction else (1e9, 1e9)

    def clear(s: float, long: float) -> bool:
        return s + long < gap[0] or s > gap[1]

    if plan.kind != "village" or kit.chance(0.4):
        lines = [0.0] if plan.lanes == 2 else [-half / 2, half / 2]
        for s in np.arange(BEGIN, END, 6.0 if plan.kind != "countryside" else 9.0).tolist():
            for d in lines:
                if clear(s, 3.0):
                    ground.mark((s, s + 3.0), (d - 0.06, d + 0.06))
        if plan.lanes == 4:
            for d in (-0.1, 0.1):
                for span in ((BEGIN, min(gap[0], END)), (min(gap[1], END), END)):
                    if span[1] > span[0]:
                        ground.mark(span, (d - 0.05, d + 0.05))
    for side in plan.sides:
        if plan.kind == "countryside" or (side.parking == 0 and kit.chance(0.35)):
            for span in plan.runs(side.sign, 1.0):
                ground.mark(span, (side.sign * (half - 0.28), side.sign * (half - 0.18)))
    crossings: list[float] = []
    if junction is not None and plan.kind in ("city", "suburb", "village"):
        crossings.append(gap[0] - 2.4)
        if kit.chance(0.5):
            crossings.append(gap[1] + 0.2)
        ground.mark((gap[0] - 3.6, gap[0] - 3.2), (-half + 0.2, -0.15))
    elif plan.kind in ("city", "suburb") and kit.chance(0.4):
        crossings.append(kit.between(-14.0, 6.0))
    for at in crossings:
        for d in np.arange(-half + 0.3, half - 0.4, 1.0).tolist():
            ground.mark((at, at + 2.8), (d, d + 0.5))
    if plan.lanes == 4 and kit.chance(0.6):
        for s in (-16.0, 18.0):
            _arrow(ground, s, -half * 0.75)
    iron = kit.shared("manhole", "metal", "3a3a3b")
    for _ in range(int(kit.rng.integers(2, 5))):
        s, d = kit.between(-24, 26), kit.between(-half * 0.6, half * 0.6)
        ground.parts["road"].append(strip(ground.course, (s, s + 0.62), (d, d + 0.62), 0.006, 0.012, iron))
    for _ in range(int(kit.rng.integers(1, 4))):
        s, d = kit.between(-24, 22), kit.between(-half, half - 1.6)
        patch = kit.shared("patch", "asphalt", "343537")
        ground.parts["road"].append(
            strip(ground.course, (s, s + kit.between(1.5, 6)), (d, d + kit.between(0.8, 1.6)), 0.004, 0.01, patch)
        )


def _arrow(ground: Ground, s: float, d: float) -> None:
    ground.mark((s, s + 2.2), (d - 0.08, d + 0.08))
    tip = np.array([[s + 2.2, d + 0.35], [s + 3.2, d + 0.01]]), np.array([[s + 2.2, d - 0.35], [s + 3.2, d - 0.01]])
    ground.parts["road"].append(ribbon(ground.course, tip[0], tip[1], 0.007, 0.014, ground.kit.marking()))


_NAMES = {"terrain": "lawn", "other-ground": "yard", "road": "road", "parking": "parking bays", "sidewalk": "pavement"}


def _items(ground: Ground) -> list[Item]:
    surfaces, kind = ground.surfaces, ground.plan.kind
    is_cobbled = "sett road" in ground.kit.keys
    article = "an" if surfaces.paving_words[0] in "aeiou" else "a"
    yards = f"{surfaces.yard_words} yards" if kind == "industrial estate" else f"a {surfaces.yard_words} courtyard"
    phrases = {
        "terrain": surfaces.field_words if kind == "countryside" else "grass",
        "other-ground": yards,
        "road": "a cobbled road" if is_cobbled else "an asphalt road",
        "parking": "parking bays",
        "sidewalk": f"{article} {surfaces.paving_words}",
    }
    items = []
    for class_name, parts in ground.parts.items():
        if parts:
            name = "field" if class_name == "terrain" and kind == "countryside" else _NAMES[class_name]
            items.append(
                Item(
                    name,
                    class_name,
                    tuple(parts),
                    (),
                    (0, 0, 0),
                    phrases[class_name],
                    sketch=tuple(ground.sketch[class_name]),
                )
            )
    return items


def grow_grass(kit: StreetKit, plan: Plan) -> Part | None:
    """Blades along kerbs and verges, where cameras come near."""
    half = plan.width / 2
    spots: list[FloatArray] = []
    for side in plan.sides:
        back = side.edges(half)[1]
        if plan.kind == "city":
            continue
        wide = max(side.verge, 1.2)
        count = 2600 if plan.kind == "countryside" else 1200
        s = kit.rng.uniform(-26, 24, count)
        d = back + wide * kit.rng.random(count) ** 1.4 + 0.02
        ok = np.array([plan.is_free(value, side.sign, 0.6) for value in s.tolist()])
        if plan.square is not None and plan.square[2] == side.sign:
            ok &= (s < plan.square[0]) | (s > plan.square[1])
        spots.append(np.column_stack([s, side.sign * d])[ok])
    if not spots:
        return None
    places = np.concatenate(spots)
    height = kit.between(0.1, 0.3) if plan.kind == "countryside" else kit.between(0.05, 0.1)
    points = plan.course.points(places, 0.0)
    blade = kit.shared("blades", "leaves", "6c7f3b")
    return blades(kit.rng, points, height + LAWN, 0.035, blade)
