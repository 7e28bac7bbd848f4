"""Which furniture a kind of room holds, and how it is grouped."""

from __future__ import annotations

import math
from collections.abc import Callable

from occscene_server.studio import decor, seating, storage, tables
from occscene_server.studio.kit import Kit, Piece
from occscene_server.studio.layout import Floorplan, Placed
from occscene_server.studio.shell import ANGLES, OPPOSITE, WALLS, wall_length

Builder = Callable[[Kit], Piece]


def wall_order(kit: Kit, first: str | None = None) -> tuple[str, ...]:
    """All walls in random order, `first` in front."""
    walls = [str(wall) for wall in kit.rng.permutation(WALLS)]
    return tuple(walls) if first is None else (first, *(wall for wall in walls if wall != first))


def centered_at_wall(plan: Floorplan, kit: Kit, piece: Piece, gap: float = 0.04) -> tuple[str, Placed] | None:
    """Put a large piece near the middle of a wall, else anywhere along one."""
    for wall in wall_order(kit):
        length = wall_length(wall, plan.size)
        for shift in (kit.between(-0.15, 0.15), kit.between(-0.6, 0.6), kit.between(-0.9, 0.9)):
            added = plan.try_add(plan.at_wall(piece, wall, length / 2 + shift, gap))
            if added:
                return wall, added
    for wall in WALLS:
        added = plan.against_wall(piece, (wall,), gap, tries=12)
        if added:
            return wall, added
    return None


def rug_at(plan: Floorplan, kit: Kit, x: float, y: float, angle: float, width: float, depth: float) -> None:
    """Lay a rug, moved so that it stays within the room."""
    rug = decor.rug(kit, width, depth)
    low, high = Placed(rug, x, y, 0.0, angle).extent
    x += max(0.03 - low[0], 0.0) - max(high[0] - plan.size[0] + 0.03, 0.0)
    y += max(0.03 - low[1], 0.0) - max(high[1] - plan.size[1] + 0.03, 0.0)
    plan.add_flat(Placed(rug, x, y, 0.0, angle))


def dress(plan: Floorplan, kit: Kit, surface: Placed, builders: tuple[Builder, ...], probability: float = 0.7) -> None:
    """Put one or two small pieces on a surface, side by side."""
    width = float(surface.piece.size[0])
    spots = (-0.25 * width, 0.25 * width) if width > 0.7 else (0.0,)
    for spot in spots:
        if kit.chance(probability):
            builder = builders[int(kit.rng.integers(len(builders)))]
            plan.on_top(surface, builder(kit), spot, 0.0)


def scatter(plan: Floorplan, kit: Kit, corners: tuple[Builder, ...], along: tuple[Builder, ...], count: int) -> None:
    """Fill walls, then corners, with up to `count` of each, no builder twice."""
    for index in kit.rng.permutation(len(along))[:count]:
        added = plan.against_wall(along[int(index)](kit), wall_order(kit))
        if added and 0.4 < added.piece.top < 1.2:
            dress(plan, kit, added, (decor.vase, decor.book_stack, decor.table_lamp))
    for index in kit.rng.permutation(len(corners))[:count]:
        plan.in_corner(corners[int(index)](kit))


def living_room(plan: Floorplan, kit: Kit) -> None:
    """Sofa facing a television across a coffee table, armchairs, shelves."""
    seat = centered_at_wall(plan, kit, seating.sofa(kit))
    if seat is None:
        return
    wall, sofa = seat
    depth = float(sofa.piece.extent[1][1])
    coffee = tables.coffee_table(kit)
    forward = depth + kit.between(0.28, 0.4) + float(coffee.size[1]) / 2
    table = plan.facing(sofa, coffee, 0.0, forward, 0.0)
    if kit.chance(0.85):
        x, y = sofa.at(0.0, forward)
        rug_at(plan, kit, x, y, sofa.angle, kit.between(1.7, 2.4), kit.between(1.2, 1.7))
    along = sofa.x if wall in ("south", "north") else sofa.y
    cabinet = storage.tv_cabinet(kit)
    opposite = OPPOSITE[wall]
    stand = plan.try_add(plan.at_wall(cabinet, opposite, along)) or plan.against_wall(
        cabinet, wall_order(kit, opposite)
    )
    if stand and kit.chance(0.92):
        screen = decor.television(kit)
        if plan.fits(Placed(screen, stand.x, stand.y, stand.piece.top, stand.angle), near=stand):
            plan.on_top(stand, screen)
        else:
            dress(plan, kit, stand, (decor.vase, decor.book_stack, decor.table_lamp), 0.9)
    if table:
        dress(plan, kit, table, (decor.vase, decor.book_stack, decor.fruit_bowl))
    side = 1 if kit.chance(0.5) else -1
    if kit.chance(0.75):
        across = float(table.piece.size[0] if table else 0.9) / 2 + 0.72
        for s in (side, -side):
            if plan.facing(
                sofa, seating.armchair(kit), s * across, forward + 0.1, s * (math.pi / 2 + kit.between(-0.3, 0.1))
            ):
                break
    neighbor = plan.next_to(sofa, tables.side_table(kit) if kit.chance(0.6) else decor.floor_lamp(kit), side)
    if neighbor and neighbor.piece.top:
        dress(plan, kit, neighbor, (decor.table_lamp, decor.vase, decor.book_stack), 0.9)
    plan.next_to(sofa, decor.floor_lamp(kit), -side)
    loose = seating.floor_cushion if kit.style.low > 0.5 else seating.pouf
    if table and kit.chance(0.5):
        plan.facing(sofa, loose(kit), -side * kit.between(0.6, 0.9), forward + 0.75, 0.0)
    scatter(
        plan,
        kit,
        (decor.plant, decor.floor_lamp, decor.plant),
        (storage.bookshelf, storage.chest_of_drawers, seating.bench, storage.bookshelf),
        int(kit.rng.integers(2, 5)),
    )


