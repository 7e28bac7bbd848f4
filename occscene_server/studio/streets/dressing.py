"""What stands and moves along a street beside its buildings: trees, posts, vehicles, people."""

from __future__ import annotations

import math

from occscene_server.studio.kit import Piece
from occscene_server.studio.streets import people, plants, posts, two_wheelers, vehicles
from occscene_server.studio.streets.ground import LAWN, PARKING
from occscene_server.studio.streets.plan import Side
from occscene_server.studio.streets.site import AGAINST, ALONG, Site, facing_street

NEAR, FAR = -24.0, 24.5
"""Between which places along the street objects are put: the volume's ends."""

_TREES = {"city": 3.0, "suburb": 30.0, "village": 30.0, "industrial estate": 26.0, "countryside": 30.0}
_PEOPLE = {"city": 44, "village": 24, "suburb": 22, "industrial estate": 14, "countryside": 9}
"""About how many trees a side is tried with, and how many people are there at most, by the kind of street."""


def plant(site: Site, season: str) -> None:
    """Street trees, garden trees, woods, bushes."""
    kit, plan = site.kit, site.plan
    kinds = [kit.pick(tuple(plants.LEAVES)) for _ in range(2)]
    stock: list[tuple[Piece, ...]] = []
    for index in range(3):
        if season == "winter":
            stock.append(plants.bare_tree(kit))
        else:
            stock.append(plants.tree(kit, kinds[index % 2], season == "autumn"))
    if plan.kind != "city":
        stock.append(plants.conifer(kit))
    shrubs = [plants.bush(kit) for _ in range(3)]

    def add(s: float, d: float, height: float, group: tuple[Piece, ...] | None = None, reach: float = 0.6) -> None:
        trees = group or stock[int(kit.rng.integers(len(stock)))]
        site.put(trees, s, d, kit.between(0, 6.28), height, kit.between(0.78, 1.15), reach=reach)

    half = plan.width / 2
    for side in plan.sides:
        kerb, back, verge, front = side.edges(half)
        if (
            plan.kind in ("city", "suburb")
            and kit.chance(0.8 if plan.kind == "city" else 0.5)
            and side.pavement + side.verge > 2.2
        ):
            street_tree = stock[int(kit.rng.integers(2))]
            d = kerb + 0.75 if side.verge < 0.9 else (back + verge) / 2
            s = NEAR + kit.between(0, 5)
            step = kit.between(6.5, 11.0)
            while s < 62.0:
                if plan.is_free(s, side.sign, 5.0):
                    add(s, side.sign * d, side.kerb if side.verge < 0.9 else LAWN, street_tree)
                s += step
        height = LAWN if plan.kind in ("suburb", "village") else -0.04
        for _ in range(int(_TREES[plan.kind] * kit.between(0.5, 1.2))):
            s, d = kit.between(-28, 50), kit.between(verge + 1.2, verge + 22.0)
            if plan.is_free(s, side.sign, 1.0) and not _in_square(site, s, side):
                add(s, side.sign * d, height, reach=1.0)
        if kit.chance(0.8):  # a belt of trees behind the houses
            behind = front + kit.between(9.0, 13.0) + (3.0 if plan.kind == "city" else 0.0)
            s = -27.0
            while s < 60.0:
                if plan.is_free(s, side.sign, 2.0):
                    add(s, side.sign * (behind + kit.between(0.0, 4.0)), height, reach=0.9)
                s += kit.between(2.6, 5.0)
        if plan.kind == "countryside" and kit.chance(0.55):
            s = NEAR
            while s < 60:
                add(s, side.sign * (verge + kit.between(0.5, 2.2)), -0.04, reach=0.8)
                s += kit.between(4.0, 9.0)
        if plan.kind != "city":
            for _ in range(int(kit.between(10, 30))):
                s, d = kit.between(-26, 40), kit.between(verge + 0.5, max(front + 12.0, verge + 8))
                if plan.is_free(s, side.sign, 0.5) and not _in_square(site, s, side):
                    site.put(
                        shrubs[int(kit.rng.integers(3))],
                        s,
                        side.sign * d,
                        kit.between(0, 6),
                        LAWN if plan.kind in ("suburb", "village") else -0.04,
                        kit.between(0.7, 1.2),
                        margin=0.05,
                    )
    _square_trees(site, stock)


