"""What class a material's last word speaks of: "oak_planks" are planks, "glass_pane" is a pane.

The words are those of Minecraft's block names and Teardown's materials; the classes are OccScene's own choice.
"""

from __future__ import annotations

import re

_TABLE = """
glass, pane, window, tinted glass: window, building
leaves, foliage, sapling, vine, vines, lichen, azalea, bush, fern, grass, flower, rose, tulip, poppy, dandelion, orchid,
  allium, bluet, daisy, cornflower, lilac, peony, sunflower, lily pad, dripleaf, roots, sprouts, petals, wheat, carrots,
  potatoes, beetroots, melon, pumpkin, cactus, bamboo, sugar cane, kelp, seagrass, moss carpet, moss block, mushroom,
  mushroom block, cocoa, plant, wart block: objs, vegetation
log, stem, hyphae: furn, trunk
planks, mosaic: floor, building
wood, stairs, slab: furn, building
wall: wall, fence
fence, fence gate, gate, bars, railing: objs, fence
door, trapdoor: wall, building
bed: bed, building
wool, tnt, sponge, cobweb, honeycomb block, hay block: objs, building
carpet: floor, other-ground
bookshelf, shelf, chest, barrel, cabinet, furnace, smoker, hopper, box, dispenser, dropper, composter: furn, building
table, lectern, anvil, stonecutter, loom, grindstone, cauldron, brewing stand: table, building
torch, lantern, candle, lamp, rod, chain, campfire, end rod: objs, pole
sign, banner: objs, traffic-sign
pot, head, skull, frame, painting, button, lever, bell, pressure plate, cake, hook, beacon: objs, building
concrete, terracotta, brick, bricks, plaster, stone, cobblestone, sandstone, andesite, diorite, granite, deepslate,
  cobbled deepslate, blackstone, basalt, quartz, pillar, obsidian, prismarine, tuff, calcite, dripstone, tiles, ore,
  block, purpur, copper, masonry, glowstone, shroomlight, froglight: wall, building
grass block, dirt, podzol, mycelium, nylium, sand, soul sand, farmland, mud, clay, rock, snow, snow block, soil,
  netherrack, bedrock, powder: floor, terrain
dirt path, path: floor, sidewalk
gravel, water, lava, ice, rail: floor, other-ground
asphalt, tarmac: floor, road
metal, plastic, unphysical: objs, building
"""


def _parsed() -> dict[str, tuple[str, str]]:
    words = {}
    for line in re.sub(r",\n\s+", ", ", _TABLE).strip().splitlines():
        names, classes = line.split(": ")
        indoor, outdoor = classes.split(", ")
        words.update(dict.fromkeys(names.split(", "), (indoor, outdoor)))
    return words


_CLASSES_OF_WORD = _parsed()


def word_class(name: str, taxonomy: str) -> str | None:
    """The class of `indoor` or `outdoor` that a material's name speaks of, or None."""
    words = re.findall(r"[a-z]+", name.lower())
    for start in range(len(words)):
        classes = _CLASSES_OF_WORD.get(" ".join(words[start:]))
        if classes is not None:
            return classes[0] if taxonomy == "indoor" else classes[1]
    return None
