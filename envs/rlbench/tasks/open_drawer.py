"""Pull one of three drawers open."""

from __future__ import annotations

from collections.abc import Sequence

from envs.rlbench.sight import Condition, JointChange, Thing
from envs.rlbench.situation import Situation
from envs.rlbench.task import Script, Task
from envs.rlbench.tasks import _chest
from envs.rlbench.world import CLOSED, OPEN

FAR = 0.15  # m that solve it
TRIES = 3


class OpenDrawer(Task):
    """Bottom, middle and top drawer; solved when that drawer has moved by 0.15 m."""

    name = "open_drawer"
    place = _chest.PLACE
    words = _chest.words_for(
        "open WHICH drawer",
        (
            "open the WHICH drawer",
            "pull the WHICH drawer open",
            "take the knob of the WHICH drawer and pull",
            "pull out the WHICH drawer of the chest",
            "slide the WHICH drawer out",
            "get the WHICH drawer open",
        ),
        ("draw the WHICH drawer out by its knob", "the WHICH drawer is shut, open it"),
    )

    def make(self) -> Sequence[Thing]:
        """The chest."""
        return _chest.make_chest()

    def conditions(self, variation: int) -> Sequence[Condition]:
        """The change of the drawer's joint."""
        return [JointChange(_chest.joint_of(variation), FAR)]

    def script(self, see: Situation) -> Script:
        """Take the knob between the fingers and pull."""
        joint = _chest.joint_of(see.variation)
        for _ in range(TRIES):
            turn, forward = _chest.hand(see)
            up = see.near(0.0, 0.006)
            place = _chest.knob(see, up=up)
            yield see.to(place - see.near(0.085, 0.012) * forward, OPEN, turn, through=0.02, steady=0)
            yield see.to(place, OPEN, turn, speed=0.8)
            yield see.to(place, CLOSED, turn, wait=4)
            pull = see.near(0.185, 0.008) - see.joint(joint)
            yield see.to(_chest.knob(see, pull, up), CLOSED, turn, speed=0.8)
            place = see.tip.position.copy()
            yield see.to(place, OPEN, turn, wait=3)
            yield see.to(place - 0.07 * forward, OPEN, turn, through=0.02)
            if see.joint(joint) > FAR:
                return


TASK = OpenDrawer()
