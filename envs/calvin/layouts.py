"""The four scenes: where the fixtures are, which colour is which size, and where blocks may start. Units m.

x is to the right and -y towards the viewer who faces the table; the table's top is at z = 0.44.
"""

from __future__ import annotations

from dataclasses import dataclass

from envs.errors import UserError

Box = tuple[tuple[float, float, float], tuple[float, float, float]]

TOP = 0.44  # z of the table's top
BLOCK_Z = 0.46  # z of a block's centre on it
BLOCK_LENGTHS = {"small": 0.04, "middle": 0.056, "big": 0.08}
BLOCK_SIDE = 0.04
DOOR_WIDTH = 0.28


@dataclass(frozen=True)
class Layout:
    """One scene. x of the fixtures' centres; the door's is its handle's with the joint at 0, its right end."""

    name: str
    button: float
    switch: float
    drawer: float
    door: float
    door_travel: float
    recess: tuple[float, float]  # of the cabinet behind the door
    sizes: dict[str, str]  # colour -> size
    order: tuple[str, ...]  # of the blocks in scene_obs
    table: tuple[float, float]  # range of x in which blocks start on the table's top
    left: tuple[float, float]  # the same in the cabinet
    right: tuple[float, float]
    wood: tuple[int, int, int]  # our texture's colour
    grain: float
    texture: str  # of the official assets

    @property
    def starts(self) -> dict[str, Box]:
        """The boxes in which blocks' centres start, as (low, high) corners."""
        return {
            "table": ((self.table[0], -0.15, BLOCK_Z), (self.table[1], -0.03, BLOCK_Z)),
            "slider_left": ((self.left[0], 0.05, BLOCK_Z), (self.left[1], 0.12, BLOCK_Z)),
            "slider_right": ((self.right[0], 0.05, BLOCK_Z), (self.right[1], 0.12, BLOCK_Z)),
        }

    def opening(self, joint: float) -> tuple[float, float]:
        """The range of x in which the cabinet is open while the door's joint stands at `joint`."""
        left, right = self.recess
        door_left, door_right = self.door - joint - DOOR_WIDTH / 2, self.door - joint + DOOR_WIDTH / 2
        return (left, door_left) if door_left - left > right - door_right else (door_right, right)


def _sizes(small: str, middle: str, big: str) -> dict[str, str]:
    return {small: "small", middle: "middle", big: "big"}


LAYOUTS = {
    "A": Layout(
        "A", button=-0.28, switch=0.30, drawer=0.10, door=0.04, door_travel=0.28, recess=(-0.36, 0.16),
        sizes=_sizes("pink", "red", "blue"), order=("pink", "blue", "red"),
        table=(-0.20, 0.35), left=(-0.32, -0.16), right=(-0.05, 0.13),
        wood=(112, 62, 44), grain=0.30, texture="dark_wood",
    ),
    "B": Layout(
        "B", button=0.28, switch=-0.32, drawer=0.18, door=0.228, door_travel=0.304, recess=(-0.18, 0.34),
        sizes=_sizes("red", "pink", "blue"), order=("red", "blue", "pink"),
        table=(-0.35, 0.15), left=(-0.12, 0.06), right=(0.15, 0.33),
        wood=(222, 182, 128), grain=0.12, texture="light_wood",
    ),
    "C": Layout(
        "C", button=-0.12, switch=-0.32, drawer=0.10, door=0.20, door_travel=0.24, recess=(-0.18, 0.34),
        sizes=_sizes("blue", "pink", "red"), order=("blue", "red", "pink"),
        table=(0.0, 0.35), left=(-0.12, 0.06), right=(0.15, 0.30),
        wood=(182, 116, 56), grain=0.22, texture="wood",
    ),
    "D": Layout(
        "D", button=-0.12, switch=0.30, drawer=0.18, door=0.04, door_travel=0.28, recess=(-0.36, 0.16),
        sizes=_sizes("blue", "red", "pink"), order=("red", "blue", "pink"),
        table=(0.0, 0.35), left=(-0.32, -0.16), right=(-0.05, 0.13),
        wood=(140, 102, 70), grain=0.28, texture="dark_wood",
    ),
}  # fmt: skip


def layout(scene: str) -> Layout:
    """The layout of a scene; raises UserError for an unknown one."""
    if scene not in LAYOUTS:
        raise UserError(f"scene {scene!r} is unknown; choose one of {', '.join(LAYOUTS)}")
    return LAYOUTS[scene]