def _square_trees(site: Site, stock: list[tuple[Piece, ...]]) -> None:
    square = site.plan.square
    if square is None:
        return
    side = site.plan.left if square[2] > 0 else site.plan.right
    _, back, _, _ = side.edges(site.plan.width / 2)
    for fraction in (0.2, 0.5, 0.8):
        if site.kit.chance(0.7):
            s = square[0] + fraction * (square[1] - square[0])
            site.put(
                stock[0],
                s,
                side.sign * (back + site.kit.between(3.0, 8.0)),
                0.7,
                side.kerb - 0.02,
                site.kit.between(0.75, 1.0),
                reach=0.7,
            )


def _in_square(site: Site, s: float, side: Side) -> bool:
    square = site.plan.square
    return square is not None and square[2] == side.sign and square[0] - 1 < s < square[1] + 1


def _post_at(site: Site, side: Side) -> tuple[float, float]:
    """Distance from the centre line, and height, of what stands at the kerb."""
    kerb, back, _, _ = side.edges(site.plan.width / 2)
    if side.pavement:
        return kerb + 0.42, side.kerb
    return back + 0.7, 0.0 if side.verge == 0 else 0.02


def set_posts(site: Site) -> None:
    """Lamps, signs, signals, bollards, power poles."""
    kit, plan = site.kit, site.plan
    style = {"city": kit.pick(("arm", "lantern", "arm")), "village": kit.pick(("lantern", "arm"))}.get(plan.kind, "arm")
    lamp = posts.street_lamp(kit, style)
    first = kit.between(-22.0, -14.0)
    step = kit.between(11.0, 15.0) if style == "lantern" else kit.between(14.0, 20.0)
    for side in plan.sides:
        d, height = _post_at(site, side)
        if plan.kind == "countryside":
            if kit.chance(0.6):
                pole = posts.power_pole(kit)
                for s in (-20.0, -4.0, 12.0, 28.0, 44.0, 60.0):
                    site.put(pole, s, side.sign * (d + 2.2), ALONG, 0.0, reach=0.2)
            continue
        if side.sign < 0 and kit.chance(0.25):
            continue
        s = first + (step / 2 if side.sign < 0 else 0.0)
        while s < 66:
            if plan.is_free(s, side.sign, 1.0):
                site.put(lamp, s, side.sign * d, facing_street(side.sign), height, reach=0.2)
            s += step
    _signs(site)
    if plan.kind in ("city", "village") and kit.chance(0.6):
        side = plan.sides[int(kit.rng.integers(2))]
        post = posts.bollard(kit)
        d, height = _post_at(site, side)
        begin = kit.between(-18, 4)
        for index in range(int(kit.rng.integers(4, 9))):
            if plan.is_free(begin + 1.6 * index, side.sign, 0.5):
                site.put(post, begin + 1.6 * index, side.sign * d, 0.0, height, reach=0.1)


def _signs(site: Site) -> None:
    kit, plan = site.kit, site.plan
    for _ in range(int(kit.rng.integers(4, 13))):
        side = plan.sides[int(kit.rng.integers(2))]
        s = kit.between(NEAR, FAR)
        if plan.is_free(s, side.sign, 0.3):
            d, height = _post_at(site, side)
            site.put(posts.traffic_sign(kit), s, side.sign * d, AGAINST if side.sign < 0 else ALONG, height, reach=0.25)
    junction = plan.junction
    if junction is not None:
        for sign in junction.sides:
            side = plan.left if sign > 0 else plan.right
            reach = side.edges(plan.width / 2)[1]
            end = junction.at + (-sign) * (junction.width / 2 + 0.45)
            stop = posts.traffic_sign(kit, posts.SIGNS[0])
            site.put(
                stop,
                end,
                sign * (max(reach, plan.width / 2 + 4.5) + 0.8),
                facing_street(-sign),
                side.kerb if side.pavement else 0.0,
                reach=0.25,
            )
        if plan.kind == "city" and kit.chance(0.6):
            signal = posts.traffic_light(kit)
            at = junction.at - junction.width / 2 - 5.6
            for side, s, turn in (
                (plan.right, at, AGAINST),
                (plan.left, junction.at + junction.width / 2 + 5.6, ALONG),
            ):
                d, height = _post_at(site, side)
                site.put(signal, s, side.sign * d, turn, height, reach=0.25)
    if plan.kind in ("village", "countryside") and kit.chance(0.4):
        d, height = _post_at(site, plan.right)
        site.put(posts.name_board(kit), kit.between(-16, 10), -(d + 0.8), AGAINST, height, reach=0.8)