def bedroom(plan: Floorplan, kit: Kit) -> None:
    """Bed with nightstands, wardrobe, chest of drawers."""
    added = centered_at_wall(plan, kit, tables.bed(kit))
    if added is None:
        added = centered_at_wall(plan, kit, tables.bed(kit, 1.0))
    if added is not None:
        _, bed = added
        for side in (-1, 1):
            stand = plan.next_to(bed, storage.nightstand(kit), side, 0.06)
            if stand:
                dress(plan, kit, stand, (decor.table_lamp, decor.table_lamp, decor.vase, decor.book_stack), 0.9)
        if kit.chance(0.75):
            x, y = bed.at(0.0, kit.between(0.3, 0.8))
            rug_at(plan, kit, x, y, bed.angle, float(bed.piece.size[0]) + kit.between(0.7, 1.1), kit.between(1.4, 1.9))
        if kit.chance(0.4):
            foot = seating.bench(kit, float(bed.piece.size[0]) - 0.3)
            plan.facing(bed, foot, 0.0, float(bed.piece.extent[1][1]) + 0.25, 0.0)
    plan.against_wall(storage.wardrobe(kit), wall_order(kit), tries=10)
    scatter(
        plan,
        kit,
        (decor.plant, seating.pouf, decor.floor_lamp, seating.armchair),
        (storage.chest_of_drawers, storage.bookshelf, tables.desk, seating.bench),
        int(kit.rng.integers(2, 5)),
    )


def desk_place(plan: Floorplan, kit: Kit, screen: bool) -> None:
    """A desk at a wall with its chair, a monitor, a lamp and books."""
    added = centered_at_wall(plan, kit, tables.desk(kit), 0.02)
    if added is None:
        return
    _, desk = added
    chair = seating.office_chair(kit) if kit.chance(0.75) else seating.dining_chair(kit)
    plan.facing(
        desk, chair, kit.between(-0.15, 0.15), float(desk.piece.size[1]) / 2 + 0.24, math.pi + kit.between(-0.5, 0.5)
    )
    if screen:
        plan.on_top(desk, decor.monitor(kit), 0.0, -0.12)
    width = float(desk.piece.size[0])
    plan.on_top(desk, decor.table_lamp(kit), 0.38 * width, -0.1)
    plan.on_top(desk, decor.book_stack(kit), -0.36 * width, -0.05)


def study(plan: Floorplan, kit: Kit) -> None:
    """Desk, bookshelves, an armchair to read in."""
    desk_place(plan, kit, kit.chance(0.8))
    if kit.chance(0.8):
        rug_at(plan, kit, plan.size[0] / 2, plan.size[1] / 2, 0.0, kit.between(1.5, 2.2), kit.between(1.2, 1.8))
    for _ in range(int(kit.rng.integers(1, 4))):
        plan.against_wall(storage.bookshelf(kit), wall_order(kit))
    reading_corner(plan, kit)
    scatter(
        plan,
        kit,
        (decor.plant, decor.floor_lamp, seating.stool),
        (storage.sideboard, storage.chest_of_drawers, seating.sofa),
        int(kit.rng.integers(2, 4)),
    )


def reading_corner(plan: Floorplan, kit: Kit) -> None:
    """An armchair at a wall with a side table and a lamp."""
    chair = plan.against_wall(seating.armchair(kit), wall_order(kit), gap=0.08)
    if chair is None:
        return
    side = 1 if kit.chance(0.5) else -1
    table = plan.next_to(chair, tables.side_table(kit), side)
    if table:
        dress(plan, kit, table, (decor.book_stack, decor.vase), 0.9)
    plan.next_to(chair, decor.floor_lamp(kit), -side)
    if kit.chance(0.5):
        plan.facing(chair, seating.pouf(kit), 0.0, 0.85, 0.0)


