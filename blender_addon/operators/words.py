"""Classes by the words that artists use: fridge, curtain, counter."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from functools import cache

import bpy
from bpy.props import EnumProperty
from occscene.taxonomy import TAXONOMIES, SemanticClass

from ..scene.tagging import class_label, scene_taxonomy, worded_objects
from .tagging import ASSIGN_ITEMS


def class_words(entry: SemanticClass) -> tuple[str, ...]:
    """The words that belong to a class, its own name as the interface shows it first."""
    return (class_label(entry.name).lower(), *entry.aliases)


@cache
def _items(domain: str) -> tuple[tuple[str, str, str], ...]:
    """A choice for each word of a domain; kept, since Blender does not keep the texts."""
    found: dict[str, tuple[str, str, str]] = {}
    for entry in TAXONOMIES[domain].classes[1:]:
        for word in class_words(entry):
            label = f"{word.capitalize()}  ({class_label(entry.name)})"
            found.setdefault(word, (f"{entry.name}:{word}", label, f"Drawn as {class_label(entry.name)}"))
    return tuple(found[word] for word in sorted(found))


def _word_items(_operator: object, context: bpy.types.Context) -> tuple[tuple[str, str, str], ...]:
    return _items(context.scene.occscene.domain if context else "indoor")


class OCCSCENE_OT_assign_word(bpy.types.Operator):
    """Find the class that a word belongs to, and assign it. Objects without words of their own get the word, so that
    the views show a fridge and not just any furniture
    """

    bl_idname = "occscene.assign_word"
    bl_label = "Find Word"
    bl_options = {"REGISTER", "UNDO"}
    bl_property = "word"

    word: EnumProperty(name="Word", items=_word_items)
    target: EnumProperty(name="To", items=ASSIGN_ITEMS)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Lists all words, to be searched."""
        context.window_manager.invoke_search_popup(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Assigns the class, and the word."""
        class_name, word = self.word.split(":")
        try:
            done = bpy.ops.occscene.assign_class(class_name=class_name, target=self.target)
        except RuntimeError as error:
            self.report({"ERROR"}, str(error).removeprefix("Error: ").strip())
            return {"CANCELLED"}
        entry = scene_taxonomy(context.scene).classes[scene_taxonomy(context.scene).index_of(class_name)]
        if done == {"FINISHED"} and self.target == "OBJECTS" and word != class_words(entry)[0]:
            for obj in worded_objects(context.view_layer):
                obj.occscene.prompt = obj.occscene.prompt or word
        return set(done)


CLASSES = (OCCSCENE_OT_assign_word,)
"""The operators."""
