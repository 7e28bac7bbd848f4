"""Storage: bookshelf, wardrobe, chest of drawers, nightstand, television cabinet, sideboard, toy box."""

from __future__ import annotations

from occscene_server.metrics.palette import COLORS
from occscene_server.studio.kit import Block, Kit, Piece, with_article
from occscene_server.studio.room import Part
from occscene_server.studio.seating import four_legs
from occscene_server.studio.shapes import board, box, cylinder, ellipsoid, rod, turned
from occscene_server.studio.styles import PLAIN_COLORS


def book_covers(kit: Kit) -> list[str]:
    """Materials of book spines, shared by the whole room."""
    keys = [key for key, spec in kit.materials.items() if spec.kind == "paper"]
    if not keys:
        words = kit.rng.permutation(PLAIN_COLORS)[:7]
        keys = [kit.material("paper", COLORS[str(word)], COLORS["cream"]) for word in words]
    return keys


def row_of_books(kit: Kit, left: float, right: float, y: float, z: float, room: float) -> list[Part]:
    """Books standing side by side from `left` to `right` on height `z`, at most `room` metres high."""
    books: list[Part] = []
    covers, x = book_covers(kit), left
    while True:
        thick = kit.between(0.022, 0.055)
        if x + thick > right:
            return books
        height, depth = room * kit.between(0.62, 0.92), kit.between(0.14, 0.2)
        key = covers[int(kit.rng.integers(len(covers)))]
        books.append(box((x + thick / 2, y - depth / 2, z + height / 2), (thick * 0.94, depth, height), key))
        x += thick if kit.chance(0.94) else thick + kit.between(0.05, 0.16)


def bookshelf(kit: Kit) -> Piece:
    """An open shelf full of coloured books and a few ornaments."""
    body = kit.body()
    width, depth = kit.between(0.8, 1.2), 0.3
    height = kit.between(1.5, 2.1) if kit.chance(0.7) else kit.between(0.9, 1.2)
    levels = round(height / 0.36)
    side = 0.025
    parts = [
        board((-width / 2, -depth / 2, 0), (-width / 2 + side, depth / 2, height), body.key),
        board((width / 2 - side, -depth / 2, 0), (width / 2, depth / 2, height), body.key),
        board((-width / 2, -depth / 2, 0.02), (width / 2, -depth / 2 + 0.012, height - 0.02), body.key),
    ]
    step = (height - 0.06) / levels
    for level in range(levels + 1):
        z = 0.04 + step * level
        parts.append(
            board((-width / 2 + side, -depth / 2 + 0.01, z - 0.02), (width / 2 - side, depth / 2 - 0.004, z), body.key)
        )
        if level == levels:
            continue
        split = width / 2 - side if kit.chance(0.6) else kit.between(-0.1, 0.25)
        parts += row_of_books(kit, -width / 2 + side + 0.01, split - 0.01, depth / 2 - 0.05, z, step - 0.03)
        if split < width / 2 - side - 0.15:
            parts += ornament(kit, (split + width / 2) / 2, 0.0, z, min(0.2, step - 0.06))
    blocks: tuple[Block, ...] = (((0.0, 0.0, height / 2), (width, depth, height)),)
    return Piece("bookshelf", "furn", with_article(f"{body.words} bookshelf"), tuple(parts), blocks)


def ornament(kit: Kit, x: float, y: float, z: float, height: float) -> list[Part]:
    """A small bowl, box or ball."""
    paint = kit.paint()
    draw = kit.rng.integers(3)
    if draw == 0:
        return [cylinder((x, y, z), 0.04, 0.075, height * 0.5, paint.key)]
    if draw == 1:
        return [box((x, y, z + height * 0.3), (0.16, 0.14, height * 0.6), paint.key, 0.01)]
    return [ellipsoid((x, y, z + 0.065), (0.065, 0.065, 0.065), paint.key)]


def front(
    kit: Kit, x: float, y: float, z: float, width: float, height: float, panel: str, metal: str, knob: str
) -> list[Part]:
    """A door or drawer front with its handle: `knob` is "bar", "knob" or "upright"."""
    parts = [box((x, y + 0.009, z), (width - 0.012, 0.018, height - 0.012), panel, 0.004)]
    face = y + 0.018
    if knob == "bar":
        parts.append(box((x, face + 0.014, z), (min(0.16, width * 0.4), 0.016, 0.016), metal, 0.004))
        parts += [box((x + s * 0.05, face + 0.005, z), (0.012, 0.014, 0.012), metal) for s in (-1, 1)]
    elif knob == "knob":
        parts.append(ellipsoid((x, face + 0.014, z), (0.018, 0.018, 0.018), metal))
    else:
        parts.append(rod((x, face + 0.016, z - 0.09), (x, face + 0.016, z + 0.09), 0.009, 0.009, metal))
        parts += [box((x, face + 0.006, z + s * 0.07), (0.012, 0.016, 0.012), metal) for s in (-1, 1)]
    return parts


