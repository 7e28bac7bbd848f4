"""Flat objects among what is perceived: panes, pictures, curtains and rugs, and the walls and floors of rooms."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from occscene_server.geometry.placed_objects import PlacedObjects

_PLACED = 0.5
"""Log-odds for the layers in which an object was placed, against the neighbouring ones."""
_COUPLING = 2.0
"""Log-odds that a neighbour in the same layer adds or takes; chosen, as the others, on 20 validation rooms."""
SEEN = 3.0
"""Limit of the log-odds of perception, for all objects."""
_LEAST_LEFT = 0.5
"""Share of an object that must be left for what perception makes of it to count."""
_RIM = 2
"""Width in voxels of the rim around an object by which perception blurs its outline; the rim is not the object's."""
_SWEEPS = 4


def relaxed(known: Tensor, number: Tensor, coupling: float) -> Tensor:
    """Mean-field log-odds (X, Y, Z) of voxels that pull on their six neighbours of the same number, and on no others.

    The fixed point of l_i = k_i + c sum_j tanh(l_j / 2), over the neighbours j of voxel i, by `_SWEEPS` iterations.

    Args:
        known: (X, Y, Z) log-odds of each voxel by itself.
        number: (X, Y, Z) voxels below 0 have no neighbours.
        coupling: log-odds that a sure neighbour adds; >= 0, so that the result rises with all of `known`.
    """
    links = []
    for axis, side in enumerate(number.shape):
        low, high = (number.narrow(axis, start, max(side - 1, 0)) for start in (0, min(1, side)))
        links.append((low == high) & (low >= 0))
    belief = known
    for _ in range(_SWEEPS):
        pull = (belief / 2).tanh()
        belief = known.clone()
        for axis, same in enumerate(links):
            count = same.shape[axis]
            last = number.shape[axis] - count
            belief.narrow(axis, 0, count).add_(pull.narrow(axis, last, count) * same, alpha=coupling)
            belief.narrow(axis, last, count).add_(pull.narrow(axis, 0, count) * same, alpha=coupling)
    return belief


def settle(objects: PlacedObjects, index: int, logits: Tensor, labels: Tensor, whole: bool) -> None:
    """Puts one flat object into the classes that are perceived, (X, Y, Z), in place.

    It may be moved by a voxel and thinned, and gets no rim. Smaller flat objects and all that is not flat are in its
    way.

    Args:
        objects: of the scene.
        index: of the object.
        logits: (classes, X, Y, Z) as perceived.
        labels: (X, Y, Z) uint8.
        whole: it keeps its outline, as a picture does. Otherwise, as a wall with openings, it may be trimmed, without
            slits; if less than half of it would be left, it is as it was placed.
    """
    across, label = int(objects.thin[:, index].nonzero()), int(objects.classes[index])
    reach = [1 if axis == across else _RIM for axis in range(3)]
    place = tuple(
        slice(max(side.start - r, 0), side.stop + r) for side, r in zip(objects.box(index), reach, strict=True)
    )
    number = objects.number[place]
    own = number == index
    reachable = own.clone()
    for start in (0, 1):
        count = own.shape[across] - 1
        reachable.narrow(across, start, count).logical_or_(own.narrow(across, 1 - start, count))
    in_the_way = objects.named & ~(objects.flat & ~objects.modelled & (objects.size > objects.size[index]))
    reachable &= own | ~in_the_way[number]
    here = logits[(slice(None), *place)]
    share = (here[label] - here.logsumexp(0)).clamp(-30.0, -1e-6)
    evidence = (share - (-share.expm1()).log()).clamp(-SEEN, SEEN)
    if not whole:  # a wall goes on around what hangs on it
        hung = (objects.flat & (objects.size < objects.size[index]))[number].float()
        near = F.max_pool3d(hung[None], 2 * _RIM + 1, 1, _RIM)[0] > 0
        evidence = torch.where(near, evidence.clamp_min(0.0), evidence)
    known = evidence + torch.where(own, _PLACED, -_PLACED)
    shown = (_likeliest_layers if whole else _relaxed_layers)(known, own, reachable, across)
    placed = objects.classes[number]
    others = here.clone()
    others[label] = -torch.inf
    now = labels[place]
    blur = (reachable | (placed != label)) & ~shown & (now == label)  # what is placed there shows through
    now = torch.where(blur, torch.where((placed > 0) & (placed != label), placed, others.argmax(0)).to(now.dtype), now)
    labels[place] = torch.where(shown, label, now)


def _likeliest_layers(known: Tensor, own: Tensor, reachable: Tensor, across: int) -> Tensor:
    """The likeliest of all ways (x, y, z) in which an object with its whole outline is at most as thick as placed."""
    others = [axis for axis in range(3) if axis != across]
    layers = (known * reachable).sum(others).tolist()
    reached = own.any(others[1]).any(others[0]).nonzero()[:, 0]
    thickness = int(reached.max() - reached.min()) + 1
    ways = [
        (sum(layers[first:end]), -first, end)
        for first in range(len(layers))
        for end in range(first + 1, min(first + thickness, len(layers)) + 1)
    ]
    _, first, end = max(ways)
    shown = torch.zeros_like(reachable)
    shown.narrow(across, -first, end + first).copy_(reachable.narrow(across, -first, end + first))
    return shown


def _relaxed_layers(known: Tensor, own: Tensor, reachable: Tensor, across: int) -> Tensor:
    """The voxels (x, y, z) that are likely with their neighbours in the same layer, without slits."""
    layer = torch.arange(own.shape[across], device=own.device).view([-1 if axis == across else 1 for axis in range(3)])
    shown = (relaxed(known, torch.where(reachable, layer, -1), _COUPLING) > 0) & reachable
    return own if shown.any(across).sum() < _LEAST_LEFT * own.any(across).sum() else shown
