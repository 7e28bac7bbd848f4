"""Finer blockouts: plain boxes are replaced by the parts of furniture, each object by itself.

What an artist modelled in detail stays as it is, and so do walls, floors and whatever is as flat as a picture. Parts
stay in the voxels of the box that they replace; the eaves and mirrors of streets are seen outside of it.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch
from occscene.grid import SemanticGrid
from occscene.layout import LayoutObject
from occscene.taxonomy import OUTDOOR, TAXONOMIES
from scipy.spatial import KDTree
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from occscene_server.geometry.grids import LABELS
from occscene_server.geometry.kept import Kept, content_key
from occscene_server.geometry.layout_grid import object_voxels
from occscene_server.geometry.object_boxes import ObjectBox, box_of_voxels, kept_box
from occscene_server.geometry.placed_objects import PlacedObjects
from occscene_server.geometry.sign_plates import sign_plates
from occscene_server.geometry.sketches import are_several_boxes, is_sketch
from occscene_server.geometry.solids import Bools, Floats, Ints, Solids
from occscene_server.geometry.street_layout import FOLLOWING, GROUND
from occscene_server.geometry.vehicle_windows import with_windows
from occscene_server.geometry.wheels import with_rims
from occscene_server.models.kind_names import named_kind
from occscene_server.models.parts_prior import PartsPrior
from occscene_server.models.prompt_reading import phrases_of, read_prompt
from occscene_server.models.text import load_minilm, phrase_states

LEAST_FILL = 0.6
"""Least share of its oriented box that a plain box fills."""
LEAST_UPRIGHT = 0.85
"""Least share of its columns of voxels that a single box fills; below it an object counts as several."""
FLAT_KINDS = frozenset({"door", "window", "rug", "picture", "curtain", "name sign", *GROUND, *FOLLOWING})
"""Kinds of rooms and streets that hang or lie flat: nothing can be removed from them, their boxes show their shape."""
_WITH_EDGES = frozenset(
    {"building", "fence", "car", "truck", "other-vehicle", "person", "bicycle", "motorcycle", "bicyclist",
     "motorcyclist"}
)  # fmt: skip
"""Classes of streets that artists box without their eaves, mirrors and handlebars, unlike the boxes of layouts."""
_WITH_WINDOWS = frozenset({"truck", "other-vehicle"})
_WITH_WHEELS = _WITH_EDGES - {"building", "fence", "person"}
_EITHER_WAY = _WITH_WHEELS - {"car", "truck"} | {"person"}
"""Classes of streets whose boxes do not say where their front is; of cars and trucks it matters little."""
_SIGN = "traffic sign"
_SHELL = frozenset({"wall", "floor", "ceiling", "window", "road", "parking", "sidewalk", "other-ground", "terrain"})
"""Classes of what encloses a scene or lies below it."""
_QUARTER = math.pi / 2
_KEPT_OBJECTS = 1000
_voxels: Kept[tuple[Ints, Bools]] = Kept(_KEPT_OBJECTS)


@dataclass(frozen=True, eq=False)
class PlacedBox:
    """An object of a blockout that is a plain box.

    Args:
        obj: name, class and box in the world's axes, its front along +y of the box.
        row: of the prior's kinds.
    """

    obj: LayoutObject
    row: int


class BlockoutParts:
    """Gives objects their parts.

    Args:
        prior: the network.
        encoder, tokenizer: of `load_minilm`.
    """

    def __init__(self, prior: PartsPrior, encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self.prior, self.encoder, self.tokenizer = prior.float().eval(), encoder, tokenizer
        self._drawn: Kept[list[torch.Tensor]] = Kept(_KEPT_OBJECTS)

    @staticmethod
    def from_pretrained(folder: Path) -> BlockoutParts:
        """With the weights of a folder that `train parts` wrote."""
        return BlockoutParts(PartsPrior.from_pretrained(folder), *load_minilm())

    def with_parts(
        self,
        objects: Sequence[LayoutObject],
        phrases: Sequence[str],
        seeds: Sequence[int] | None,
        bodies: bool = False,
    ) -> list[LayoutObject]:
        """Objects with the parts that their kinds, boxes and phrases suggest; those of unknown kinds as they are.

        Args:
            objects: in any number.
            phrases: the prompt's phrase for each, as "a mustard velvet sofa"; "" for none.
            seeds: one for each object; None takes the likeliest parts.
            bodies: whether boxes of streets are those of bodies, as an artist draws them.
        """
        kinds = [kind_of(obj, self.prior) for obj in objects]
        result = list(objects)
        known = []
        for row, kind in enumerate(kinds):
            if kind is not None and self.prior.vocabulary.kinds[kind] == _SIGN:
                plates = sign_plates(np.array(objects[row].size), phrases[row])
                result[row] = replace(objects[row], parts=plates.layout_parts())
            elif kind is not None:
                known.append(row)
        if not known:
            return result
        rows = torch.tensor([kinds[row] for row in known])
        sizes = np.array([objects[row].size for row in known])
        # to the millimetre, so that who is only moved stays as he is
        usual = np.maximum(self.prior.fronts.usual_sizes(rows, sizes).round(3), 1e-3)
        drawn = self._draw(
            rows, usual, [phrases[row] for row in known], None if seeds is None else [seeds[row] for row in known]
        )
        for row, numbers, size, drawn_size in zip(known, drawn, sizes, usual, strict=True):
            # books differ from shelf to shelf, even of twins
            books = zlib.crc32(repr((seeds and seeds[row], objects[row].center)).encode())
            solids = self.prior.solids(numbers, drawn_size, books)
            solids = solids.stretched(size / drawn_size)
            is_body = bodies and objects[row].class_name in _WITH_EDGES
            solids = solids.fitted(size) if is_body else solids.inside(size)
            if objects[row].class_name in _WITH_WINDOWS:
                solids = with_windows(solids)
            if objects[row].class_name in _WITH_WHEELS:
                solids = with_rims(solids)
            if objects[row].class_name == "building":
                solids = solids.grounded()
            result[row] = replace(objects[row], parts=solids.layout_parts())
        return result

    def _draw(
        self, kinds: torch.Tensor, sizes: Floats, phrases: list[str], seeds: list[int] | None
    ) -> list[torch.Tensor]:
        """`PartsPrior.draw` of all at once, kept: mostly an artist moves objects."""

        def draw() -> list[torch.Tensor]:
            states = phrase_states(self.encoder, self.tokenizer, phrases)
            generators = None if seeds is None else [torch.Generator().manual_seed(seed) for seed in seeds]
            return self.prior.draw(kinds, torch.from_numpy(sizes).float(), states, generators)

        return self._drawn.get(content_key(kinds.numpy(), sizes, repr(seeds), *phrases), draw, len(kinds))

    def refine(
        self,
        grid: SemanticGrid,
        prompt: str = "",
        seed: int | None = None,
        corners: Mapping[int, Floats] | None = None,
        draws: int = 1,
    ) -> tuple[SemanticGrid, dict[int, LayoutObject]]:
        """A blockout with parts in place of plain boxes.

        Args:
            grid: with instances; without them, in other taxonomies and in volumes that lean nothing changes.
            prompt: of the whole scene; its phrase for a kind goes to the objects of that kind that have no words
                of their own.
            seed: of the shapes; None takes the likeliest.
            draws: number of versions drawn of each object; the one most like the others is kept.
            corners: (V, 3) of objects' meshes in the world, by id; of others the voxels say where their box is.

        Returns:
            The finer grid, and by id the objects that changed, with their parts, in the world's axes.
        """
        boxes = plain_boxes(grid, self.prior, corners or {})
        ids = list(boxes)
        named = [replace(boxes[i].obj, name=self.prior.vocabulary.kinds[boxes[i].row]) for i in ids]
        phrases = phrases_of(prompt, self.prior.vocabulary.kinds)
        own = {item.id: item.prompt for item in grid.objects}
        said = [
            own[i] or (phrases[obj.name].pop(0) if phrases.get(obj.name) else "")
            for i, obj in zip(ids, named, strict=True)
        ]
        draws = draws if seed is not None else 1
        seeds = None
        if seed is not None:
            both = list(zip(named, said, strict=True))
            seeds = [_shared_seed(seed, draw, obj.name, words) for draw in range(draws) for obj, words in both]
        # all at once: far faster than one by one
        drawn = self.with_parts(named * draws, said * draws, seeds, bodies=True)
        versions = [drawn[first : first + len(ids)] for first in range(0, len(drawn), max(1, len(ids)))]
        made = {}
        for number, several in zip(ids, zip(*versions, strict=True), strict=True):
            chosen = several[most_typical([object_voxels(obj, grid) for obj in several])] if draws > 1 else several[0]
            made[number] = replace(chosen, name=boxes[number].obj.name)
        corners = corners or {}
        # an artist's own two or three boxes say more of a body than the prior does; gaps of fences are below a voxel
        whole = {i for i in made if (i in corners and are_several_boxes(corners[i])) or made[i].class_name == "fence"}
        voxels = {i: _either_way(obj) for i, obj in made.items() if i not in whole}
        return painted(grid, voxels), made


def _either_way(obj: LayoutObject) -> LayoutObject:
    """An object of which nobody knows what is its front with all that it fills one way round or the other.

    Where two shapes are equally likely, their union has the higher expected IoU.
    """
    if obj.class_name not in _EITHER_WAY:
        return obj
    solids = Solids.of_layout(obj.parts)
    turned = solids.rotated(np.diag([-1.0, -1.0, 1.0]))
    return replace(obj, parts=Solids.joined([solids, turned]).layout_parts())


def _shared_seed(*of: object) -> int:
    """Objects of one kind with the same phrase in the prompt: chairs at a table match, nightstands too."""
    return zlib.crc32(repr(of).encode())


def most_typical(shapes: Sequence[tuple[Ints, Bools]]) -> int:
    """Which of some blocks of voxels has the highest mean IoU with the others."""
    low = np.min([place for place, _ in shapes], axis=0)
    high = np.max([place + block.shape for place, block in shapes], axis=0)
    voxels = np.zeros((len(shapes), *(high - low)))
    for canvas, (place, block) in zip(voxels, shapes, strict=True):
        start = place - low
        canvas[tuple(slice(a, a + side) for a, side in zip(start.tolist(), block.shape, strict=True))] = block
    flat = voxels.reshape(len(shapes), -1)
    shared, count = flat @ flat.T, flat.sum(1)
    return int((shared / np.maximum(count[:, None] + count - shared, 1)).sum(1).argmax())


def plain_boxes(grid: SemanticGrid, prior: PartsPrior, corners: Mapping[int, Floats]) -> dict[int, PlacedBox]:
    """By id the objects of a blockout that are plain boxes of kinds that the prior knows, their fronts guessed."""
    upright = np.allclose(grid.world_from_grid[2, :3], (0.0, 0.0, 1.0))
    if grid.instances is None or not upright or not _knows(prior, grid.taxonomy):
        return {}
    furniture = _furniture(grid, corners)
    if not furniture:
        return {}
    kinds = prior.vocabulary.kinds
    words = {item.id: item.prompt for item in grid.objects}
    rows = [kind_of(obj, prior, words[number]) for number, (obj, _) in furniture.items()]
    objects = [obj for obj, _ in furniture.values()]
    quarters = prior.fronts.quarters(
        [-1 if row is None else row for row in rows],
        np.array([(*obj.center, *obj.size, obj.turn) for obj in objects]),
        np.array([obj.class_name == "table" for obj in objects]),
        _inner_bounds(grid),
    )
    if grid.taxonomy == OUTDOOR.name:
        quarters = facing_road(grid, objects, quarters)
    return {
        number: PlacedBox(_turned(obj, quarter), row)
        for (number, (obj, plain)), row, quarter in zip(furniture.items(), rows, quarters, strict=True)
        if plain and row is not None and kinds[row] not in FLAT_KINDS
    }


def facing_road(grid: SemanticGrid, objects: Sequence[LayoutObject], quarters: Sequence[int]) -> list[int]:
    """Quarter turns with which houses, and the arms of lamps, face the nearest road; other objects keep theirs."""
    road = np.argwhere((grid.labels == OUTDOOR.index_of("road")).any(2))
    if not len(road):
        return list(quarters)
    points = np.column_stack([(road + 0.5) * grid.voxel_size, np.zeros(len(road))])
    nearest = KDTree((points @ grid.world_from_grid[:3, :3].T + grid.world_from_grid[:3, 3])[:, :2])
    result = list(quarters)
    for index, obj in enumerate(objects):
        # a pole's longer side is its arm's
        turns = {"building": (0, 1, 2, 3), "pole": (quarters[index], quarters[index] + 2)}.get(obj.class_name)
        if turns is not None:
            center = np.array(obj.center[:2])
            away = nearest.data[nearest.query(center)[1]] - center
            angles = [obj.turn + _QUARTER * (quarter + 1) for quarter in turns]
            result[index] = turns[int(np.argmax([away @ (math.cos(angle), math.sin(angle)) for angle in angles]))] % 4
    return result


def _knows(prior: PartsPrior, taxonomy: str) -> bool:
    return {entry.name for entry in TAXONOMIES[taxonomy].classes}.issuperset(prior.vocabulary.classes)


def kind_of(obj: LayoutObject, prior: PartsPrior, words: str = "") -> int | None:
    """The kind that an object's own words or its name give, else the one of its class with the nearest size, or None.

    In streets it is always of the object's class, and the ground has none: "a tree trunk" is no tree.

    A name may be in another language or written as asset libraries write it (`named_kind`); then its kind counts where
    it is of the object's class. Small objects, of class "objs", can be anything: they must be called something.
    """
    kinds, classes = prior.vocabulary.kinds, prior.vocabulary.classes
    outdoors = prior.vocabulary.taxonomy == "outdoor"
    if outdoors and (obj.class_name in _SHELL or obj.class_name == "trunk"):
        return None
    for text in (words, obj.name.replace("_", " ").rstrip(" .0123456789")):
        said = _said_kind(text, kinds)
        if said is not None and (not outdoors or classes[said] == obj.class_name):
            return said
    named = named_kind(obj.name)
    if named in kinds and classes[kinds.index(named)] == obj.class_name:
        return kinds.index(named)
    return None if obj.class_name == "objs" else prior.vocabulary.kind_of(obj)


@lru_cache(maxsize=_KEPT_OBJECTS)
def _said_kind(text: str, kinds: tuple[str, ...]) -> int | None:
    """The first of the kinds that a text names."""
    said = read_prompt(text, kinds, ()).objects
    return kinds.index(said[0].kind) if said else None


def _furniture(grid: SemanticGrid, corners: Mapping[int, Floats]) -> dict[int, tuple[LayoutObject, bool]]:
    """By id the objects of a scene with their boxes, and whether each is a plain box."""
    assert grid.instances is not None
    placed = PlacedObjects.find(torch.from_numpy(grid.labels), torch.from_numpy(grid.instances.astype(np.int64)))
    names = {obj.id: obj.name for obj in grid.objects}
    keys, modelled = placed.keys.tolist(), placed.modelled.tolist()
    result = {}
    for index in torch.nonzero(placed.named)[:, 0].tolist():
        number, label = divmod(keys[index], LABELS)
        class_name = TAXONOMIES[grid.taxonomy].classes[label].name
        if class_name in _SHELL:
            continue
        few = grid.taxonomy == OUTDOOR.name and number in corners and is_sketch(corners[number])
        plain = few or not modelled[index]
        if not few and (plain or number not in corners):
            place = placed.box(index)
            voxels = np.argwhere((placed.number[place] == index).numpy()) + [side.start for side in place]
            box = box_of_voxels(voxels)
            columns = len(np.unique(voxels[:, :2], axis=0))
            upright = len(voxels) >= LEAST_UPRIGHT * columns * (np.ptp(voxels[:, 2]) + 1)
            plain &= upright and len(voxels) >= LEAST_FILL * float(np.prod(box.size))
        box = kept_box(corners[number]) if number in corners else _in_world(grid, box)
        size = np.maximum(box.size, 1e-3)
        obj = LayoutObject(names[number] or class_name, class_name, _vector(box.center), _vector(size), box.turn)
        result[number] = obj, plain
    return result


def _vector(values: Floats) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return x, y, z


def _in_world(grid: SemanticGrid, box: ObjectBox) -> ObjectBox:
    """A box in voxels of a grid, in metres of the world."""
    center = grid.world_from_grid[:3, :3] @ (box.center * grid.voxel_size) + grid.world_from_grid[:3, 3]
    yaw = math.atan2(grid.world_from_grid[1, 0], grid.world_from_grid[0, 0])
    return ObjectBox(center, box.size * grid.voxel_size, box.turn + yaw)


def _turned(obj: LayoutObject, quarter: int) -> LayoutObject:
    """The same box with another of its sides in front."""
    width, depth, height = obj.size
    size = (depth, width, height) if quarter % 2 else obj.size
    return replace(obj, size=size, turn=obj.turn + quarter * _QUARTER)


def _inner_bounds(grid: SemanticGrid) -> Floats:
    """Lowest and highest x and y (2, 2) in the world of what is inside of walls."""
    walls = [entry.index for entry in TAXONOMIES[grid.taxonomy].classes if entry.name in ("wall", "window")]
    inside = (grid.labels > 0).any(2) & ~np.isin(grid.labels, walls).any(2)
    columns = np.argwhere(inside if inside.any() else np.ones_like(inside)) + 0.5
    corners = np.array([columns.min(0) - 0.5, columns.max(0) + 0.5]) * grid.voxel_size
    world = (
        np.concatenate([corners, np.zeros((2, 1))], 1) @ grid.world_from_grid[:3, :3].T + grid.world_from_grid[:3, 3]
    )
    bounds: Floats = np.stack([world[:, :2].min(0), world[:, :2].max(0)])
    return bounds


def painted(grid: SemanticGrid, objects: Mapping[int, LayoutObject]) -> SemanticGrid:
    """A grid in which objects, by id, show their parts, in voxels that were theirs."""
    assert grid.instances is not None or not objects
    if not objects or grid.instances is None:
        return grid
    labels, instances = grid.labels.copy(), grid.instances.copy()
    volume = repr((grid.shape, grid.voxel_size))
    for number, obj in objects.items():
        own = grid.instances == number
        kept = np.zeros(grid.shape, bool)
        key = content_key(volume, grid.world_from_grid, repr(obj))
        low, block = _voxels.get(key, partial(object_voxels, obj, grid))
        place = tuple(slice(start, start + side) for start, side in zip(low.tolist(), block.shape, strict=True))
        kept[place] = block
        emptied = own & ~kept
        if emptied.sum() < own.sum():
            labels[emptied], instances[emptied] = 0, 0
    return SemanticGrid(labels, grid.voxel_size, grid.world_from_grid, grid.taxonomy, instances, grid.objects)
