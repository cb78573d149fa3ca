"""What the tasks are called in words: the protocol's own sentences, our paraphrases, and the way back to the task."""

from __future__ import annotations

import difflib
import re

import numpy as np

from envs.calvin.tasks import COLOURS, TASKS, check_task
from envs.errors import UserError


def _validation() -> dict[str, str]:
    """CALVIN's one evaluation sentence a task, letter by letter."""
    words = {
        "move_slider_left": "push the sliding door to the left side",
        "move_slider_right": "push the sliding door to the right side",
        "open_drawer": "pull the handle to open the drawer",
        "close_drawer": "push the handle to close the drawer",
        "place_in_slider": "store the grasped block in the sliding cabinet",
        "place_in_drawer": "store the grasped block in the drawer",
        "push_into_drawer": "slide the block that it falls into the drawer",
        "stack_block": "stack the grasped block",
        "unstack_block": "remove the stacked block",
        "turn_on_lightbulb": "use the switch to turn on the light bulb",
        "turn_off_lightbulb": "use the switch to turn off the light bulb",
        "turn_on_led": "press the button to turn on the led light",
        "turn_off_led": "press the button to turn off the led light",
    }
    for colour in COLOURS:
        for side in ("left", "right"):
            words[f"rotate_{colour}_block_{side}"] = f"take the {colour} block and rotate it to the {side}"
            words[f"push_{colour}_block_{side}"] = f"go push the {colour} block {side}"
        words[f"lift_{colour}_block_table"] = f"grasp and lift the {colour} block"
        words[f"lift_{colour}_block_slider"] = f"lift the {colour} block from the sliding cabinet"
        words[f"lift_{colour}_block_drawer"] = f"Take the {colour} block from the drawer"
    return {task: words[task] for task in TASKS}


# C stands for the colour and D for the side.
_OWN_WORDS = {
    "rotate": ("turn the C block to the D", "give the C block a turn to the D", "spin the C block towards the D"),
    "push": (
        "shove the C block to the D",
        "slide the C block over to the D",
        "push the C block D",
        "go and push the C block to the D side",
        "give the C block a push towards the D",
        "let the C block go further D",
        "move the C block along to the D",
    ),
    "move_slider": ("slide the door to the D", "move the cabinet door to the D", "pull the door over to the D"),
    "open_drawer": (
        "open the drawer",
        "pull the drawer out",
        "pull at the handle of the drawer",
        "take the handle and pull the drawer open",
        "use the handle to open it",
        "get the drawer open",
        "slide the drawer open",
    ),
    "close_drawer": (
        "close the drawer",
        "push the drawer in",
        "push against the handle of the drawer",
        "push the open drawer back by its handle",
        "use the handle to close it",
        "get the drawer closed",
        "shut the drawer again",
    ),
    "lift_table": ("pick up the C block from the table", "lift the C block off the table", "take hold of the C block"),
    "lift_slider": (
        "get the C block out of the cabinet",
        "pick up the C block behind the door",
        "raise the C block that is in the cabinet",
    ),
    "lift_drawer": (
        "get the C block out of the drawer",
        "pick up the C block in the drawer",
        "raise the C block that is in the drawer",
    ),
    "place_in_slider": (
        "put the block you hold into the cabinet",
        "set the held block down in the cabinet",
        "leave the block behind the door",
    ),
    "place_in_drawer": (
        "put the block you hold into the drawer",
        "set the held block down in the drawer",
        "drop the block into the drawer",
    ),
    "push_into_drawer": (
        "push the block over the edge into the drawer",
        "shove the block so that it drops into the drawer",
        "let the block fall into the drawer",
    ),
    "stack_block": (
        "put the block you hold on top of another",
        "build a tower with the held block",
        "set the held block onto another block",
    ),
    "unstack_block": (
        "take the tower of blocks apart",
        "take the upper block off the other",
        "get the top block down",
    ),
    "turn_on_lightbulb": (
        "switch the bulb on",
        "push the switch up to light the bulb",
        "turn on the bulb with the switch",
        "turn the light bulb on",
        "use the switch for light",
        "move the switch up",
        "make the bulb shine",
    ),
    "turn_off_lightbulb": (
        "switch the bulb off",
        "push the switch down to put out the bulb",
        "turn off the bulb with the switch",
        "turn the light bulb off",
        "use the switch to end the light of the bulb",
        "move the switch down",
        "make the bulb go dark",
    ),
    "turn_on_led": (
        "switch the green light on",
        "push the button so that the led lights up",
        "turn on the led with the button",
        "press the button for green light",
        "turn the led light on",
        "press to turn on the green led",
        "make the led shine",
    ),
    "turn_off_led": (
        "switch the green light off",
        "push the button so that the led goes out",
        "turn off the led with the button",
        "press the button to end the green light",
        "turn the led light off",
        "press to turn off the green led",
        "make the led go dark",
    ),
}


def _own(task: str) -> tuple[str, ...]:
    words = task.split("_")
    family = task
    if words[0] in ("rotate", "push") and words[-1] in ("left", "right"):
        family = words[0]
    elif words[0] == "move":
        family = "move_slider"
    elif words[0] == "lift":
        family = f"lift_{words[-1]}"
    side = words[-1] if words[-1] in ("left", "right") else ""
    colour = next((word for word in words if word in COLOURS), "")
    return tuple(text.replace("C ", f"{colour} ").replace(" D", f" {side}") for text in _OWN_WORDS[family])


VALIDATION = _validation()
PARAPHRASES = {task: _own(task) for task in TASKS}


def sentences_for(task: str, *, held_out: bool = False) -> tuple[str, ...]:
    """The sentences that recorded training data ask for a task in, or the one that is held out of it.

    Held out is the last of our paraphrases. So is the protocol's sentence, which is in neither: as in CALVIN, it is
    for the evaluation alone.
    """
    words = PARAPHRASES[check_task(task)]
    return words[-1:] if held_out else words[:-1]


def instruction_for(task: str, random: np.random.Generator | None = None) -> str:
    """The protocol's sentence for a task, or with a generator one of our paraphrases."""
    check_task(task)
    if random is None:
        return VALIDATION[task]
    return PARAPHRASES[task][int(random.integers(len(PARAPHRASES[task])))]


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z]+", text.lower()))


_MEANINGS = {
    _plain(text): task for task in TASKS for text in (task.replace("_", " "), VALIDATION[task], *PARAPHRASES[task])
}


def task_of(instruction: str) -> str:
    """The task an instruction asks for: a task's name, its protocol sentence or one of our paraphrases, in any case.

    Raises:
        UserError: no task is asked for in these words.
    """
    words = _plain(str(instruction))
    if words in _MEANINGS:
        return _MEANINGS[words]
    near = difflib.get_close_matches(words, _MEANINGS, 1, 0.5)
    hint = f"did you mean {VALIDATION[_MEANINGS[near[0]]]!r}?" if near else f"say {VALIDATION['open_drawer']!r}"
    raise UserError(f"instruction {instruction!r} asks for no known task; {hint}")
