"""What the splits keep apart: the seeds of their scenes, and combinations that training never asks for."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from train.data.video import SPLITS, check_split

T = TypeVar("T")

HELD_OUT_SHARE = 0.35  # of the test questions that could ask for a held-out combination do
# (what is combined, its values): asked for in the test split alone.
HELD_OUT = frozenset(
    {
        ("corner", "white", "upper left"),
        ("corner", "black", "lower right"),
        ("edge", "black", "left"),
        ("edge", "white", "top"),
        ("row", "white", "4"),
        ("row", "black", "7"),
        ("column", "black", "D"),
        ("column", "white", "F"),
        ("liberties", "black", "3"),
        ("liberties", "white", "4"),
        ("cut points", "white"),
        ("largest", "black"),
        ("place", "blue", "drawer"),
        ("place", "pink", "cabinet"),
        ("side", "red block", "left", "drawer handle"),
        ("side", "pink block", "right", "drawer handle"),
        ("side", "blue block", "left", "button"),
        ("side", "red block", "right", "switch"),
        ("side", "pink block", "left", "switch"),
        ("side", "blue block", "right", "door handle"),
        ("beside", "blocks", "left", "light bulb"),
        ("beside", "blocks", "right", "LED"),
        ("beside", "balls", "left", "purple ball"),
        ("beside", "balls", "right", "cyan ball"),
        ("beside", "balls", "left", "orange ball"),
        ("beside", "balls", "right", "teal ball"),
        ("beside", "balls", "left", "navy ball"),
        ("base", "orange"),
        ("base", "teal"),
        ("base", "rose"),
    }
)


def scene_random(seed: int, split: str, source: str, number: int) -> np.random.Generator:
    """The generator of scene `number`; no two splits or sources share one."""
    check_split(split)
    return np.random.default_rng([seed, SPLITS.index(split), zlib.crc32(source.encode()), number])


class Draw:
    """Chance for one split: a generator that leaves held-out combinations to the test split."""

    def __init__(self, rng: np.random.Generator, split: str) -> None:
        check_split(split)
        self.rng, self.split = rng, split

    def one(self, options: Sequence[T]) -> T:
        """One of them, each as likely."""
        return options[int(self.rng.integers(len(options)))]

    def weighted(self, options: Sequence[tuple[T, float]]) -> T:
        """One of them, each as likely as its weight says."""
        weights = np.array([weight for _, weight in options])
        return options[int(self.rng.choice(len(options), p=weights / weights.sum()))][0]

    def some(self, options: Sequence[T], count: int) -> list[T]:
        """So many different ones."""
        return [options[int(index)] for index in self.rng.permutation(len(options))[:count]]

    def chance(self, share: float) -> bool:
        """Whether something happens that does in such a share of cases."""
        return bool(self.rng.random() < share)

    def combination(self, kind: str, options: Sequence[tuple[str, ...]]) -> tuple[str, ...] | None:
        """One of the combinations that this split may ask for, or None where there is none."""
        held_out = [option for option in options if (kind, *option) in HELD_OUT]
        if self.split == "test" and held_out and self.chance(HELD_OUT_SHARE):
            return self.one(held_out)
        allowed = [option for option in options if self.split == "test" or option not in held_out]
        return self.one(allowed) if allowed else None


def combination_name(kind: str, values: Sequence[str]) -> str:
    """How a question tells its combination."""
    return f"{kind}: {'/'.join(values)}"


def is_held_out(name: str) -> bool:
    """Whether a question's combination is one that training never asks for."""
    kind, _, values = name.partition(": ")
    return (kind, *values.split("/")) in HELD_OUT
