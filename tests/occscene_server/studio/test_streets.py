"""Procedural streets: deterministic, in place, of closed meshes, with every class, and blockouts where objects are."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest
import trimesh
from occscene.camera import PinholeCamera
from occscene.grid import EMPTY, SemanticGrid
from occscene.part_shapes import triangulated
from occscene.taxonomy import OUTDOOR

from occscene_server.geometry.course import Course
from occscene_server.studio.materials import KINDS
from occscene_server.studio.ray_march import march
from occscene_server.studio.room import Part
from occscene_server.studio.scene_grids import item_triangles
from occscene_server.studio.scene_meshes import item_meshes
from occscene_server.studio.streets.cameras import CLEARANCE, VIEWS, draw_street_cameras, is_clear
from occscene_server.studio.streets.grids import street_grids, street_volume
from occscene_server.studio.streets.plan import KINDS as STREET_KINDS
from occscene_server.studio.streets.prompt import WORD_LIMIT, plural_phrase, street_prompt
from occscene_server.studio.streets.street import Street, build_street
from occscene_server.studio.streets.weather import WEATHERS

SEEDS = (0, 3, 8, 12, 37)
"""A city, a country road, a village, a suburb, an industrial estate."""

REAL_SHARES = {
    "bicycle": 0.03, "motorcycle": 0.03, "truck": 0.16, "other-vehicle": 0.20, "person": 0.07, "bicyclist": 0.07,
    "motorcyclist": 0.05, "pole": 0.29, "traffic-sign": 0.08,
}  # fmt: skip
"""Percent of SemanticKITTI's occupied voxels, of the rare classes."""

TWO_WHEELED = frozenset({"bicycle", "motorcycle", "bicyclist", "motorcyclist"})
STANDING = frozenset({"car", "truck", "other-vehicle", "person", "bicycle", "motorcycle", "bicyclist", "motorcyclist"})


@lru_cache(maxsize=16)
def street_of(seed: int) -> Street:
    return build_street(seed)


@lru_cache(maxsize=8)
def grids_of(seed: int) -> tuple[SemanticGrid, SemanticGrid]:
    return street_grids(street_of(seed))


@lru_cache(maxsize=8)
def cameras_of(seed: int) -> tuple[PinholeCamera, ...]:
    return tuple(draw_street_cameras(street_of(seed), grids_of(seed)[0]))


def volume_and_borders(part: Part) -> tuple[float, int]:
    """The volume that a mesh encloses, positive if its faces look outwards, and how many edges have not two faces."""
    a, b, c = part.vertices[triangulated(part.faces)].transpose(1, 0, 2)
    edges = np.array([pair for face in part.faces for pair in pairwise((*face, face[0]))])
    _, uses = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)
    return float((np.cross(a, b) * c).sum() / 6), int((uses != 2).sum())


def test_the_same_seed_gives_the_same_street() -> None:
    first, second = build_street(3), build_street(3)
    assert first.materials == second.materials
    assert first.plan == second.plan
    assert [item.name for item in first.items] == [item.name for item in second.items]
    for one, other in zip(first.items, second.items, strict=True):
        assert one.blockout == other.blockout
        np.testing.assert_array_equal(item_triangles(one), item_triangles(other))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_meshes_are_closed_and_face_outwards(seed: int) -> None:
    shown = {id(part): (item.name, part) for item in street_of(seed).items for part in item.parts if not part.foliage}
    for name, part in shown.values():
        volume, borders = volume_and_borders(part)
        assert volume > 0, (name, part.material)
        assert borders == 0, (name, part.material)


