"""People on foot and on two wheels; they look along +y."""

from __future__ import annotations

from occscene_server.studio.kit import Piece, with_article
from occscene_server.studio.room import Part
from occscene_server.studio.shapes import box, ellipsoid, moved, resized, rod
from occscene_server.studio.streets.kit import CAR_COLORS, CLOTHES, HAIR, SKIN, StreetKit
from occscene_server.studio.streets.solids import tower
from occscene_server.studio.streets.two_wheelers import bicycle_parts, motorcycle_parts

PEOPLE = {"man": 1.78, "woman": 1.67, "child": 1.25}
"""Heights in metres by the words for people."""


def _head(kit: StreetKit, z: float, y: float, skin: str, helmet: str | None) -> list[Part]:
    hair = kit.material("rough", HAIR[int(kit.rng.integers(len(HAIR)))])
    cap = ellipsoid((0, y - 0.015, z + 0.045), (0.115, 0.125, 0.11), helmet or hair)
    return [
        ellipsoid((0, y, z), (0.085, 0.105, 0.125), skin),
        cap,
        rod((0, y - 0.01, z - 0.2), (0, y - 0.01, z - 0.08), 0.055, 0.05, skin, 8),
    ]


def pedestrian(kit: StreetKit) -> Piece:
    """Somebody who walks or stands."""
    who = kit.pick(("man", "woman", "woman", "man", "child"))
    scale = PEOPLE[who] / 1.75 * kit.between(0.95, 1.05)
    word = kit.one_of(CLOTHES)
    coat = kit.material("cloth", CLOTHES[word])
    trousers = kit.material("cloth", CLOTHES[kit.pick(("navy", "black", "grey", "beige", "brown"))])
    skin = kit.material("skin", SKIN[int(kit.rng.integers(len(SKIN)))])
    shoe = kit.shared("shoe", "rubber", "20201f")
    walks = kit.chance(0.7)
    swing = kit.between(0.16, 0.3) if walks else 0.04
    parts: list[Part] = []
    for side in (-1, 1):
        reach = side * swing
        hip, knee, foot = (side * 0.09, 0.0, 0.9), (side * 0.1, reach * 0.55 + 0.04, 0.48), (side * 0.1, reach, 0.07)
        parts += [
            rod(hip, knee, 0.095, 0.07, trousers, 8),
            rod(knee, foot, 0.072, 0.05, trousers, 8),
            box((side * 0.1, reach + 0.05, 0.04), (0.1, 0.27, 0.08), shoe, 0.03),
        ]
        shoulder, elbow = (side * 0.2, 0.0, 1.4), (side * 0.25, -reach * 0.5, 1.13)
        hand = (side * 0.23, -reach + 0.06, 0.9)
        parts += [
            rod(shoulder, elbow, 0.062, 0.05, coat, 8),
            rod(elbow, hand, 0.05, 0.04, coat, 8),
            ellipsoid(hand, (0.04, 0.045, 0.06), skin),
        ]
    hem = kit.pick(("coat", "jacket", "jacket")) if who != "child" else "jacket"
    bottom = 0.62 if hem == "coat" else 0.85
    parts.append(
        tower(
            [
                (bottom, -0.14, 0.14, 0.2),
                (1.0, -0.125, 0.125, 0.18),
                (1.3, -0.13, 0.13, 0.215),
                (1.46, -0.085, 0.085, 0.14),
            ],
            coat,
            3.0,
        )
    )
    parts += _head(kit, 1.62, 0.01, skin, None)
    if kit.chance(0.25):
        parts.append(box((0, -0.2, 1.2), (0.28, 0.16, 0.42), kit.material("cloth", CLOTHES[kit.one_of(CLOTHES)]), 0.05))
    scaled = tuple(resized(part, scale) for part in parts)
    height = 1.75 * scale
    phrase = f"a {who} in {with_article(f'{word} {hem}')}"
    return Piece(who, "person", phrase, scaled, (((0.0, 0.0, height / 2), (0.5, 0.42, height)),))


def _rider(kit: StreetKit, seat: float, grip: tuple[float, float], pedal: float, coat: str, helmet: str) -> list[Part]:
    skin = kit.material("skin", SKIN[int(kit.rng.integers(len(SKIN)))])
    trousers = kit.material("cloth", CLOTHES[kit.pick(("navy", "black", "grey", "brown"))])
    lean = 0.28
    hips, neck = (-0.26, seat + 0.08), (-0.26 + lean, seat + 0.62)
    parts: list[Part] = [
        rod((0, hips[0], hips[1] - 0.06), (0, neck[0], neck[1]), 0.165, 0.15, coat, 10),
        *_head(kit, neck[1] + 0.2, neck[0] + 0.06, skin, helmet),
    ]
    for side in (-1, 1):
        foot = (side * 0.13, -0.08 + side * 0.14, pedal + side * 0.1)
        knee = (side * 0.14, 0.18 + side * 0.06, (hips[1] + pedal) / 2 + 0.14 + side * 0.06)
        elbow = (side * 0.27, (neck[0] + grip[0]) / 2 - 0.02, (neck[1] + grip[1]) / 2 - 0.12)
        parts += [
            rod((side * 0.09, hips[0], hips[1]), knee, 0.09, 0.07, trousers, 8),
            rod(knee, foot, 0.07, 0.05, trousers, 8),
            box((side * 0.13, foot[1] + 0.05, foot[2] - 0.04), (0.1, 0.26, 0.08), kit.rubber(), 0.03),
            rod((side * 0.17, neck[0], neck[1] - 0.06), elbow, 0.06, 0.05, coat, 8),
            rod(elbow, (side * 0.25, grip[0], grip[1]), 0.048, 0.04, coat, 8),
        ]
    return parts


def cyclist(kit: StreetKit) -> Piece:
    """Somebody who rides a bicycle: rider and machine, as SemanticKITTI has it."""
    word, machine = kit.one_of(CLOTHES), kit.one_of(CAR_COLORS)
    helmet = kit.material("painted", CAR_COLORS[kit.one_of(CAR_COLORS)])
    coat = kit.material("cloth", CLOTHES[word])
    parts = [*bicycle_parts(kit, CAR_COLORS[machine]), *_rider(kit, 0.98, (0.3, 1.05), 0.3, coat, helmet)]
    phrase = f"a cyclist in {with_article(f'{word} jacket')}"
    return Piece("bicyclist", "bicyclist", phrase, tuple(parts), (((0.0, 0.0, 0.9), (0.55, 1.75, 1.8)),))


def motorcyclist(kit: StreetKit) -> Piece:
    """Somebody who rides a motorcycle."""
    word, machine = kit.pick(("black", "red", "navy", "grey")), kit.one_of(CAR_COLORS, {"red": 3, "black": 3})
    helmet = kit.material("painted", CAR_COLORS[kit.one_of(CAR_COLORS)])
    coat = kit.material("cloth", CLOTHES[word])
    rider = [moved(part, (0, -0.06, 0)) for part in _rider(kit, 0.88, (0.4, 1.1), 0.36, coat, helmet)]
    parts = [*motorcycle_parts(kit, CAR_COLORS[machine]), *rider]
    phrase = f"a motorcyclist on {with_article(f'{machine} motorcycle')}"
    return Piece("motorcyclist", "motorcyclist", phrase, tuple(parts), (((0.0, 0.0, 0.85), (0.75, 2.1, 1.7)),))