def dining_room(plan: Floorplan, kit: Kit) -> None:
    """A table with four to six matching chairs, a sideboard."""
    width, depth, _ = plan.size
    turn = 0.0 if width >= depth else math.pi / 2
    table_piece = tables.dining_table(kit)
    x, y = width / 2 + kit.between(-0.25, 0.25), depth / 2 + kit.between(-0.25, 0.25)
    rug_at(plan, kit, x, y, turn, float(table_piece.size[0]) + 0.8, float(table_piece.size[1]) + 0.9)
    if kit.chance(0.4):
        plan.placed.pop()
    table = plan.add(Placed(table_piece, x, y, 0.0, turn))
    low, high = table_piece.extent
    finish = seating.chair_finish(kit)
    pull = kit.between(0.08, 0.16)
    spots = [(0.0, float(low[1]) - pull, 0.0), (0.0, float(high[1]) + pull, math.pi)]
    if not table_piece.phrase.startswith("a round"):
        reach = 0.27 * float(table_piece.size[0])
        spots = [(s * reach, *spot[1:]) for spot in spots for s in (-1, 1)]
    if kit.chance(0.7) or len(spots) == 2:
        spots += [(float(low[0]) - pull, 0.0, -math.pi / 2), (float(high[0]) + pull, 0.0, math.pi / 2)]
    for across, forward, angle in spots:
        plan.facing(
            table, seating.dining_chair(kit, *finish), across, forward, angle + kit.between(-0.12, 0.12), margin=0.0
        )
    dress(plan, kit, table, (decor.vase, decor.fruit_bowl, decor.book_stack), 0.8)
    side = plan.against_wall(storage.sideboard(kit), wall_order(kit))
    if side:
        dress(plan, kit, side, (decor.vase, decor.table_lamp, decor.fruit_bowl), 0.85)
    scatter(
        plan,
        kit,
        (decor.plant, decor.floor_lamp, decor.plant),
        (storage.bookshelf, seating.bench, storage.chest_of_drawers),
        int(kit.rng.integers(1, 3)),
    )


def kids_room(plan: Floorplan, kit: Kit) -> None:
    """A single bed, a desk, shelves and toys."""
    bed = plan.against_wall(tables.bed(kit, kit.between(0.92, 1.05)), wall_order(kit), tries=10)
    if bed and kit.chance(0.8):
        stand = plan.next_to(bed, storage.nightstand(kit), 1 if kit.chance(0.5) else -1)
        if stand:
            dress(plan, kit, stand, (decor.table_lamp, decor.book_stack), 0.9)
    rug_at(plan, kit, plan.size[0] / 2, plan.size[1] / 2, 0.0, kit.between(1.3, 1.9), kit.between(1.2, 1.7))
    if kit.chance(0.7):
        desk_place(plan, kit, kit.chance(0.3))
    for builder in (storage.toy_box, seating.stool, seating.pouf):
        if kit.chance(0.7):
            plan.against_wall(builder(kit), wall_order(kit))
    scatter(
        plan,
        kit,
        (decor.plant, seating.floor_cushion, decor.floor_lamp),
        (storage.bookshelf, storage.wardrobe, storage.chest_of_drawers, storage.toy_box),
        int(kit.rng.integers(3, 5)),
    )


def reading_room(plan: Floorplan, kit: Kit) -> None:
    """Walls of books, armchairs around a low table."""
    for _ in range(int(kit.rng.integers(2, 4))):
        plan.against_wall(storage.bookshelf(kit), wall_order(kit))
    x, y = plan.size[0] / 2 + kit.between(-0.2, 0.2), plan.size[1] / 2 + kit.between(-0.2, 0.2)
    angle = ANGLES[kit.pick(WALLS)]
    table = plan.add(Placed(tables.coffee_table(kit), x, y, 0.0, angle))
    rug_at(plan, kit, x, y, angle, kit.between(1.8, 2.4), kit.between(1.5, 1.9))
    dress(plan, kit, table, (decor.book_stack, decor.vase, decor.fruit_bowl))
    reach = float(table.piece.size[0]) / 2 + 0.68
    chair = seating.armchair(kit)
    for side in (-1, 1):
        plan.facing(table, chair, side * reach, 0.0, side * math.pi / 2 + kit.between(-0.2, 0.2))
    reading_corner(plan, kit)
    scatter(
        plan,
        kit,
        (decor.plant, decor.floor_lamp, seating.stool),
        (seating.bench, storage.sideboard, seating.sofa, storage.chest_of_drawers),
        int(kit.rng.integers(1, 3)),
    )


ROOM_KINDS: dict[str, Callable[[Floorplan, Kit], None]] = {
    "living room": living_room,
    "bedroom": bedroom,
    "study": study,
    "dining room": dining_room,
    "kids room": kids_room,
    "reading room": reading_room,
}
