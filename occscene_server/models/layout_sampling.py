"""Drawing layouts from the prior: object by object, each checked against what stands there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from occscene.layout import Layout, LayoutObject, LayoutRoom
from torch import Tensor

from occscene_server.geometry import layout_rules, street_rules
from occscene_server.geometry.relations import relation_names
from occscene_server.geometry.street_layout import FOLLOWING
from occscene_server.models.layout_prior import LayoutBatch, LayoutPrior
from occscene_server.models.layout_tokens import (
    decode_boxes,
    layout_numbers,
    layout_of_numbers,
    placed_layout,
    room_of_numbers,
)
from occscene_server.models.place_logits import Boxes
from occscene_server.models.prompt_reading import Reading

_NEVER = -torch.inf


@dataclass(frozen=True)
class SamplingOptions:
    """How layouts are drawn.

    Args:
        temperature: of every draw.
        nucleus: the likeliest values that make up this share are drawn from.
        text_scale: classifier-free guidance on kinds and colours; 1 is none.
        place_scale: the same on where objects stand.
        tries: how many boxes are drawn at once for an object, of which the first that fits is taken.
        related_tries: the same where the prompt says what the object stands by; the first that stands so is taken.
        rounds: how often a kind that the prompt names and that is not there yet is tried again before it is let stand
            where it fits least badly.
    """

    temperature: float = 0.9
    nucleus: float = 0.98
    text_scale: float = 1.5
    place_scale: float = 1.0
    tries: int = 8
    related_tries: int = 48
    rounds: int = 8


@dataclass
class _Drawing:
    """A layout as it is drawn; a street as its plan."""

    room: Tensor
    numbers: list[Tensor]
    objects: list[LayoutObject]
    given: int
    banned: set[int] = field(default_factory=set)
    failed: dict[int, int] = field(default_factory=dict)
    related: set[tuple[str, str, str]] = field(default_factory=set)


class LayoutSampler:
    """Draws layouts for one prompt.

    Args:
        prior: the network, in evaluation mode.
        text: (S, text_dim) token states of the prompt; (0, text_dim) for none.
        generator: decides every draw, on the CPU; the same state gives the same layouts.
        options: see `SamplingOptions`.
        sights: boxes that stay free, such as those in front of cameras; see `layout_rules.sight_of`.
    """

    def __init__(
        self,
        prior: LayoutPrior,
        text: Tensor,
        generator: torch.Generator,
        options: SamplingOptions | None = None,
        sights: Sequence[LayoutObject] = (),
    ) -> None:
        self.prior, self.generator, self.options = prior, generator, options or SamplingOptions()
        self.sights = sights
        self.guided = len(text) > 0 and (self.options.text_scale != 1.0 or self.options.place_scale != 1.0)
        rows = 2 if self.guided else 1
        self.text = text.to(prior.start.dtype).expand(rows, -1, -1)
        self.text_mask = torch.ones(rows, len(text), dtype=torch.bool)
        self.text_mask[1:] = False
        self.vocabulary, self.ranges = prior.vocabulary, prior.vocabulary.ranges
        with torch.no_grad():
            self.matches = prior.lookup(self.text, self.text_mask)

    @torch.no_grad()
    def draw(self, reading: Reading | None = None, given: Layout | None = None) -> Layout:
        """Draws a layout.

        Args:
            reading: what the prompt asks for, to hold what is drawn to it: kinds that are missing are drawn before the
                end, and no more than asked for where that is several; colours are those asked for; of boxes that fit,
                those are taken that stand where they are said to. None leaves all to the network.
            given: what stands there already, kept as it is; its room is kept too, if it has one. A street in which
                something stands is straight.

        Raises:
            ValueError: `given` has an object of a class that the prior does not know, or too many objects.
        """
        drawing = self._begin(given)
        reading = reading or Reading()
        least = {self.vocabulary.kinds.index(kind): count for kind, count in reading.least().items()}
        for _ in range(4 * self.ranges.most):
            if len(drawing.objects) >= self.ranges.most:
                break
            kind = self._next_kind(drawing, least, reading)
            if kind != self.prior.stop:
                self._add(drawing, kind, kind in _missing(drawing, least), reading)
            elif not self._add_related(drawing, least, reading):
                break
        drawn = self._layout(drawing)
        if given is None or not given.objects:
            drawn = placed_layout(drawn, drawing.room.numpy())
        elif self.vocabulary.taxonomy != "indoor":
            added = placed_layout(replace(drawn, objects=drawn.objects[drawing.given :]), drawing.room.numpy())
            drawn = replace(drawn, objects=(*given.objects, *added.objects))
        return replace(drawn, room=drawn.room if given is None or given.room is None else given.room)

    @torch.no_grad()
    def draw_anew(self, layout: Layout, index: int) -> Layout:
        """Draws the box and colour of one object again, all others being given; the layout itself if nothing fits."""
        others = layout.objects[:index] + layout.objects[index + 1 :]
        drawing = self._begin(replace(layout, objects=self._seen(others)))
        old = layout.objects[index]
        kind = self.vocabulary.kind_of(old)
        if kind is not None:
            self._add(drawing, kind, False, Reading())
        if len(drawing.objects) == drawing.given:
            return layout
        new = replace(drawing.objects[-1], name=old.name, class_name=old.class_name)
        return replace(layout, objects=(*layout.objects[:index], new, *layout.objects[index + 1 :]))

    def _seen(self, objects: tuple[LayoutObject, ...]) -> tuple[LayoutObject, ...]:
        """What the prior is given of a layout: of a street no trunks and posts, and the largest if it is too much."""
        if self.vocabulary.taxonomy == "indoor":
            return objects
        known = [obj for obj in objects if obj.name not in FOLLOWING and self.vocabulary.kind_of(obj) is not None]
        return tuple(sorted(known, key=lambda obj: -float(np.prod(obj.size)))[: self.ranges.most - 1])

    def _begin(self, given: Layout | None) -> _Drawing:
        """The room and what is given."""
        most = self.ranges.most
        if given is not None and len(given.objects) > most:
            raise ValueError(f"{len(given.objects)} objects are given; this prior takes at most {most}")
        if given is not None and given.room is not None:
            known, numbers = layout_numbers(given, self.vocabulary)
            rows = [torch.from_numpy(row) for row in numbers]
            return _Drawing(torch.from_numpy(known), rows, list(given.objects), len(rows))
        start = _Drawing(torch.zeros(5, dtype=torch.int64), [], [], 0)
        state = self.prior.encode(self._batch(start), self.matches)[:, :1]
        chain, values = self.prior.room_heads, []
        for name in chain.names:
            logits = chain.head(name, state)
            if (added := self.prior.surface_logits(name, self.matches)) is not None:
                logits = logits + added[:, None]
            logits = self._guided(logits, name)
            value = self._sampled(logits)
            values.append(value[0])
            state = chain.embed_number(name, state, value)
        room = torch.stack(values)
        if given is None or (self.vocabulary.taxonomy != "indoor" and not given.objects):
            return _Drawing(room, [], [], 0)
        inner = room_of_numbers(room.numpy(), self.vocabulary)
        if inner is not None:
            return self._begin(replace(given, room=inner))
        straight, numbers = layout_numbers(given, self.vocabulary)
        rows = [torch.from_numpy(row) for row in numbers]
        return _Drawing(torch.cat([torch.from_numpy(straight[:3]), room[3:]]), rows, list(given.objects), len(rows))

    def _batch(self, drawing: _Drawing, pending: int | None = None) -> LayoutBatch:
        """The objects drawn so far, with the prompt and without it; `pending` is a kind whose box is to come."""
        numbers = list(drawing.numbers)
        if pending is not None:
            numbers.append(torch.tensor([pending, *[0] * 8]))
        rows = self.text.shape[0]
        size = self.ranges.frame(drawing.room[:3].numpy())
        objects = torch.stack(numbers) if numbers else torch.zeros((0, 9), dtype=torch.int64)
        boxes = decode_boxes(objects[:, 2:].numpy(), np.broadcast_to(size, (len(objects), 3)), self.ranges)
        boxes[:, :6] /= self.ranges.unit

        def twice(value: Tensor) -> Tensor:
            return value.expand(rows, *value.shape)

        return LayoutBatch(
            twice(drawing.room), twice(torch.from_numpy(size / self.ranges.unit).float()), twice(objects),
            twice(torch.from_numpy(boxes).float()), twice(torch.tensor(len(numbers))),
            twice(torch.tensor(drawing.given)), self.text, self.text_mask,
        )  # fmt: skip

    def _next_kind(self, drawing: _Drawing, least: Mapping[int, int], reading: Reading) -> int:
        states = self.prior.encode(self._batch(drawing), self.matches)
        logits = self._guided(self.prior.kind_logits(states[:, -1:], self.matches), "kind")[0]
        for kind in drawing.banned:
            logits[kind] = _NEVER
        present = _counted(drawing)
        for kind, count in least.items():
            if count > 1 and present.get(kind, 0) >= count:
                logits[kind] = _NEVER
        kind = int(self._sampled(logits[None])[0])
        missing = _missing(drawing, least)
        left = self.ranges.most - len(drawing.objects)
        if missing and (kind == self.prior.stop or left <= sum(least[kind] for kind in missing)):
            only = torch.full_like(logits, _NEVER)
            names = {self.vocabulary.kinds[kind] for kind in missing}
            # what others are to stand by comes before them
            early = names - {subject for subject, _, anchor in reading.relations if anchor in names - {subject}}
            first = [kind for kind in missing if self.vocabulary.kinds[kind] in (early or names)]
            only[first] = logits[first].clamp_min(-30.0)
            kind = int(self._sampled(only[None])[0])
        return kind

    def _add(
        self, drawing: _Drawing, kind: int, must: bool, reading: Reading, only: tuple[str, str, str] | None = None
    ) -> None:
        """Draws boxes of a kind and keeps the best; a kind that fits nowhere is passed over for a while.

        A box that does not hold the relation `only`, if one is given, is not kept.
        """
        batch = self._batch(drawing, kind)
        states = self.prior.encode(batch, self.matches)
        name = self.vocabulary.kinds[kind]
        asked = [relation for relation in reading.relations if name in (relation[0], relation[2])]
        tries = self.options.related_tries if asked or must else self.options.tries
        colors = self._colors_left(drawing, name, reading)
        if only is not None and not colors:
            colors = [self.vocabulary.colors.index(word) for word in reading.colors(name)]
        numbers = self._boxes(batch, states, tries, colors, name in reading.round_kinds)
        candidates = layout_of_numbers(
            drawing.room.numpy(),
            torch.cat([torch.full((len(numbers), 1), kind), numbers], 1).numpy(),
            self.vocabulary,
            self.prior.albedo.float().numpy(),
        )
        badness = [self._conflict(obj, drawing.objects, candidates.room) for obj in candidates.objects]
        best = int(np.argmin(badness))
        if asked and badness[best] == 0:
            fitting = [i for i, value in enumerate(badness) if value == 0]
            standing = replace(candidates, objects=tuple(drawing.objects))
            held = {
                i: relation_names(
                    replace(standing, objects=(*standing.objects, candidates.objects[i])), len(standing.objects)
                )
                for i in fitting
            }
            best = max(fitting, key=lambda i: (len(held[i].intersection(asked)), -i))
            if only is not None and only not in held[best]:
                return
        attempts = drawing.failed.get(kind, 0) + 1
        if only is not None and badness[best] > 0:
            return
        lone = must and kind not in _counted(drawing)
        if badness[best] > 0 and not (lone and attempts >= self.options.rounds and badness[best] < 10):
            drawing.failed[kind] = attempts
            if not must or attempts >= 2 * self.options.rounds:
                drawing.banned.add(kind)
            return
        drawing.banned.clear()
        drawing.objects.append(candidates.objects[best])
        drawing.numbers.append(torch.cat([torch.tensor([kind]), numbers[best]]))

    def _add_related(self, drawing: _Drawing, least: Mapping[int, int], reading: Reading) -> bool:
        """Draws one more of a kind that is asked for in a relation that does not hold; False if none is to be tried."""
        names = [obj.name for obj in drawing.objects]
        held = relation_names(self._layout(drawing))
        for relation in reading.relations:
            if relation in held or relation in drawing.related or (relation[2] and relation[2] not in names):
                continue
            drawing.related.add(relation)
            kind = self.vocabulary.kinds.index(relation[0])
            if least.get(kind, 1) == 1:
                self._add(drawing, kind, False, reading, relation)
                return True
        return False

    def _layout(self, drawing: _Drawing) -> Layout:
        """What is drawn so far."""
        room = room_of_numbers(drawing.room.numpy(), self.vocabulary)
        return Layout(self.vocabulary.taxonomy, room, tuple(drawing.objects))

    def _conflict(self, obj: LayoutObject, others: Sequence[LayoutObject], room: LayoutRoom | None) -> float:
        if room is None:
            return street_rules.conflict(obj, others, self.sights)
        return layout_rules.conflict(obj, others, room, self.sights)

    def _colors_left(self, drawing: _Drawing, kind: str, reading: Reading) -> list[int]:
        """Colours in which a kind is asked for and not there yet."""
        left = [word for word in reading.colors(kind) if word in self.vocabulary.colors]
        for obj in drawing.objects:
            if obj.name == kind and obj.color_word in left:
                left.remove(obj.color_word)
        return [self.vocabulary.colors.index(word) for word in left]

    def _boxes(self, batch: LayoutBatch, states: Tensor, tries: int, colors: list[int], is_round: bool) -> Tensor:
        """(tries, 8) colour, one of `colors` if there are any, and `Ranges.geometry` of the last object."""
        prior = self.prior
        rows, before = len(states), batch.objects.shape[1] - 1
        anchors, boxes = prior.anchors(batch, states)
        anchors = anchors[:, : before + 1]
        boxes = Boxes(*(part[:, : before + 1] for part in boxes))
        mask = torch.ones(rows, tries, before + 1, dtype=torch.bool)
        state = states[:, -2:-1].expand(-1, tries, -1)
        said = self.matches.states[:, batch.objects[0, -1, 0]][:, None].expand(-1, tries, -1)
        numbers = torch.zeros(rows, tries, 8, dtype=torch.int64)
        for index, name in enumerate(prior.object_heads.names):
            logits = prior.object_heads.head(name, state)
            if name == "color":
                logits = logits + prior.color_logits(state, said)
                if colors:
                    others = torch.ones(logits.shape[-1], dtype=torch.bool)
                    others[colors] = False
                    logits = logits.masked_fill(others, -1e4)
            more = prior.place_logits(name, state, anchors, mask, boxes, batch.room_size, numbers[..., 1:])
            value = self._sampled(self._guided(logits if more is None else logits + more, name))
            if is_round and name == "depth":
                value = numbers[0, :, index - 1]
            numbers[..., index] = value
            state = prior.object_heads.embed_number(name, state, numbers[..., index])
        return numbers[0]

    def _guided(self, logits: Tensor, name: str) -> Tensor:
        """Logits (rows, tries, K) with and without the prompt to those that are drawn from, (tries, K)."""
        logits = logits.float()
        if not self.guided:
            return logits[0].clone()
        word = name == "kind" or name.endswith("color")
        place = name in ("back", "along")
        scale = self.options.text_scale if word else self.options.place_scale if place else 1.0
        conditional, unconditional = F.log_softmax(logits, -1)
        return unconditional + scale * (conditional - unconditional)

    def _sampled(self, logits: Tensor) -> Tensor:
        """One value for each row (tries, K), by temperature and nucleus."""
        shares = (logits / self.options.temperature).softmax(-1)
        ordered, order = torch.sort(shares, dim=-1, descending=True, stable=True)
        beyond = ordered.cumsum(-1) - ordered >= self.options.nucleus
        picked = torch.multinomial(ordered.masked_fill(beyond, 0.0), 1, generator=self.generator)
        return order.gather(-1, picked)[:, 0]


def _counted(drawing: _Drawing) -> dict[int, int]:
    kinds = [int(row[0]) for row in drawing.numbers]
    return {kind: kinds.count(kind) for kind in kinds}


def _missing(drawing: _Drawing, least: Mapping[int, int]) -> Sequence[int]:
    """Kinds that are wanted, too few as yet and not given up."""
    present = _counted(drawing)
    return [kind for kind, count in least.items() if present.get(kind, 0) < count and kind not in drawing.banned]
