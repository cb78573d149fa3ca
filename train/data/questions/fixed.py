"""The fixed test questions: a recipe, and checksums of what it makes.

The checksums are of blocks of a hundred questions, words apart from pixels, so that a test can look at a few of them
and a difference can be told.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from envs.errors import UserError
from envs.files import replace_bytes
from train.data.go_records import ASSETS
from train.data.questions.generator import FIXED, QuestionConfig, QuestionSet
from train.data.questions.question import Question

RECIPE = ASSETS / "benchmarks" / "questions.json"
SPLIT = "test"
BLOCK = 100  # questions of a checksum


class FixedQuestions(Sequence[Question]):
    """The questions of a recipe, made when they are asked for."""

    def __init__(self, recipe: Path = RECIPE) -> None:
        """Read a recipe; UserError where it is none."""
        try:
            values = json.loads(recipe.read_text(encoding="utf-8"))
            self._count = int(values["count"])
            self.config = QuestionConfig(**values["config"])
            self.words, self.pixels = list(values["words"]), list(values["pixels"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{recipe} is no recipe of questions ({error}): restore assets/benchmarks") from error
        self._set = QuestionSet(self.config, SPLIT)

    def __len__(self) -> int:
        """How many there are."""
        return self._count

    def __getitem__(self, number: int) -> Question:  # type: ignore[override]
        """Question `number`; IndexError beyond the last."""
        if not 0 <= number < self._count:
            raise IndexError(number)
        return self._set.fixed(number)

    def __iter__(self) -> Iterator[Question]:
        """All of them, in order."""
        return (self[number] for number in range(self._count))

    def differing(self, blocks: Sequence[int]) -> list[str]:
        """Which of the blocks do not have the recipe's checksums, such as "pixels of 300 to 399"."""
        found = []
        for block in blocks:
            first = block * BLOCK
            sums = checksums([self[number] for number in range(first, min(first + BLOCK, self._count))])
            for kind, own, wanted in zip(("words", "pixels"), sums, (self.words, self.pixels), strict=True):
                if own != wanted[block]:
                    found.append(f"{kind} of {first} to {first + BLOCK - 1}")
        return found


def checksums(questions: Sequence[Question]) -> tuple[str, str]:
    """Of the words, and of frames and masks."""
    words, pixels = hashlib.sha256(), hashlib.sha256()
    for own in questions:
        parts = (own.question, own.answer, *own.names, own.family, own.source, own.combination)
        words.update("\n".join(parts).encode() + b"\0")
        pixels.update(repr(own.masks.shape).encode() + own.image.tobytes() + np.packbits(own.masks).tobytes())
    return words.hexdigest()[:16], pixels.hexdigest()[:16]


def write_recipe(path: Path = RECIPE, config: QuestionConfig | None = None) -> None:
    """Make all fixed questions and write their recipe."""
    config = config or QuestionConfig()
    questions = QuestionSet(config, SPLIT)
    sums, several = [], 0
    for first in range(0, FIXED, BLOCK):
        block = [questions.fixed(number) for number in range(first, first + BLOCK)]
        several += sum(len(own.masks) > 1 for own in block)
        sums.append(checksums(block))
    values = {
        "split": SPLIT, "count": FIXED, "several_targets": several, "config": asdict(config), "block": BLOCK,
        "words": [own for own, _ in sums], "pixels": [own for _, own in sums],
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_bytes(path, (json.dumps(values, indent=1) + "\n").encode())
