"""The fixed test questions: a recipe, and checksums of what it makes.

The checksums are of blocks of a hundred questions, words apart from pixels, so that a test can look at a few of them
and a difference can be told. The recipe also says of which kind each question is, so that a part of them can be chosen
in which all kinds have their share.
"""

from __future__ import annotations

import hashlib
import json
import string
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
_LETTERS = string.ascii_letters + string.digits  # one for each kind, one for each number of targets


class FixedQuestions(Sequence[Question]):
    """The questions of a recipe, made when they are asked for.

    Attributes:
        kinds: of each question, source and family as "go atari", and how many targets it has.
    """

    def __init__(self, recipe: Path = RECIPE) -> None:
        """Read a recipe; UserError where it is none."""
        try:
            values = json.loads(recipe.read_text(encoding="utf-8"))
            self._count = int(values["count"])
            self.config = QuestionConfig(**values["config"])
            self.words, self.pixels = list(values["words"]), list(values["pixels"])
            kinds = [values["kinds"][_LETTERS.index(letter)] for letter in "".join(values["kind"])]
            targets = [_LETTERS.index(letter) for letter in "".join(values["targets"])]
            self.kinds: list[tuple[str, int]] = list(zip(kinds, targets, strict=True))
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

    def spread(self, count: int) -> list[int]:
        """The numbers of `count` questions, ascending, in which every kind and number of targets has its share.

        Raises:
            UserError: there are not so many.
        """
        if not 1 <= count <= self._count:
            raise UserError(f"{count} questions of {self._count}: give 1 to {self._count}")
        # Every so many in a row of all, kind by kind
        ordered = sorted(range(self._count), key=lambda number: (self.kinds[number], number))
        return sorted(ordered[int((place + 0.5) * self._count / count)] for place in range(count))

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
    sums: list[tuple[str, str]] = []
    kinds: list[list[str]] = []
    targets: list[list[int]] = []
    for first in range(0, FIXED, BLOCK):
        block = [questions.fixed(number) for number in range(first, first + BLOCK)]
        sums.append(checksums(block))
        kinds.append([f"{own.source} {own.family}" for own in block])
        targets.append([len(own.masks) for own in block])
    named = sorted({kind for block in kinds for kind in block})
    values = {
        "split": SPLIT, "count": FIXED, "several_targets": sum(count > 1 for block in targets for count in block),
        "config": asdict(config), "block": BLOCK,
        "words": [own for own, _ in sums], "pixels": [own for _, own in sums], "kinds": named,
        "kind": ["".join(_LETTERS[named.index(kind)] for kind in block) for block in kinds],
        "targets": ["".join(_LETTERS[count] for count in block) for block in targets],
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_bytes(path, (json.dumps(values, indent=1) + "\n").encode())
