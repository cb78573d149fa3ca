"""Questions about a tabletop: things by name, kinds of things, relations, states, the part to use."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from train.data.questions.question import Question, as_places, enumeration, marked, stack_masks
from train.data.questions.splits import Draw, combination_name
from train.data.questions.subjects import Made, Subject, ask, listing
from train.data.questions.tabletops import Tabletop, middle

ROBOT = ("robot arm", "gripper")  # in every picture, so they are asked for less often
MOST_NAMED = 8  # things in one question
# Of training questions about sides, so many are about other things than those that held-out combinations are made of
OTHERS_SHARE = 0.4
_WHERE = (
    "Where is the {}?",
    "Show me the {}.",
    "Point to the {}.",
    "Find the {}.",
    "Mark the {}.",
    "Can you see the {}?",
)
_ALL = ("Show {}.", "Where are {}?", "Mark {}.", "Point out {}.", "Find {}.", "I need {}.")
_USE = (
    "What do I {verb} to {doing}?",
    "Which part do I {verb} to {doing}?",
    "I want to {doing}: what do I {verb}?",
    "To {doing}, what should the robot {verb}?",
    "Which part is needed to {doing}?",
    "Show what to use to {doing}.",
)


def _targets(top: Tabletop, names: Sequence[str], article: str = "") -> tuple[tuple[str, np.ndarray], ...]:
    return tuple((f"{article}{seen.name}", seen.mask) for seen in top.left_to_right(names))


def find(top: Tabletop, draw: Draw) -> Made:
    """One thing by its name."""
    others = [name for name in top.things if name not in ROBOT]
    name = draw.one(others if others and draw.chance(0.8) else tuple(top.things))
    called = f"the {name}"
    return Made("find", draw.one(_WHERE).format(name), f"This is {marked(called)}.", ((called, top.things[name].mask),))


def several(top: Tabletop, draw: Draw) -> Made | None:
    """Several things by their names; none is a part of another, so that no pixel has two answers."""
    wanted = int(draw.rng.integers(2, MOST_NAMED + 1))
    names: list[str] = []
    taken = np.zeros(top.image.shape[:2], np.bool_)
    for name in draw.some(tuple(top.things), len(top.things)):
        mask = top.things[name].mask
        if len(names) < wanted and not (mask & taken).any():
            names.append(name)
            taken |= mask
    if len(names) < 2:
        return None
    asked = draw.one(_ALL).format(enumeration([f"the {name}" for name in names]))
    found = _targets(top, names, "the ")
    return Made("several", asked, f"Here are {enumeration([marked(name) for name, _ in found])}.", found)


def kind(top: Tabletop, draw: Draw) -> Made | None:
    """Things of a kind: to show, to count, or whether there are any."""
    if not top.kinds:
        return None
    drawn = draw.one(top.kinds)
    subject = Subject("kind", drawn.singular, drawn.plural, _targets(top, drawn.members, "the "))
    return ask(subject, draw, "sssca")


def absent(top: Tabletop, draw: Draw) -> Made | None:
    """Something that is not there."""
    if not top.absent:
        return None
    one, many = draw.one(top.absent)
    if draw.chance(0.5):
        asked = draw.one(_WHERE).format(one)
        return Made("absent", asked, f"There is no {one} here.")
    asked = draw.one(("Where are the {}?", "Show me the {}.", "Do you see any {}?", "Which are the {}?")).format(many)
    return Made("absent", asked, listing(one, many, []))


def state(top: Tabletop, draw: Draw) -> Made | None:
    """Whether something is so."""
    wanted = draw.chance(0.5)
    options = [state for state in top.states if state.truth == wanted] or top.states
    if not options:
        return None
    drawn = draw.one(options)
    if drawn.combination and draw.combination(drawn.combination[0], [drawn.combination[1:]]) is None:
        return None
    seen = [name for name in drawn.things if name in top.things]
    return Made(
        "state",
        draw.one(drawn.questions),
        drawn.yes if drawn.truth else drawn.no,
        combination=_named(drawn.combination),
        about=_targets(top, seen) if seen else None,
    )


def attribute(top: Tabletop, draw: Draw) -> Made | None:
    """What colour, how large, in which state something is, and where."""
    options = [attribute for attribute in top.attributes if attribute.thing in top.things]
    if not options:
        return None
    drawn = draw.one(options)
    if drawn.combination and draw.combination(drawn.combination[0], [drawn.combination[1:]]) is None:
        return None
    answer = drawn.answer.format(marked(drawn.thing))
    targets = ((drawn.thing, top.things[drawn.thing].mask),)
    return Made("attribute", draw.one(drawn.questions), answer, targets, _named(drawn.combination))


def use(top: Tabletop, draw: Draw) -> Made | None:
    """The part for an instruction."""
    options = [use for use in top.uses if use.part in top.things]
    if not options:
        return None
    drawn = draw.one(options)
    asked = draw.one(_USE).format(verb=drawn.verb, doing=draw.one(drawn.doing))
    return Made("use", asked, drawn.answer.format(marked(drawn.part)), ((drawn.part, top.things[drawn.part].mask),))


def beside(top: Tabletop, draw: Draw) -> Made | None:
    """What is to the left or right of something; none where that is not clear for all of them."""
    if draw.split == "train" and draw.chance(OTHERS_SHARE):
        return _kind_beside(top, draw)
    one, many = top.movable_words
    anchors = [name for name in top.anchors if name in top.things]
    drawn = draw.combination("beside", [(many, side, anchor) for side in ("left", "right") for anchor in anchors])
    if drawn is None or not top.movable:
        return None
    _, side, anchor = drawn
    sides = {name: top.beside(name, anchor) for name in top.movable if name != anchor}
    if None in sides.values():
        return None
    there = [name for name, own in sides.items() if own == side]
    where = f"to the {side} of the {anchor}"
    subject = Subject(
        "beside", f"{one} {where}", f"{many} {where}", _targets(top, there, "the "), _named(("beside", *drawn))
    )
    return ask(subject, draw, "sssca")


def _kind_beside(top: Tabletop, draw: Draw) -> Made | None:
    """The same of handles, lights, knobs and the like; for training."""
    kinds = [
        kind for kind in top.kinds if kind.members and " " not in kind.plural and kind.plural != top.movable_words[1]
    ]
    if not kinds:
        return None
    kind = draw.one(kinds)
    anchors = [name for name in top.things if name not in (*kind.members, *ROBOT)]
    if not anchors:
        return None
    anchor, side = draw.one(anchors), draw.one(("left", "right"))
    sides = {name: top.beside(name, anchor) for name in kind.members}
    if None in sides.values():
        return None
    there, where = [name for name, own in sides.items() if own == side], f"to the {side} of the {anchor}"
    subject = Subject("beside", f"{kind.singular} {where}", f"{kind.plural} {where}", _targets(top, there, "the "))
    return ask(subject, draw, "sssca")


def on_side(top: Tabletop, draw: Draw) -> Made | None:
    """Whether a thing is to the left or right of another, or on which side."""
    if draw.split == "train" and draw.chance(OTHERS_SHARE):
        named = tuple(name for name in top.things if name not in (*top.movable, *ROBOT))
        anchors = top.anchors or named  # most of RLBench's scenes have nothing that moves, and no anchors
    else:
        named, anchors = top.movable, top.anchors
    options = [(name, anchor) for name in named for anchor in anchors if anchor in top.things and name != anchor]
    clear = [(name, anchor) for name, anchor in options if top.beside(name, anchor)]
    sides = [(name, side, anchor) for name, anchor in clear for side in ("left", "right")]
    drawn = draw.combination("side", sides) if sides else None
    if drawn is None:
        return None
    name, side, anchor = drawn
    real = top.beside(name, anchor)
    asked = draw.one(
        (
            "Is the {0} to the {1} of the {2}?",
            "Does the {0} lie to the {1} of the {2}?",
            "Would you find the {0} on the {1} side of the {2}?",
        )
    ).format(name, side, anchor)
    answer = f"{'Yes' if real == side else 'No'}, the {name} is to the {real} of the {anchor}."
    return Made("side", asked, answer, combination=_named(("side", *drawn)), about=_targets(top, (name, anchor)))


def nearest(top: Tabletop, draw: Draw) -> Made | None:
    """The thing that is nearest to another in the picture, where that is clear."""
    anchors = [name for name in top.anchors if name in top.things]
    if not anchors:
        return None
    anchor = draw.one(anchors)
    x, y = top.things[anchor].middle
    far = sorted(
        (float(np.hypot(top.things[name].middle[0] - x, top.things[name].middle[1] - y)), name)
        for name in top.movable
        if name != anchor
    )
    if len(far) < 2 or far[1][0] < 1.25 * far[0][0]:
        return None
    what = f"{top.movable_words[0]} nearest to the {anchor}"
    asked = draw.one(("Which is the {}?", "Show me the {}.", "Find the {}.", "Point to the {}.")).format(what)
    called = f"the {far[0][1]}"
    found = ((called, top.things[far[0][1]].mask),)
    return Made("nearest", asked, f"The {what} is {marked(called)}.", found)


# Each with how often it is drawn.
FAMILIES: tuple[tuple[Callable[[Tabletop, Draw], Made | None], float], ...] = (
    (find, 3),
    (several, 3),
    (kind, 4),
    (absent, 1),
    (state, 2),
    (attribute, 2),
    (use, 3),
    (beside, 3),
    (on_side, 1),
    (nearest, 1),
)


def make_question(top: Tabletop, draw: Draw) -> Made | None:
    """A question of a family that is drawn; None where this table has nothing to ask so."""
    return draw.weighted(FAMILIES)(top, draw)


def finish(top: Tabletop, made: Made, split: str) -> Question:
    """The question with its frame and masks."""
    about = None if made.about is None else made.targets + made.about
    # A middle is a mean of pixels' numbers, and pixel 0 lies from 0 to 1
    places = None if about is None else as_places([middle(mask) for _, mask in about]) + 0.5
    return Question(
        top.image, made.question, made.answer, stack_masks([mask for _, mask in made.targets], top.image.shape),
        tuple(name for name, _ in made.targets), made.family, top.source, split, made.combination, top.labels, places,
    )  # fmt: skip


def _named(combination: tuple[str, ...]) -> str:
    return combination_name(combination[0], combination[1:]) if combination else ""
