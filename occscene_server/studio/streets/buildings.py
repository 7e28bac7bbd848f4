"""Which buildings, gardens and fences line a street."""

from __future__ import annotations

import math

from occscene_server.studio.kit import Piece
from occscene_server.studio.streets import fences, houses, landmarks, plants
from occscene_server.studio.streets.ground import LAWN
from occscene_server.studio.streets.plan import BEGIN, END, Side
from occscene_server.studio.streets.site import Site, facing_street

_BOUNDS = {
    "suburb": ("picket", "hedge", "wall", "railing", "boards", "hedge"),
    "village": ("picket", "wall", "hedge", "wall", "boards"),
    "industrial estate": ("mesh", "mesh", "hedge"),
    "countryside": ("rails", "rails", "hedge"),
}
"""What bounds gardens and yards, by the kind of street; what stands twice is likelier."""


def line_with_buildings(site: Site) -> None:
    """Buildings along both sides, then what bounds their gardens."""
    kind = site.plan.kind
    pool: list[Piece] = []
    for side in site.plan.sides:
        if kind == "city":
            _row(site, side, pool)
        elif kind == "industrial estate":
            _halls(site, side)
        elif kind == "countryside":
            _farm(site, side)
        else:
            _detached(site, side, pool)
    if kind != "city":
        for side in site.plan.sides:
            _bound(site, side)


def _lots(site: Site, side: Side, margin: float = 0.4) -> list[tuple[float, float]]:
    """Stretches along a side that may be built on: no junction, no square."""
    runs = site.plan.runs(side.sign, site.plan.junction.pavement + margin if site.plan.junction else 0.0)
    square = site.plan.square
    if square is None or square[2] != side.sign:
        return runs
    cut: list[tuple[float, float]] = []
    for low, high in runs:
        cut += [span for span in ((low, square[0] - 0.3), (square[1] + 0.3, high)) if span[1] - span[0] > 4.0]
    return cut


def _front(site: Site, side: Side) -> float:
    return side.edges(site.plan.width / 2)[3]


def _place(site: Site, side: Side, piece: Piece, s: float, extra: float = 0.0, margin: float = -0.06) -> bool:
    deep = float(piece.extent[1][1])
    d = side.sign * (_front(site, side) + extra + max(deep, 0.0))
    return (
        site.put(piece, s, d, facing_street(side.sign), side.kerb if site.plan.kind == "city" else LAWN, margin=margin)
        is not None
    )


def _wide(piece: Piece) -> float:
    """Width of a building's walls, its eaves not counted."""
    return piece.blocks[0][1][0]


def _row(site: Site, side: Side, pool: list[Piece]) -> None:
    """Town houses wall to wall; those beside a side street or a square have windows on all sides."""
    kit = site.kit
    for low, high in _lots(site, side):
        s = low
        while s < high - 5.0:
            rest = high - s
            wide = min(kit.between(7.5, 13.0), rest)
            if rest - wide < 5.0:
                wide = min(rest, 15.0)
            is_corner = (s == low and low > BEGIN) or (wide == rest and high < END)
            fitting = [piece for piece in pool if abs(_wide(piece) - wide) < 2.0 and _wide(piece) <= rest]
            is_far = len(pool) >= 5 and not -29.0 < s < 27.0
            if fitting and not is_corner and (is_far or kit.chance(0.25)):
                piece = fitting[int(kit.rng.integers(len(fitting)))]
            else:
                piece = houses.draw_house(kit, "city", wide, is_corner)
                if not is_corner:
                    pool.append(piece)
            _place(site, side, piece, s + _wide(piece) / 2, margin=-0.5)
            s += _wide(piece) + (0.0 if kit.chance(0.93) else kit.between(2.5, 4.0))
    square = site.plan.square
    if square is not None and square[2] == side.sign:
        wide = square[1] - square[0] - 0.6
        _place(site, side, houses.draw_house(kit, "city", wide), (square[0] + square[1]) / 2, 14.5, -1.0)


