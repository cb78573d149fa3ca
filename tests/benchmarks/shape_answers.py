"""Questions about shapes, and answers to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from agents.pixellm.answers import Answer, Target
from benchmarks.pixel_scores import Score, score
from tests.agents.pixellm.shapes import shapes
from train.data.questions import SLOT, Question


def asked(number: int, count: int | None = None, **changes: Any) -> Question:
    """A question about shapes."""
    image, question, answer, masks = shapes(np.random.default_rng(number), number % 4 if count is None else count)
    names = tuple(part.removeprefix("There is ").removeprefix("and ").strip() for part in answer.split(SLOT)[:-1])
    told = {"family": "shapes", "source": "go", "split": "test", "combination": "", **changes}
    return Question(image, question, answer, masks, names, **told)


def perfect(question: Question) -> Answer:
    """The true answer, as a model gives it."""
    pieces = [piece.removesuffix(" ") for piece in question.answer.split(SLOT)]
    text, targets = pieces[0], []
    for name, mask, piece in zip(question.names, question.masks, pieces[1:], strict=True):
        targets.append(Target((len(text) - len(name), len(text)), mask, 1.0))
        text += piece
    return Answer(text, targets)


def silent(question: Question) -> Answer:
    """Nothing at all."""
    return Answer("", [])


def scores(answer: Callable[[Question], Answer] = perfect) -> list[Score]:
    """Eight questions, two each with 0 to 3 targets."""
    return [score(number, own, answer(own), own.masks) for number, own in enumerate(map(asked, range(8)))]
