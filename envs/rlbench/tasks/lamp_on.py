"""Turn on a lamp by the button on its foot."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

from envs.rlbench.sight import Condition, Hold, JointChange, Thing
from envs.rlbench.situation import DOWN, Situation, pointing
from envs.rlbench.task import COLOURS, Place, Script, Stage, Task, Words
from envs.rlbench.tasks._buttons import button_cap, press
from envs.tabletop.solids import Joint, Link, Vector, ball, between, named, tube

FOOT = 0.025  # m; its height
STALK, BULB = 0.075, 0.185  # m; x of the stalk, height of the bulb's middle
BUTTON: Vector = (-0.085, 0.0, FOOT)


class LampOn(Task):
    """One variation; solved when the button has been pressed by 3 mm, which lights the bulb."""

    name = "lamp_on"
    place = Place(x=(0.12, 0.38), y=(-0.22, 0.22), yaw=pi)
    words = (
        Words(
            "turn on the light",
            (
                "switch the lamp on",
                "turn the lamp on",
                "press the button on the lamp's foot to light it",
                "make the lamp shine",
                "light the lamp with its button",
                "push the lamp's button so that the bulb lights up",
            ),
            ("give me light from the lamp", "use the button to get the bulb to shine"),
        ),
    )

    def make(self) -> Sequence[Thing]:
        """A foot with a button, a stalk and a bulb."""
        lamp = Link(
            "lamp",
            (
                *named(
                    "foot",
                    between((-0.13, -0.05, 0), (0.12, 0.05, FOOT - 0.006), "graphite"),
                    between((-0.125, -0.045, FOOT - 0.006), (0.115, 0.045, FOOT), "graphite"),
                ),
                tube((STALK, 0, FOOT), (STALK, 0, BULB - 0.045), 0.010, material="brass"),
                tube((STALK, 0, BULB - 0.05), (STALK, 0, BULB - 0.025), 0.014, 0.022, material="brass"),
            ),
        )
        bulb = Link("bulb", ball((STALK, 0, BULB), 0.036), Joint("bulb_joint", "lamp"))
        return [
            Thing("lamp", (lamp, button_cap("lamp", BUTTON), bulb), {"button_joint": Hold(4.0, spring=True)}),
        ]

    def show(self, stage: Stage, solved: bool) -> None:
        """The bulb is black, and white when it is lit."""
        stage.paint("lamp", "bulb", COLOURS["white" if solved else "black"])
        stage.paint("lamp", "cap", COLOURS["red"])

    def conditions(self, variation: int) -> Sequence[Condition]:
        """The change of the button's joint."""
        return [JointChange("button_joint", 0.003)]

    def script(self, see: Situation) -> Script:
        """Press the button from above, the broad hand turned past the bulb."""
        yield from press(see, "lamp", BUTTON, "button_joint", pointing(DOWN, see.turn("lamp")[:, 1]))


TASK = LampOn()
