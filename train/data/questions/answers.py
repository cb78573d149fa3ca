"""Whether the words of an answer are right: what its template was filled with, compared exactly."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from envs.errors import UserError
from envs.go.coords import gtp_to_point
from envs.rlbench.task import COLOURS
from train.data.questions.question import SLOT

_Fields = tuple[tuple[str, ...], ...]
LARGEST = 25  # points a side; a word is a coordinate if such a board has that point
_WORDS = re.compile(r"[a-z]+(?:-[a-z]+)*\d*|\d+", re.IGNORECASE)
_KINDS = {
    "colours": {*COLOURS, "pink"},
    "polarity": {"yes", "no", "not", "nothing", "empty", "pass"},
    "states": {
        "open", "closed", "on", "off", "up", "down", "left", "right", "upper", "lower", "top", "middle", "bottom",
        "leftmost", "rightmost", "smallest", "biggest", "middle-sized", "nearest", "largest",
    },
    "things": {
        "stone", "group", "area", "point", "liberty", "territory", "block", "drawer", "door", "handle", "button",
        "switch", "bulb", "led", "arm", "gripper", "box", "lid", "microwave", "knob", "plate", "fridge", "bottle",
        "parcel", "laptop", "screen", "keyboard", "touchpad", "toilet", "seat", "tank", "lamp", "foot", "chest", "base",
        "cap", "ball", "light", "table", "cabinet",
    },
}  # fmt: skip
_SINGULAR = {
    **{f"{word}s": word for word in _KINDS["things"]}, "liberties": "liberty", "boxes": "box", "chests": "chest",
}  # fmt: skip


def answer_fields(text: str) -> dict[str, tuple[str, ...]]:
    """What stands in an answer's fields, kind by kind, in the order of the text.

    Kinds: coordinates ("C3"), numbers, colours, polarity (yes, no, nothing ...), states (open, left ...) and things, in
    the singular. Words that only hold the sentence together are no fields.
    """
    fields: dict[str, list[str]] = {kind: [] for kind in ("coordinates", "numbers", *_KINDS)}
    for word in _WORDS.findall(text.replace(SLOT, " ")):
        low = word.lower()
        low = _SINGULAR.get(low, low)
        if low.isdigit():
            fields["numbers"].append(str(int(low)))
        elif _is_coordinate(word):
            fields["coordinates"].append(word.upper())
        else:
            for kind, words in _KINDS.items():
                if low in words:
                    fields[kind].append(low)
    return {kind: tuple(found) for kind, found in fields.items()}


def is_right(said: str, truth: str, targets: int | None = None) -> bool:
    """Whether an answer's words are those of the true one, field by field.

    targets: how many targets were answered with, where the text has no slots of its own; they must be as many as the
    truth's. Slots in `said` are counted where it is None and there are some.
    """
    slots = targets if targets is not None else said.count(SLOT) or None
    if slots is not None and slots != truth.count(SLOT):
        return False
    return answer_fields(said) == answer_fields(truth)


def is_right_in_any_order(said: str, truth: str, names: Sequence[str]) -> bool:
    """Whether an answer names the true one's targets, in whatever order, and is right otherwise.

    names: what each target is called in the true answer, right before its slot. An answer with another number of slots
    is wrong.
    """
    own, true = said.split(SLOT), truth.split(SLOT)
    if len(own) != len(true):
        return False
    named: Counter[_Fields] = Counter()
    for text, told, name in zip(own, true, names, strict=False):
        before = _as_key(told[: len(told) - len(name) - 1])  # "The white stones are " of "The white stones are C3 "
        fields = _as_key(text)
        if any(kind[: len(first)] != first for kind, first in zip(fields, before, strict=True)):
            return False
        named[tuple(kind[len(first) :] for kind, first in zip(fields, before, strict=True))] += 1
    return named == Counter(map(_as_key, names)) and answer_fields(own[-1]) == answer_fields(true[-1])


def _as_key(text: str) -> _Fields:
    return tuple(answer_fields(text).values())


def _is_coordinate(word: str) -> bool:
    if not word[-1].isdigit():
        return False
    try:
        gtp_to_point(word, LARGEST)
    except UserError:
        return False
    return True
