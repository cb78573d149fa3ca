"""What the built-in tasks are called in words, and the way back from words to a task."""

from __future__ import annotations

import difflib
import re
from typing import NamedTuple

import numpy as np

from envs.errors import UserError
from envs.rlbench.task import Words
from envs.rlbench.tasks import check_variation, task_named, task_names


class Meaning(NamedTuple):
    """What a sentence asks for: a task, and the variations of it that it may mean."""

    task: str
    variations: tuple[int, ...]


def words_of(task: str, variation: int = 0) -> Words:
    """All sentences of a variation; UserError if there is none."""
    return task_named(task).words[check_variation(task, variation)]


def sentences_for(task: str, variation: int = 0, *, held_out: bool = False) -> tuple[str, ...]:
    """The sentences that training data ask for a variation in: ours; or those that are held out of them.

    The protocol's sentence is in neither: it is for the evaluation alone.
    """
    words = words_of(task, variation)
    return words.held_out if held_out else words.own


def instruction_for(task: str, variation: int = 0, random: np.random.Generator | None = None) -> str:
    """The protocol's sentence for a variation, or with a generator one of our paraphrases for training."""
    words = words_of(task, variation)
    return words.protocol if random is None else words.own[int(random.integers(len(words.own)))]


def meaning_of(instruction: str) -> Meaning:
    """What an instruction asks for: a task's name, or any of the sentences, in any case.

    Raises:
        UserError: no task is asked for in these words.
    """
    meanings = _meanings()
    words = _plain(str(instruction))
    if words in meanings:
        return meanings[words]
    near = difflib.get_close_matches(words, meanings, 1, 0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"say {words_of(task_names()[0]).protocol!r}"
    raise UserError(f"instruction {instruction!r} asks for no known task; {hint}")


def _meanings() -> dict[str, Meaning]:
    found: dict[str, Meaning] = {}
    for name in task_names():
        all_words = task_named(name).words
        found[_plain(name)] = Meaning(name, tuple(range(len(all_words))))
        for variation, words in enumerate(all_words):
            for text in (words.protocol, *words.own, *words.held_out):
                before = found.get(_plain(text), Meaning(name, ()))
                found[_plain(text)] = Meaning(name, (*(v for v in before.variations if v != variation), variation))
    return found


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z]+", text.lower().replace("_", " ")))