def wardrobe(kit: Kit) -> Piece:
    """A wardrobe with two or three doors."""
    body, panel, metal = kit.body(), kit.body(), kit.metal()
    doors = int(kit.rng.integers(2, 4))
    width, depth, height = 0.48 * doors + kit.between(0.0, 0.15), 0.58, kit.between(1.9, 2.15)
    parts = [
        box((0, 0, height / 2 + 0.02), (width, depth, height - 0.04), body.key, 0.006),
        box((0, -0.02, 0.03), (width - 0.06, depth - 0.06, 0.06), body.key),
    ]
    each = (width - 0.03) / doors
    for i in range(doors):
        x = -width / 2 + 0.015 + each * (i + 0.5)
        parts.append(
            box((x, depth / 2 + 0.009, height / 2 + 0.03), (each - 0.008, 0.018, height - 0.12), panel.key, 0.004)
        )
        inset = (each - 0.14, 0.012, (height - 0.36) / 2)
        for z in (0.1 + inset[2] / 2 + 0.05, height - 0.08 - inset[2] / 2 - 0.02):
            parts.append(box((x, depth / 2 + 0.021, z), inset, panel.key, 0.005))
        handle = x + (each / 2 - 0.045) * (1 if i % 2 == 0 else -1)
        parts.append(rod((handle, depth / 2 + 0.04, 0.95), (handle, depth / 2 + 0.04, 1.15), 0.009, 0.009, metal.key))
        parts += [box((handle, depth / 2 + 0.026, z), (0.012, 0.03, 0.012), metal.key) for z in (0.97, 1.13)]
    blocks: tuple[Block, ...] = (((0.0, 0.01, height / 2), (width, depth + 0.02, height)),)
    return Piece("wardrobe", "furn", with_article(f"{panel.words} wardrobe"), tuple(parts), blocks)


def drawers(kit: Kit, name: str, width: float, depth: float, height: float, rows: int, columns: int) -> Piece:
    """A cabinet of drawer or door fronts on short legs."""
    body = kit.body()
    panel = body if kit.chance(0.6) else kit.body()
    metal, foot = kit.metal(), kit.legs()
    leg = kit.between(0.06, 0.14)
    knob = kit.pick(("bar", "knob", "upright" if rows == 1 else "bar"))
    parts = [box((0, 0, (leg + height) / 2), (width, depth, height - leg), body.key, 0.006)]
    parts += four_legs(width - 0.12, depth - 0.1, leg + 0.01, 0.022, 0.01, foot.key)
    wide, high = (width - 0.03) / columns, (height - leg - 0.04) / rows
    for row in range(rows):
        for column in range(columns):
            x, z = -width / 2 + 0.015 + wide * (column + 0.5), leg + 0.02 + high * (row + 0.5)
            parts += front(kit, x, depth / 2, z, wide, high, panel.key, metal.key, knob)
    blocks: tuple[Block, ...] = (((0.0, 0.0, height / 2), (width, depth, height)),)
    return Piece(name, "furn", with_article(f"{panel.words} {name}"), tuple(parts), blocks, top=height)


def chest_of_drawers(kit: Kit) -> Piece:
    """A chest of drawers."""
    return drawers(
        kit, "chest of drawers", kit.between(0.8, 1.1), 0.45, kit.between(0.75, 0.95), int(kit.rng.integers(3, 5)), 2
    )


def nightstand(kit: Kit) -> Piece:
    """A nightstand."""
    return drawers(kit, "nightstand", kit.between(0.4, 0.5), 0.4, kit.between(0.45, 0.55), 2, 1)


def tv_cabinet(kit: Kit) -> Piece:
    """A long, low cabinet for a television."""
    return drawers(
        kit, "tv cabinet", kit.between(1.2, 1.6), 0.4, kit.between(0.42, 0.54), 1, int(kit.rng.integers(2, 5))
    )


def sideboard(kit: Kit) -> Piece:
    """A sideboard with doors."""
    return drawers(
        kit, "sideboard", kit.between(1.2, 1.6), 0.44, kit.between(0.75, 0.88), 1, int(kit.rng.integers(3, 5))
    )


def toy_box(kit: Kit) -> Piece:
    """A painted box with a few toy blocks looking out."""
    paint = kit.paint()
    width, depth, height = kit.between(0.5, 0.7), 0.4, 0.38
    wall = 0.02
    parts = [
        board((-width / 2, -depth / 2, 0), (width / 2, depth / 2, 0.2), paint.key),
        board((-width / 2, -depth / 2, 0.2), (width / 2, -depth / 2 + wall, height), paint.key),
        board((-width / 2, depth / 2 - wall, 0.2), (width / 2, depth / 2, height), paint.key),
    ]
    parts += [
        board(
            (s * width / 2 - wall / 2 - s * wall / 2, -depth / 2 + wall, 0.2),
            (s * width / 2 + wall / 2 - s * wall / 2, depth / 2 - wall, height),
            paint.key,
        )
        for s in (-1, 1)
    ]
    for x in (-0.17, -0.02, 0.14):
        toy = kit.paint()
        block = box((x, kit.between(-0.05, 0.08), 0.34), (0.13, 0.13, 0.13), toy.key, 0.01)
        parts.append(turned(block, kit.between(0.2, 0.9), "z", (x, 0.0, 0.34)))
    blocks: tuple[Block, ...] = (((0.0, 0.0, height / 2), (width, depth, height)),)
    return Piece("toy box", "objs", with_article(f"{paint.words} toy box"), tuple(parts), blocks)
