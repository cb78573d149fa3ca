"""Push one of three drawers shut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.rlbench.sight import Condition, JointChange, Thing
from envs.rlbench.situation import Situation
from envs.rlbench.task import Script, Stage, Task
from envs.rlbench.tasks import _chest
from envs.rlbench.world import CLOSED

BEGIN, FAR = 0.10, 0.06  # m that the drawer is open, and that solve it
AHEAD = 0.022  # m; from the knob's middle to the tip when the fingers' ends touch it
TRIES = 3


class CloseDrawer(Task):
    """Bottom, middle and top drawer; solved when that drawer has moved by 0.06 m."""

    name = "close_drawer"
    place = _chest.PLACE
    words = _chest.words_for(
        "close WHICH drawer",
        (
            "close the WHICH drawer",
            "push the WHICH drawer in",
            "shut the WHICH drawer of the chest",
            "push against the WHICH drawer until it is shut",
            "slide the WHICH drawer back in",
            "get the WHICH drawer closed",
        ),
        ("press on the knob of the WHICH drawer to close it", "the WHICH drawer is open, shut it"),
    )

    def make(self) -> Sequence[Thing]:
        """The chest."""
        return _chest.make_chest()

    def begin(self, stage: Stage, variation: int, random: np.random.Generator) -> None:
        """That drawer starts open, the others closed."""
        for number in range(len(_chest.DRAWERS)):
            stage.set_joint(_chest.joint_of(number), BEGIN if number == variation else 0.0)

    def conditions(self, variation: int) -> Sequence[Condition]:
        """The change of the drawer's joint."""
        return [JointChange(_chest.joint_of(variation), FAR)]

    def script(self, see: Situation) -> Script:
        """Set closed fingers before the knob and push."""
        joint = _chest.joint_of(see.variation)
        for _ in range(TRIES):
            turn, _ = _chest.hand(see)
            up, away = see.near(0.008, 0.005), AHEAD + see.near(0.045, 0.01)
            yield see.to(_chest.knob(see, away + 0.02, up + 0.05), CLOSED, turn, through=0.02, steady=0)
            yield see.to(_chest.knob(see, away, up), CLOSED, turn)
            left = see.joint(joint) - see.near(0.01, 0.006)
            yield see.to(_chest.knob(see, AHEAD - 0.004 - left, up), CLOSED, turn, speed=0.7)
            yield see.to(_chest.knob(see, away, up + 0.02), CLOSED, turn, through=0.02)
            if see.joint(joint) < BEGIN - FAR:
                return


TASK = CloseDrawer()
