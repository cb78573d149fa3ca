"""What Go boards and tabletops are asked in the same way: to show, to count, and whether there are any."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from train.data.questions.question import MAX_TARGETS, enumeration, marked
from train.data.questions.splits import Draw


@dataclass(frozen=True)
class Made:
    """A question in words.

    targets: each one's name and what its mask is made of, in the order of the slots. about: other things that it is
    about, such as those that are counted, in the same form; None: neither they nor the targets' places are for a model
    to learn.
    """

    family: str
    question: str
    answer: str
    targets: tuple[tuple[str, Any], ...] = ()
    combination: str = ""
    about: tuple[tuple[str, Any], ...] | None = ()


@dataclass(frozen=True)
class Subject:
    """What may be asked for: things of one kind that satisfy a condition, such as the white stones in atari.

    targets: as in `Made`, in reading order. others: other ways to say singular and plural, for training questions.
    """

    kind: str
    singular: str
    plural: str
    targets: Sequence[tuple[str, Any]]
    combination: str = ""
    others: tuple[tuple[str, str], ...] = ()


_OTHERWISE, _TURNED_SHARE = 0.5, 0.25  # shares of training questions that are put otherwise, of those that can be
_SHOW = (
    "Where are the {many}?",
    "Which are the {many}?",
    "Show me the {many}.",
    "Point out all {many}.",
    "Mark every {one}.",
    "Find the {many}.",
    "Can you show all the {many}?",
    "I am looking for the {many}.",
)
_COUNT = (
    "How many {many} are there?",
    "Count the {many}.",
    "What is the number of {many}?",
    "Tell me how many {many} you see.",
)
_ANY = (
    "Are there any {many}?",
    "Is there {a_one}?",
    "Do you see any {many}?",
    "Is there at least one {one}?",
)
# With the noun apart, as in "Which white stones are on row 5?"; in training alone, as are a subject's other names
_TURNED = {
    "show": ("Which {nouns} {do}?", "What {nouns} {do}?", "Show me which {nouns} {do}.", "Tell me which {nouns} {do}."),
    "count": ("How many {nouns} {do}?", "How many of the {nouns} {do}?"),
    "any": ("Is it so that any {nouns} {do}?", "Can you tell whether any {nouns} {do}?"),
}
_NOUNS = re.compile(r"((?:(?! of )[^,])+?) (with|on|in|along|at|to(?= the)|between) (.+)")
_TEMPLATES = {"show": _SHOW, "count": _COUNT, "any": _ANY}


def listing(singular: str, plural: str, names: Sequence[str]) -> str:
    """The answer that names all of them."""
    if not names:
        return f"There are no {plural}."
    if len(names) == 1:
        return f"The only {singular} is {marked(names[0])}."
    return f"The {plural} are {enumeration([marked(name) for name in names])}."


def show(subject: Subject, draw: Draw) -> Made | None:
    """Ask for all of them; None where they are more than an answer can hold."""
    if len(subject.targets) > MAX_TARGETS:
        return None
    answer = listing(subject.singular, subject.plural, [name for name, _ in subject.targets])
    return Made(subject.kind, _worded("show", subject, draw), answer, tuple(subject.targets), subject.combination)


def count(subject: Subject, draw: Draw) -> Made | None:
    """Ask how many there are."""
    number = len(subject.targets)
    if number > MAX_TARGETS:
        return None
    there = f"There is 1 {subject.singular}." if number == 1 else f"There are {number} {subject.plural}."
    return Made("count", _worded("count", subject, draw), there, (), subject.combination, tuple(subject.targets))


def is_any(subject: Subject, draw: Draw) -> Made:
    """Ask whether there are any."""
    answer = (
        f"Yes, there is {with_article(subject.singular)}." if subject.targets else f"No, there are no {subject.plural}."
    )
    return Made("any", _worded("any", subject, draw), answer, (), subject.combination, tuple(subject.targets))


def ask(subject: Subject | None, draw: Draw, kinds: str) -> Made | None:
    """One of the three, as drawn; kinds: their letters, as often as they are likely: s(how), c(ount), a(ny)."""
    if subject is None:
        return None
    return {"s": show, "c": count, "a": is_any}[draw.one(kinds)](subject, draw)


def _worded(way: str, subject: Subject, draw: Draw) -> str:
    one, many = subject.singular, subject.plural
    template = draw.one(_TEMPLATES[way])
    if draw.split == "train":
        if subject.others and draw.chance(_OTHERWISE):
            one, many = draw.one(subject.others)
        found = _NOUNS.fullmatch(many)
        if found and draw.chance(_TURNED_SHARE):
            nouns, link, rest = found.groups()
            return draw.one(_TURNED[way]).format(
                nouns=nouns, do=f"have {rest}" if link == "with" else f"are {link} {rest}"
            )
    return template.format(one=one, a_one=with_article(one), many=many)


def with_article(noun: str) -> str:
    """ "a stone", "an area"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