@pytest.mark.parametrize("seed", SEEDS)
def test_names_and_materials_are_known(seed: int) -> None:
    street = street_of(seed)
    assert street.plan.kind in STREET_KINDS
    assert street.weather in WEATHERS
    for item in street.items:
        guess = OUTDOOR.guess(item.name)
        assert guess is not None, item.name
        assert guess.name == item.class_name, item.name
        assert item.phrase
        assert all(0 <= channel <= 1 for channel in item.color)
        assert all(street.materials[part.material].kind in KINDS for part in item.parts)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_floats_and_nothing_is_sunk(seed: int) -> None:
    street = street_of(seed)
    slope = street.plan.course.slope
    for actor in street.actors:
        item = street.items[actor.index]
        if item.class_name not in STANDING | {"building", "trunk", "pole", "fence"}:
            continue
        corners = item_triangles(item).reshape(-1, 3)
        foot = float((corners[:, 2] - slope * corners[:, 0]).min())
        # Houses, trunks and posts stand in the ground; what rolls or walks stands on it, kerbs being 0.15 m high.
        low = -0.3 if item.class_name in STANDING else -2.0
        assert low < foot < 0.25, (item.name, item.phrase, foot)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_voxel_of_a_thing_touches_matter(seed: int) -> None:
    """Nothing hangs in the air: each object's voxels reach the ground, directly or through what holds them."""
    from scipy import ndimage

    occupancy, _ = grids_of(seed)
    ground = [OUTDOOR.index_of(name) for name in ("road", "parking", "sidewalk", "other-ground", "terrain")]
    pieces, _ = ndimage.label(occupancy.labels != EMPTY, structure=np.ones((3, 3, 3)))
    outside = [pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1], pieces[..., -1]]  # what holds these may be cut off
    held = np.unique(np.concatenate([pieces[np.isin(occupancy.labels, ground)], *(face.ravel() for face in outside)]))
    loose = (pieces > 0) & ~np.isin(pieces, held)
    assert loose.sum() < 60


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_triangles_and_voxels_agree(seed: int) -> None:
    """A ray through the stored triangles and one through the true grid hit the same class at about the same depth."""
    street, (occupancy, _) = street_of(seed), grids_of(seed)
    mesh = item_meshes(street.items, OUTDOOR).true
    scene = trimesh.Trimesh(mesh.vertices, mesh.triangles, process=False)
    camera = cameras_of(seed)[0].resized(64, 64)
    hits, depths = march(occupancy, camera, 24.0, stride=4)
    directions = camera.pixel_directions()[2::4, 2::4].reshape(-1, 3)
    origins = np.repeat(camera.world_from_camera[None, :3, 3], len(directions), axis=0)
    places, rays, triangles = scene.ray.intersects_location(origins, directions, multiple_hits=False)
    forward = camera.world_from_camera[:3, 2]
    depth = (places - origins[rays]) @ forward
    seen = hits.ravel()[rays] >= 0
    near = seen & (depth < 20.0)
    assert near.sum() > 40
    off = np.abs(depths.ravel()[rays][near] - depth[near])
    assert np.median(off) < 1.5 * occupancy.voxel_size
    same = occupancy.labels.ravel()[hits.ravel()[rays][near]] == mesh.labels[triangles[near]]
    assert same.mean() > 0.8


@pytest.mark.parametrize("seed", SEEDS)
def test_cameras_stand_in_free_air(seed: int) -> None:
    occupancy, _ = grids_of(seed)
    cameras = cameras_of(seed)
    assert len(cameras) == VIEWS
    assert all(is_clear(occupancy, camera.world_from_camera[:3, 3], CLEARANCE) for camera in cameras)


def test_the_same_street_has_the_same_cameras() -> None:
    again = draw_street_cameras(street_of(3), grids_of(3)[0])
    for camera, other in zip(cameras_of(3), again, strict=True):
        np.testing.assert_array_equal(camera.world_from_camera, other.world_from_camera)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_blockout_is_where_the_scene_is(seed: int) -> None:
    occupancy, blockout = grids_of(seed)
    assert occupancy.shape == blockout.shape == (256, 256, 32)
    both = (occupancy.labels != EMPTY) & (blockout.labels != EMPTY)
    either = (occupancy.labels != EMPTY) | (blockout.labels != EMPTY)
    assert both.sum() / either.sum() > 0.5
    assert (occupancy.labels[both] == blockout.labels[both]).mean() > 0.85
    assert all(hint is None or 0 <= min(hint) <= max(hint) <= 1 for hint in (obj.hint for obj in blockout.objects))


def test_the_volume_keeps_the_whole_road() -> None:
    for seed in SEEDS:
        street = street_of(seed)
        bottom = street_volume(street).world_from_grid[2, 3]
        s = np.linspace(-25, 25, 40)
        heights = street.plan.course.points(np.column_stack([s, np.zeros(40)]))
        inside = np.abs(heights[:, :2]).max(axis=1) < 25.6
        assert (heights[inside, 2] - bottom > 0.15).all()
        assert (heights[inside, 2] - bottom < 2.6).all()


