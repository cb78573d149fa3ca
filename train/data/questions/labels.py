"""What the pixels of a frame are labelled with: points of boards as go_labels.py says, things on tabletops by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from envs.rlbench.task import COLOURS as BALLS
from train.data.questions.go_labels import LABELS as GO_LABELS
from train.data.questions.go_labels import SIDES

# Everything that a scene may show, as it is called in answers
NAMES = (
    "robot arm", "gripper", "drawer", "drawer handle", "sliding door", "door handle", "button", "switch", "light bulb",
    "LED", "box", "lid", "microwave", "microwave door", "upper knob", "lower knob", "plate", "fridge", "upper door",
    "lower door", "upper door handle", "lower door handle", "bottle", "parcel", "laptop", "laptop lid", "screen",
    "keyboard", "touchpad", "toilet", "toilet seat", "tank", "lamp", "bulb", "foot of the lamp", "chest of drawers",
    "bottom drawer", "middle drawer", "top drawer", "bottom knob", "middle knob", "top knob", "push button",
    "button base", "button cap", "red block", "blue block", "pink block", *(f"{colour} ball" for colour in BALLS),
)  # fmt: skip
_NUMBERS = {name: number for number, name in enumerate(NAMES, 1)}
# What is said of a thing: how it stands, where a block is, what colour the parts of a button have
STATES = (
    "open", "closed", "on", "off", "up", "down", "left", "right", "table", "drawer", "cabinet", "tower", "gripper",
    *BALLS,
)  # fmt: skip
SIZES = ("small", "middle", "big")  # of blocks beside each other
# Each label with its classes; thing: 0 is none of the names. What is new goes to the end, see train.pixellm
_LATER = [name for name in GO_LABELS if name.startswith(("first ", *SIDES))]
LABELS = {name: classes for name, classes in GO_LABELS.items() if name not in _LATER}
LABELS |= {"thing": 1 + len(NAMES), **{name: GO_LABELS[name] for name in _LATER}}
LABELS |= {"state": len(STATES), "size": len(SIZES)}


def thing_labels(masks: Mapping[str, np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Which thing each pixel shows, int8 (H, W), 0 for none; where masks bool (H, W) meet, that of the smallest.

    Raises:
        KeyError: a name is none of NAMES.
    """
    return _painted(masks, _NUMBERS, np.zeros(shape, np.int8))


def word_labels(
    masks: Mapping[str, np.ndarray], said: Mapping[str, str], words: Sequence[str], shape: tuple[int, int]
) -> np.ndarray:
    """What is said of the thing that a pixel shows, as its number among `words`: int8 (H, W), -1 where nothing is.

    said: a word by name of a thing; masks as above. ValueError for a word that is none of them.
    """
    numbers = {name: words.index(said[name]) if name in said else -1 for name in masks}
    return _painted(masks, numbers, np.full(shape, -1, np.int8))


def _painted(masks: Mapping[str, np.ndarray], numbers: Mapping[str, int], shown: np.ndarray) -> np.ndarray:
    for name in sorted(masks, key=lambda name: -int(masks[name].sum())):
        shown[masks[name]] = numbers[name]
    return shown


def with_all_labels(labels: Mapping[str, np.ndarray]) -> np.ndarray:
    """Labels int8 (H, W) by name -> all of LABELS, int8 (H, W, len(LABELS)); -1 for those that are not given."""
    unknown = np.full(next(iter(labels.values())).shape, -1, np.int8)
    return np.stack([labels.get(name, unknown) for name in LABELS], -1)