def _detached(site: Site, side: Side, pool: list[Piece]) -> None:
    """Houses with gardens between them; in a village a church or a barn among them."""
    kit, kind = site.kit, site.plan.kind
    special = kind == "village" and not any(s.pieces[0].name == "church" for s in site.stands) and kit.chance(0.45)
    for low, high in _lots(site, side, 1.0):
        s = low + kit.between(0.5, 3.0)
        while s < high - 7.0:
            if special and -8.0 < s < 12.0 and high - s > 19:
                piece, special = landmarks.church(kit), False
            elif kind == "village" and kit.chance(0.12):
                piece = landmarks.barn(kit)
            elif len(pool) >= 5 and (s > 27.0 or s < -29.0):
                piece = pool[int(kit.rng.integers(len(pool)))]
            else:
                piece = houses.draw_house(kit, kind)
                pool.append(piece)
            left = float(-piece.extent[0][0]) if piece.name == "church" else _wide(piece) / 2
            right = float(piece.extent[1][0]) if piece.name == "church" else _wide(piece) / 2
            if side.sign > 0:
                left, right = right, left
            if s + left + right < high:
                _place(site, side, piece, s + left, kit.between(0.0, 1.6))
            s += left + right + kit.between(2.2, 6.0 if kind == "suburb" else 8.0)
    square = site.plan.square
    if square is not None and square[2] == side.sign:
        _place(site, side, houses.draw_house(kit, kind), (square[0] + square[1]) / 2, 10.0, -1.0)


def _halls(site: Site, side: Side) -> None:
    kit = site.kit
    for low, high in _lots(site, side, 3.0):
        s = low + kit.between(1.0, 5.0)
        while s < high - 8.0:
            piece = landmarks.hall(kit)
            wide = _wide(piece)
            if s + wide < high and kit.chance(0.85):
                _place(site, side, piece, s + wide / 2, kit.between(0.0, 3.0))
            s += wide + kit.between(4.0, 10.0)


def _farm(site: Site, side: Side) -> None:
    """A farm on one side or a lone cottage, in most scenes."""
    kit = site.kit
    if kit.chance(0.3):
        return
    s = kit.between(-12.0, 4.0)
    if not site.plan.is_free(s, side.sign, 10.0):
        s += 25.0
    _place(site, side, houses.draw_house(kit, "countryside"), s)
    if kit.chance(0.7):
        barn = landmarks.barn(kit)
        _place(site, side, barn, s + _wide(barn) / 2 + kit.between(9.0, 12.0), kit.between(0.0, 5.0))


def _bound(site: Site, side: Side) -> None:
    """Hedges, fences and walls at the front of gardens, with gaps for gates."""
    kit, kind = site.kit, site.plan.kind
    _, _, verge, front = side.edges(site.plan.width / 2)
    if front - verge < 1.4 or kit.chance(0.05):
        return
    style = kit.pick(_BOUNDS[kind])
    for low, high in _lots(site, side, 0.6):
        s = max(low, BEGIN) + 0.2
        while s < min(high, END) - 2.0:
            if kind in ("suburb", "village") and kit.chance(0.5):
                style = kit.pick(_BOUNDS[kind])
            long = min(kit.between(4.0, 9.0) if kind != "countryside" else kit.between(8.0, 14.0), high - s - 0.2)
            if site.plan.course.bend:
                long = min(long, 5.0)
            if long > 1.5:
                d = side.sign * (verge + 0.45)
                if style == "hedge":
                    piece = plants.hedge(kit, long, kit.between(0.8, 1.7))
                else:
                    piece = fences.fence(kit, style, long)
                site.put(piece, s + long / 2, d, facing_street(side.sign), LAWN, margin=-0.02)
            s += long + (kit.between(1.1, 3.2) if kit.chance(0.5) else 0.02)
    if kind != "countryside":
        _partitions(site, side, verge, front)


def _partitions(site: Site, side: Side, verge: float, front: float) -> None:
    """Fences and hedges between neighbours, at a right angle to the street."""
    kit = site.kit
    for stand in [
        stand for stand in site.stands if stand.pieces[0].class_name == "building" and stand.d * side.sign > 0
    ]:
        if kit.chance(0.7):
            s = stand.s + _wide(stand.pieces[0]) / 2 + 1.2
            long = min(front - verge + 4.0, 9.0)
            piece = _partition(site, long)
            site.put(piece, s, side.sign * (verge + 1.0 + long / 2), math.pi / 2, LAWN, margin=0.0)


def _partition(site: Site, long: float) -> Piece:
    """What stands between two lots."""
    kit = site.kit
    if site.plan.kind == "industrial estate":
        return fences.fence(kit, "mesh", long)
    if kit.chance(0.35):
        return plants.hedge(kit, long, kit.between(1.2, 1.8))
    return fences.fence(kit, kit.pick(("boards", "boards", "picket", "wall")), long)