def test_a_bend_keeps_lengths_and_angles() -> None:
    course = Course(1 / 50, -10.0, 30.0, 0.03)
    s = np.linspace(-20, 40, 600)
    line = course.flat(np.column_stack([s, np.zeros(600)]))
    np.testing.assert_allclose(np.linalg.norm(np.diff(line, axis=0), axis=1), np.diff(s), rtol=1e-4)
    side = course.flat(np.column_stack([s, np.full(600, 4.0)]))
    np.testing.assert_allclose(np.linalg.norm(side - line, axis=1), 4.0)
    assert course.within(100.0) == pytest.approx(42.5)
    assert course.within(-100.0) == -100.0


def classes_in(seed: int) -> np.ndarray:
    return visible_classes(street_grids(build_street(seed))[0].labels)


def visible_classes(labels: np.ndarray) -> np.ndarray:
    """How many voxels of each class something could see: those beside an empty one."""
    filled = np.pad(labels != EMPTY, 1, mode="edge")  # what the volume cuts through is not to be seen
    steps = np.concatenate([np.eye(3, dtype=int), -np.eye(3, dtype=int)])
    around = [np.roll(filled, tuple(step), axis=(0, 1, 2))[1:-1, 1:-1, 1:-1] for step in steps.tolist()]
    return np.bincount(labels[~np.logical_and.reduce(around)].ravel(), minlength=len(OUTDOOR))


def shares_of(counts: np.ndarray) -> dict[str, float]:
    """Percent of the visible voxels, from counts (streets, classes)."""
    totals = counts[:, 1:].sum(axis=0)
    names = [entry.name for entry in OUTDOOR.classes[1:]]
    return dict(zip(names, (100 * totals / totals.sum()).tolist(), strict=True))


def test_a_few_streets_have_every_class_and_rare_ones_more_often_than_real_streets() -> None:
    counts = np.stack([visible_classes(grids_of(seed)[0].labels) for seed in SEEDS])
    assert counts[:, 1:].any(axis=0).all()
    shares = shares_of(counts)
    assert all(shares[name] >= 0.5 * real for name, real in REAL_SHARES.items()), shares
    assert sum(shares[name] for name in REAL_SHARES) >= 3 * sum(REAL_SHARES.values()), shares


@pytest.mark.release
@pytest.mark.timeout(3600)
def test_every_class_is_often_there_and_rare_ones_more_often_than_in_real_streets() -> None:
    with ProcessPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        counts = np.stack(list(pool.map(classes_in, range(200), chunksize=10)))
    names = [entry.name for entry in OUTDOOR.classes[1:]]
    present = dict(zip(names, (counts[:, 1:] > 0).mean(axis=0).tolist(), strict=True))
    shares = shares_of(counts)
    assert min(present.values()) >= 0.1, present
    assert all(present[name] >= 0.4 for name in REAL_SHARES), present
    assert all(shares[name] >= 0.5 * real for name, real in REAL_SHARES.items()), shares
    assert all(shares[name] >= 5 * REAL_SHARES[name] for name in ("truck", "other-vehicle")), shares
    assert all(shares[name] >= 1.5 * REAL_SHARES[name] for name in TWO_WHEELED | {"person"}), shares


def test_prompts_say_what_is_there() -> None:
    for seed in SEEDS:
        street = street_of(seed)
        visible = [actor.index for actor in street.actors[:30]]
        prompt = street_prompt(street, visible, np.random.default_rng(seed))
        again = street_prompt(street, visible, np.random.default_rng(seed))
        assert prompt == again
        assert 8 <= len(prompt.split()) <= WORD_LIMIT + 16
        assert any(words in prompt for words in WEATHERS[street.weather].words)


@pytest.mark.parametrize(
    ("phrase", "words"),
    [
        ("a man in a red jacket", "two men in red jackets"),
        ("a motorcyclist on a red motorcycle", "two motorcyclists on red motorcycles"),
        ("a white truck with a blue box", "two white trucks with blue boxes"),
        ("a bush with pink flowers", "two bushes with pink flowers"),
        ("a red brick factory", "two red brick factories"),
        ("a pedestrian crossing sign", "two pedestrian crossing signs"),
        ("a black hatchback", "two black hatchbacks"),
        ("a yellow city bus", "two yellow city buses"),
        ("a green bush", "two green bushes"),
    ],
)
def test_plurals(phrase: str, words: str) -> None:
    assert plural_phrase(phrase, 2) == words