def park(site: Site) -> None:
    """Parked cars and two-wheelers."""
    kit, plan = site.kit, site.plan
    half = plan.width / 2
    crowd = {"city": 0.8, "suburb": 0.6, "village": 0.5, "industrial estate": 0.55, "countryside": 0.2}[plan.kind]
    for side in plan.sides:
        kerb, _, verge, front = side.edges(half)
        step = 2.5 if side.across_parking else 5.6
        s = -30.0 + kit.between(0.0, 2.0)
        turn = ALONG if side.sign < 0 else AGAINST
        if side.across_parking:
            turn = facing_street(side.sign) if kit.chance(0.5) else facing_street(-side.sign)
        while s < 60.0:
            allowed = plan.is_free(s, side.sign, 11.5 - (plan.junction.pavement if plan.junction else 0.0))
            if side.parking and allowed and kit.chance(crowd):
                d = side.sign * (kerb - side.parking / 2)
                piece = vehicles.any_car(kit) if kit.chance(0.93) or side.across_parking else vehicles.van(kit)
                site.put(
                    piece,
                    s,
                    d,
                    turn + kit.between(-0.03, 0.03) + (math.pi if kit.chance(0.06) else 0.0),
                    PARKING,
                    role="parked",
                    margin=0.15,
                )
            elif (
                not side.parking
                and allowed
                and plan.kind != "countryside"
                and plan.lanes == 2
                and kit.chance(crowd * 0.3)
            ):
                site.put(vehicles.any_car(kit), s, side.sign * (half - 1.05), turn, 0.0, role="parked", margin=0.15)
            s += step if side.across_parking else step + kit.between(-0.3, 0.6)
        if plan.kind in ("suburb", "industrial estate", "countryside", "village") and front - verge > 3.5:
            for _ in range(int(kit.rng.integers(1, 5 if plan.kind == "industrial estate" else 3))):
                s, d = kit.between(NEAR, 30), side.sign * (verge + kit.between(3.2, max(3.3, front - verge - 2.8)))
                if plan.is_free(s, side.sign, 2.0):
                    big = kit.chance(0.45) and plan.kind == "industrial estate"
                    piece = vehicles.truck(kit) if big else vehicles.any_car(kit)
                    site.put(
                        piece,
                        s,
                        d,
                        facing_street(-side.sign) if kit.chance(0.6) else facing_street(side.sign),
                        LAWN if plan.kind != "industrial estate" else -0.05,
                        role="in the yard",
                        margin=0.3,
                    )
    if kit.chance(0.4):
        side = plan.sides[int(kit.rng.integers(2))]
        caravan, (_, _, verge, front) = vehicles.trailer(kit), side.edges(half)
        d = side.sign * (verge + 2.2 if front - verge > 4.5 else half - 1.2)
        site.put(
            caravan,
            kit.between(-16, 16),
            d,
            ALONG,
            LAWN if front - verge > 4.5 and plan.kind != "industrial estate" else 0.0,
            role="parked",
            margin=0.2,
        )
    for build, odds, most in (
        (two_wheelers.bicycle, 0.66, 14),
        (two_wheelers.motorcycle, 0.62, 10),
        (two_wheelers.bicycle, 0.3, 8),
    ):
        if kit.chance(odds):
            count = int(kit.rng.integers(1, most))
            models = [build(kit) for _ in range(min(count, 4))]
            _rack(site, [models[index % len(models)] for index in range(count)])


def _rack(site: Site, machines: list[Piece]) -> None:
    """Two-wheelers side by side at the back of a pavement or in a bay."""
    kit, plan = site.kit, site.plan
    for _ in range(6):
        side = plan.sides[int(kit.rng.integers(2))]
        kerb, back, _, _ = side.edges(plan.width / 2)
        s = kit.between(-18, 15)
        if not plan.is_free(s, side.sign, 6.0):
            continue
        wide = side.pavement > 2.9
        d, height = (
            (back - 1.05, side.kerb) if wide else (kerb - 0.55, 0.0) if not side.parking else (kerb - 1.0, PARKING)
        )
        turn = facing_street(-side.sign) if wide or side.parking else ALONG
        step = 0.75 if wide or side.parking else 2.3
        if machines[0].class_name == "motorcycle":
            step += 0.3
        put = [
            site.put(
                piece, s + step * i, side.sign * d, turn + kit.between(-0.12, 0.12), height, role="parked", margin=0.02
            )
            for i, piece in enumerate(machines)
        ]
        if any(put):
            return


