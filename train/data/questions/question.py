"""A question about a frame: what is asked, what is answered, and a mask for every target that the answer names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.pixellm.config import FRAME_SIDE

SLOT = "{seg}"
MAX_TARGETS = 20
SIDE = FRAME_SIDE  # px; no frame is wider or higher


@dataclass(frozen=True, eq=False)
class Question:
    """One pair with its frame.

    image: uint8 (H, W, 3). answer: every target's phrase is followed by one slot "{seg}". masks: bool (K, H, W), in the
    order of the slots, none of them empty; K is 0 to 20. names: what each target is called in the answer, right before
    its slot. source: where the frame is from. combination: what is asked for together, such as "corner: white/upper
    left", by which some questions are held out of training; "" where nothing is. labels: int8 (H, W, C), classes that
    the pixels are of, -1 where that is not known; None where nothing is. places: float32 (n, 2), x and y in px of the
    things that it is about, of each the point it is called after, or its middle: first the K targets, in their order,
    then others, such as those that are counted; None where they are not known.

    Raises:
        ValueError: slots, names, masks and places do not go together.
    """

    image: np.ndarray
    question: str
    answer: str
    masks: np.ndarray
    names: tuple[str, ...]
    family: str
    source: str
    split: str
    combination: str = ""
    labels: np.ndarray | None = None
    places: np.ndarray | None = None

    def __post_init__(self) -> None:
        slots = self.answer.count(SLOT)
        if not slots == len(self.masks) == len(self.names) <= MAX_TARGETS:
            raise ValueError(f"{slots} slots, {len(self.masks)} masks and {len(self.names)} names do not go together")
        if self.image.dtype != np.uint8 or self.image.ndim != 3 or self.image.shape[2] != 3:
            raise ValueError(f"a frame is uint8 (H, W, 3), not {self.image.dtype} {self.image.shape}")
        if self.masks.dtype != np.bool_ or self.masks.shape[1:] != self.image.shape[:2]:
            raise ValueError(f"masks {self.masks.dtype} {self.masks.shape} do not fit a frame {self.image.shape}")
        if self.labels is not None and self.labels.shape[:2] != self.image.shape[:2]:
            raise ValueError(f"labels {self.labels.shape} do not fit a frame {self.image.shape}")
        if self.places is not None and (self.places.shape[1:] != (2,) or len(self.places) < slots):
            raise ValueError(f"places {self.places.shape} do not go with {slots} slots")
        if not self.masks.any((1, 2)).all():
            raise ValueError("a target has an empty mask")
        before = self.answer.split(SLOT)
        for name, text in zip(self.names, before[:-1], strict=True):
            if not text.endswith(f"{name} "):
                raise ValueError(f"the slot of {name!r} does not follow its name in {self.answer!r}")


def stack_masks(masks: Sequence[np.ndarray], shape: Sequence[int]) -> np.ndarray:
    """Masks bool (H, W) -> (K, H, W), also where there are none; shape: of the frame."""
    return np.stack(masks) if len(masks) else np.zeros((0, *shape[:2]), np.bool_)


def as_places(places: Sequence[tuple[float, float]]) -> np.ndarray:
    """x and y of things, float32 (n, 2), also where there are none."""
    return np.array(places, np.float32).reshape(-1, 2)


def marked(name: str) -> str:
    """A target's name with its slot behind it."""
    return f"{name} {SLOT}"


def enumeration(parts: Sequence[str]) -> str:
    """ "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
