"""Press the button of a colour."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

import numpy as np

from envs.rlbench.sight import Condition, Hold, JointChange, Thing
from envs.rlbench.situation import Situation
from envs.rlbench.task import COLOURS, Place, Script, Stage, Task, Words, coloured
from envs.rlbench.tasks._buttons import button_cap, press
from envs.tabletop.solids import Link, between, tube

HEIGHT = 0.032  # m; of what the cap stands on
BASES = tuple(colour for colour in COLOURS if colour not in ("red", "lime"))  # by variation; those are the cap's


class PushButton(Task):
    """Eighteen colours of the base; solved when the cap has been pressed by 3 mm."""

    name = "push_button"
    place = Place(x=(0.08, 0.42), y=(-0.28, 0.28), yaw=pi)
    words = coloured(
        Words(
            "push the COLOUR button",
            (
                "press the COLOUR button",
                "press down the button with the COLOUR base",
                "push down the COLOUR button",
                "go to the COLOUR button and press it",
                "give the COLOUR button a press",
                "use the COLOUR button",
            ),
            ("touch the COLOUR button so that it goes down", "hit the COLOUR button"),
        ),
        BASES,
    )

    def make(self) -> Sequence[Thing]:
        """A base, and a cap that comes back."""
        base = Link(
            "button",
            (
                between((-0.05, -0.05, 0), (0.05, 0.05, HEIGHT - 0.006)),
                tube((0, 0, HEIGHT - 0.006), (0, 0, HEIGHT), 0.040, 0.036, sides=12),
            ),
        )
        return [Thing("button", (base, button_cap("button", (0, 0, HEIGHT))), {"button_joint": Hold(4.0, spring=True)})]

    def begin(self, stage: Stage, variation: int, random: np.random.Generator) -> None:
        """The base has the variation's colour."""
        stage.paint("button", "button", COLOURS[BASES[variation]])

    def show(self, stage: Stage, solved: bool) -> None:
        """A pressed cap is green."""
        stage.paint("button", "cap", COLOURS["lime" if solved else "red"])

    def conditions(self, variation: int) -> Sequence[Condition]:
        """The change of the cap's joint."""
        return [JointChange("button_joint", 0.003)]

    def script(self, see: Situation) -> Script:
        """Press the cap from above with closed fingers."""
        yield from press(see, "button", (0, 0, HEIGHT), "button_joint")


TASK = PushButton()