def drive(site: Site) -> None:
    """Traffic: cars, trucks, buses, riders in their lanes."""
    kit, plan = site.kit, site.plan
    half = plan.width / 2
    lanes = (
        [(-half / 2, ALONG), (half / 2, AGAINST)]
        if plan.lanes == 2
        else [(f * half, ALONG if f < 0 else AGAINST) for f in (-0.75, -0.25, 0.25, 0.75)]
    )

    def add(piece: Piece, low: float = -15.0, high: float = 24.0) -> None:
        for _ in range(8):
            d, turn = lanes[int(kit.rng.integers(len(lanes)))]
            s = kit.between(low, high)
            slim = piece.class_name in ("bicyclist", "motorcyclist")
            at = d + (math.copysign(kit.between(0.3, 0.9), d) if slim else kit.between(-0.15, 0.15))
            if site.put(
                piece,
                s,
                at,
                turn + kit.between(-0.03, 0.03),
                0.0,
                role="driving" if not slim else "riding",
                margin=0.25 if slim else 0.5,
            ):
                return

    if kit.chance(0.6 if plan.kind != "industrial estate" else 0.85):
        add(vehicles.truck(kit), -10.0, 22.0)
    for _ in range(int(kit.rng.integers(1, 3)) if kit.chance(0.78) else 0):
        add(vehicles.bus(kit) if kit.chance(0.55) and plan.kind != "countryside" else vehicles.van(kit), -8.0, 22.0)
    for _ in range(int(kit.rng.integers(1, 8)) if kit.chance(0.76) else 0):
        add(people.cyclist(kit), -17.0, 15.0)
    for _ in range(int(kit.rng.integers(1, 6)) if kit.chance(0.74) else 0):
        add(people.motorcyclist(kit), -16.0, 16.0)
    for _ in range(int(kit.rng.integers(0, 4))):
        add(vehicles.any_car(kit))
    for _ in range(int(kit.rng.integers(0, 3))):
        add(vehicles.any_car(kit), 27.0, 66.0)


def populate(site: Site) -> None:
    """People on pavements, at crossings, in squares."""
    kit, plan = site.kit, site.plan
    if kit.chance(0.12):
        return
    count = int(kit.rng.integers(3, _PEOPLE[plan.kind] + 1))
    crowd = [people.pedestrian(kit) for _ in range(min(count, 10))]
    for index in range(count):
        side = plan.sides[int(kit.rng.integers(2))]
        kerb, back, _, _ = side.edges(plan.width / 2)
        s = kit.between(-21.0, 20.0)
        role, turn = "walking", (ALONG if kit.chance(0.5) else AGAINST) + kit.between(-0.15, 0.15)
        height = side.kerb
        if plan.square is not None and kit.chance(0.35):
            sign = plan.square[2]
            chosen = plan.left if sign > 0 else plan.right
            s, d = (
                kit.between(plan.square[0] + 1, plan.square[1] - 1),
                sign * (chosen.edges(plan.width / 2)[1] + kit.between(1.0, 8.0)),
            )
            turn, height, role = kit.between(0, 6.28), chosen.kerb - 0.02, "in the square"
        elif plan.junction is not None and kit.chance(0.25):
            s = plan.junction.at - plan.junction.width / 2 - kit.between(3.4, 4.6)
            d, turn, height, role = (
                kit.between(-plan.width / 2 + 0.6, plan.width / 2 - 0.6),
                facing_street(1 if kit.chance(0.5) else -1),
                0.0,
                "crossing",
            )
        elif side.pavement > 1.0:
            d = side.sign * kit.between(kerb + 0.65, back - 0.35)
            if kit.chance(0.18):
                turn, role = facing_street(side.sign), "waiting"
        else:
            d, height = side.sign * (back + kit.between(0.5, 1.0)), 0.02 if side.verge else LAWN
        if role in ("walking", "waiting") and not plan.is_free(s, side.sign, 3.0):
            continue
        site.put(crowd[index % len(crowd)], s, d, turn, height, kit.between(0.96, 1.04), role=role, margin=0.03)
