"""Other words for a question that has been made, so that a model listens to what is asked and not to how.

The makers' own wordings are few, because the fixed test questions keep theirs; people have many. Training questions are
put otherwise in a share of cases (`QuestionConfig.reworded`). Some wordings are left to measuring: training has none of
those in `_Way.unseen` (`python -m benchmarks.pixels --reworded`). What is asked, and so the answer, stays as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from train.data.questions.splits import Draw


@dataclass(frozen=True)
class _Way:
    """A way to ask: the makers' wordings of it, and others, whose {} is what a group of the pattern has found."""

    pattern: re.Pattern[str]
    seen: tuple[str, ...]
    unseen: tuple[str, ...]


_WAYS = (
    # All of them
    _Way(
        re.compile(r"(?:Where|Which) are the (.+)\?|Point out all (.+)\.|Can you show all the (.+)\?"),
        (
            "Highlight the {}.",
            "Highlight all {}.",
            "Locate all {}.",
            "Show all {}.",
            "Please show me all {}.",
            "Which {} are there?",
            "What {} are there?",
            "Where are all the {}?",
            "Could you point out the {}?",
            "Let me see the {}.",
            "I want to see the {}.",
            "Name the {}.",
            "List all {}.",
            "The {}, please.",
        ),
        ("Which {} can you see?", "Please highlight all {}.", "Where do you see {}?", "Give me all the {}."),
    ),
    _Way(
        re.compile(r"Mark every (.+)\."),
        ("Highlight every {}.", "Show every {}.", "Point out each {}.", "Find every {}."),
        ("Locate each {}.", "Please mark each {}."),
    ),
    # One of them, or as many as there are
    _Way(
        re.compile(r"(?:Where|Which) is the (.+)\?|(?:Show me|Find|Mark|Point to|I am looking for) the (.+)\."),
        (
            "Highlight the {}.",
            "Locate the {}.",
            "Please mark the {}.",
            "Could you show me the {}?",
            "Can you find the {}?",
            "Let me see the {}.",
            "I want to see the {}.",
            "Where can I find the {}?",
            "Point at the {}.",
            "The {}, please.",
        ),
        ("Please find the {}.", "Could you locate the {}?", "Where do you see the {}?", "Can you mark the {} for me?"),
    ),
    _Way(
        re.compile(
            r"(?:How many (.+) are there|What is the number of (.+))\?"
            r"|(?:Tell me how many (.+) you see|Count the (?!territory)(.+))\."
        ),
        (
            "How many {} do you see?",
            "How many {} can you see?",
            "How many {} are here?",
            "Please count the {}.",
            "Could you count the {}?",
            "Give me the number of {}.",
            "Count all {}.",
        ),
        ("How many {} can you count?", "Can you count the {}?", "What number of {} do you see?"),
    ),
    _Way(
        re.compile(r"(?:Are there|Do you see) any (.+)\?"),
        ("Can you see any {}?", "Are any {} there?", "Are there {}?", "Tell me if there are any {}.", "Any {}?"),
        ("Do any {} show?", "Are there any {} to be seen?", "Can any {} be seen?"),
    ),
    _Way(
        re.compile(r"Is there (an? .+)\?"),
        ("Can you see {}?", "Tell me if there is {}.", "Can I see {}?"),
        ("Could there be {}?", "Do you think there is {}?"),
    ),
    _Way(
        re.compile(r"(?:What|Which part) do I \w+ to (.+)\?"),
        ("How do I {}?", "How can I {}?", "I want to {}.", "How could the robot {}?"),
        ("How would you {}?", "Show me how to {}."),
    ),
)
_NUMBERS = {"2": "two", "3": "three", "4": "four", "5": "five", "6": "six"}
_SYNONYMS = (
    (re.compile(r"\bnearest\b"), {"nearest": "closest"}),
    (re.compile(r"\blargest\b"), {"largest": "biggest"}),
    (re.compile(r"(?<=with )[2-6](?= liberties)"), _NUMBERS),
)
_SYNONYM_SHARE = 0.5  # of the words that have one


def reworded(question: str, draw: Draw, *, unseen: bool = False) -> str:
    """The question in other words, or as it is where there are none.

    unseen: in those that training leaves out.
    """
    for way in _WAYS:
        found = way.pattern.fullmatch(question)
        if found:
            what = next(group for group in found.groups() if group)
            question = draw.one(way.unseen if unseen else way.seen).format(what)
            break
    for pattern, others in _SYNONYMS:
        word = None if unseen else pattern.search(question)
        if word and draw.chance(_SYNONYM_SHARE):
            question = pattern.sub(others[word[0]], question)
    return question
