"""How the play table's tasks are done by hand: waypoints, worked out from what stands where as they are needed.

Each script is a generator that yields the next waypoint. It is asked for that only once the arm has done the one
before, so it goes by the state of that moment and can try again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

import numpy as np

from envs.calvin.layouts import BLOCK_SIDE
from envs.calvin.situation import STEADY, Situation
from envs.calvin.table import ALONG, SWITCH_TRAVEL
from envs.calvin.tasks import COLOURS
from envs.tabletop.arm import CLOSED, OPEN
from envs.tabletop.waypoints import Waypoint, wrapped

Script: TypeAlias = Iterator[Waypoint]

TIP = 0.015  # m that the fingers reach beyond the tool centre point
FINGERS = 0.027  # m; half of two closed fingers, in the direction in which they open
FINGER_DEPTH = 0.0105  # m; the same across
CABINET_LEAN = 0.8  # m back for each m up: the hand stays in front of the panel
TRAVEL = 0.56  # z of ways over the table; whatever stands on it is lower
TRIES = 3


def push_block(see: Situation, colour: str, sign: int) -> Script:
    """Set the closed fingers beside the block and push it along x."""
    begin = see.block(colour).position[0]
    far = see.near(0.120, 0.010)
    for _ in range(TRIES):
        block = see.block(colour)
        yaw = block.face_yaw()
        aside = see.near(0.0, 0.005)
        behind = block.position[0] - sign * (block.reach(1, 0) + FINGERS + see.near(0.020, 0.008))
        y, low = block.position[1] + aside, see.near(0.463, 0.003)
        lean = (0.0, 0.35 * float(np.clip((y + 0.07) / 0.04, 0, 1)))  # keeps the hand off the door's handle
        yield see.to(behind, y, see.near(TRAVEL, 0.02), CLOSED, yaw=yaw, lean=lean, through=0.03, steady=0)
        yield see.to(behind, y, low, CLOSED, yaw=yaw, lean=lean)
        speed = see.near(0.6, 0.12)
        for _ in range(30):  # a short way each, so that the hand follows where the block goes
            block = see.block(colour)
            left = sign * (begin + sign * far - block.position[0])
            gone = sign * (see.hand[0] - block.position[0])
            if left < 0 or gone > 0 or abs(see.hand[1] - block.position[1]) > 0.04:
                break
            x = see.hand[0] + sign * 0.045
            yield see.to(x, block.position[1] + aside, low, CLOSED, yaw=yaw, lean=lean, speed=speed, through=0.03)
        yield see.to(see.hand[0] - sign * 0.02, see.hand[1] - 0.02, TRAVEL, CLOSED, yaw=yaw, lean=lean)
        if sign * (see.block(colour).position[0] - begin) > 0.1:
            return


def _handle(see: Situation) -> tuple[float, float]:
    """y of the drawer's bar, and a place on it."""
    return -0.25 - see.drawer, see.near(see.layout.drawer, 0.05)


def open_drawer(see: Situation) -> Script:
    """Take the bar from above and pull."""
    for _ in range(TRIES):
        y, x = _handle(see)
        yaw, low = see.near(0.12, 0.12), see.near(0.374, 0.003)
        yield see.to(x, y - 0.008, see.near(0.47, 0.02), OPEN, yaw=yaw, through=0.02, steady=0)
        yield see.to(x, y - 0.008, low, OPEN, yaw=yaw)
        yield see.to(x, y, low, CLOSED, yaw=yaw, wait=3)
        pull = see.near(0.18, 0.02)
        yield see.to(see.near(x, 0.005), y - pull, low, CLOSED, yaw=yaw, speed=0.8)
        yield see.to(x, see.hand[1], low, OPEN, yaw=yaw, wait=2)
        yield see.to(x, see.hand[1], 0.47, OPEN, yaw=yaw)
        if see.drawer > 0.12:
            return


def close_drawer(see: Situation) -> Script:
    """Push the bar from in front with closed fingers."""
    for _ in range(TRIES):
        y, x = _handle(see)
        low = see.near(0.368, 0.004)
        front = y - see.near(0.050, 0.008)
        yield see.to(x, front, see.near(0.47, 0.02), CLOSED, through=0.03, steady=0)
        yield see.to(x, front, low, CLOSED)
        yield see.to(see.near(x, 0.01), y + min(see.drawer, see.near(0.19, 0.01)) - 0.02, low, CLOSED, speed=0.8)
        yield see.to(x, see.hand[1] - 0.03, 0.44, CLOSED)
        if see.drawer < 0.1:
            return


def turn_led(see: Situation, on: bool) -> Script:
    """Press the button from above."""
    x, y = see.near(see.layout.button, 0.012), see.near(-0.12, 0.012)
    for _ in range(TRIES):
        yield see.to(x, y, see.near(0.545, 0.015), CLOSED, speed=0.8, through=0.01, steady=0)
        yield see.to(x, y, 0.478, CLOSED, speed=0.45)
        yield see.to(x, y, 0.54, CLOSED)
        if see.lit("led") == on:
            return


def turn_lightbulb(see: Situation, on: bool) -> Script:
    """Push the switch's bar along the panel: up from below, or down from above."""
    lean = (0.3 if see.layout.switch > 0 else 0.0, 0.35)
    for _ in range(TRIES):
        x = see.near(see.layout.switch, 0.025)

        def at(
            y: float,
            z: float,
            up: float,
            *,
            x: float = x,
            speed: float = 1.0,
            through: float = 0.0,
            steady: float = STEADY,
        ) -> Waypoint:
            """A waypoint `up` m further along the panel than given."""
            _, dy, dz = up * np.array(ALONG)
            return see.to(x, y + dy, z + dz, CLOSED, lean=lean, speed=speed, through=through, steady=steady)

        stands = float(see.scene[3])
        if on:
            yield at(-0.08, 0.515, stands, through=0.02, steady=0)
            yield at(0.0, 0.505, stands, through=0.005)
            yield at(0.0, 0.505, see.near(0.105, 0.005), speed=0.7)
            yield at(-0.06, 0.51, 0.10)
        else:
            yield at(0.03, 0.70, stands - SWITCH_TRAVEL, through=0.02, steady=0)
            yield at(0.065, 0.66, stands - SWITCH_TRAVEL, through=0.01)
            yield at(0.065, 0.66, see.near(-0.105, 0.005), speed=0.7)
            yield at(-0.01, 0.64, 0.0)
        if see.lit("lightbulb") == on:
            return


def move_door(see: Situation, sign: int) -> Script:
    """Take the door's handle from the front and slide it."""
    begin = see.door
    for _ in range(TRIES):
        x, y, z = see.door, see.near(0.012, 0.003), see.near(0.58, 0.005)
        yield see.to(x, see.near(-0.08, 0.02), see.near(0.60, 0.02), OPEN, through=0.02, steady=0)
        yield see.to(x, y, z, OPEN)
        yield see.to(x, y, z, CLOSED, wait=3)
        yield see.to(begin + sign * see.near(0.20, 0.02), y, z, CLOSED, speed=0.9)
        yield see.to(see.hand[0], y, z, OPEN, wait=2)
        yield see.to(see.hand[0], -0.09, 0.60, OPEN)
        if sign * (see.door - begin) > 0.15:
            return


def _grasp(see: Situation, colour: str, lean: tuple[float, float] = (0.0, 0.0)) -> Script:
    """Take a block from above, or from the direction that the gripper leans back in."""
    block = see.block(colour)
    (x, y, z), yaw = block.position, block.grip_yaw()
    z += 0.002 + 0.006 * bool(lean[1])  # a gripper that leans has its tips lower
    x, y = see.near(x, 0.004), see.near(y, 0.006)
    back = see.near(0.10, 0.015)
    above = see.to(x - back * lean[0], y - back * lean[1], z + back, OPEN, yaw=yaw, lean=lean, through=0.02, steady=0)
    if lean[1]:  # not through the panel
        yield see.to(x, -0.10, 0.60, OPEN, yaw=yaw, lean=lean, through=0.03, steady=0)
    yield above
    yield see.to(x, y, z, OPEN, yaw=yaw, lean=lean)
    yield see.to(x, y, z, CLOSED, yaw=yaw, lean=lean, wait=4)


def _holds(see: Situation) -> bool:
    """Whether something is between the fingers."""
    return bool(see.robot[6] > 0.02)


def _let_go(see: Situation, pose: Waypoint, rise: float = 0.10, back: float = 0.0) -> Script:
    """Open the fingers and leave."""
    yield pose._replace(gripper=OPEN, wait=3)
    away = pose.pose + (0, -back, rise, 0, 0, 0)
    yield pose._replace(pose=away, gripper=OPEN)


def lift_block(see: Situation, colour: str, place: str) -> Script:
    """Take a block and lift it; out of the cabinet with a gripper that leans back."""
    lean = (0.0, CABINET_LEAN) if place == "slider" else (0.0, 0.0)
    for _ in range(TRIES):
        yield from _grasp(see, colour, lean)
        x, y, z = see.hand
        yaw = see.block(colour).grip_yaw()
        out = see.near(0.08, 0.02) if place == "slider" else 0.0
        rise = see.near(0.12, 0.02)
        yield see.to(see.near(x, 0.02), y - out, z + rise, CLOSED, yaw=yaw, lean=lean, speed=0.8)
        if _holds(see):
            return
        yield see.to(x, y - out, z + rise, OPEN, yaw=yaw, lean=lean)


def rotate_block(see: Situation, colour: str, sign: int) -> Script:
    """Take a block and turn it where it stands."""
    begin = see.block(colour).yaw
    for _ in range(TRIES):
        yaw = see.block(colour).grip_yaw()
        yield from _grasp(see, colour)
        x, y, z = see.hand
        turn = yaw + sign * see.near(1.25, 0.08)
        yield see.to(x, y, z, CLOSED, yaw=turn, speed=0.9, wait=2)
        yield from _let_go(see, see.to(x, y, z, OPEN, yaw=turn))
        if sign * wrapped(np.array(see.block(colour).yaw - begin)) > 1.05:
            return


def _held(see: Situation) -> str:
    """The colour of the block in the hand: the nearest."""
    return min(see.layout.order, key=lambda colour: float(np.linalg.norm(see.block(colour).position - see.hand)))


def _hang(see: Situation, colour: str) -> np.ndarray:
    """Where the held block is, as seen from the tool centre point, (3,)."""
    return see.block(colour).position - see.hand


def place_in_drawer(see: Situation) -> Script:
    """Bring the held block over the open drawer, lower it, let go."""
    hang = _hang(see, _held(see))
    inside = (see.near(see.layout.drawer - 0.02, 0.06), see.near(-0.06 - see.drawer, 0.015))
    x, y = inside[0] - hang[0], inside[1] - hang[1]
    z = see.near(0.365, 0.004) - hang[2]
    yield see.to(x, y, see.near(0.50, 0.02), CLOSED, through=0.02, steady=0)
    yield see.to(x, y, z, CLOSED)
    yield from _let_go(see, see.to(x, y, z, CLOSED))


def place_in_slider(see: Situation) -> Script:
    """Put the held block into the cabinet, where the door leaves it open."""
    colour = _held(see)
    hang = _hang(see, colour)
    left, right = see.layout.opening(float(see.scene[0]))
    others = [see.block(other).position for other in see.layout.order if other != colour]
    inside = [place for place in others if place[1] > 0.02 and place[2] > 0.40]
    places = np.linspace(left + 0.06, right - 0.06, 9)
    room = np.array([min((abs(x - other[0]) for other in inside), default=1.0) for x in places])
    choice = places[room >= min(0.10, room.max())]
    x = float(choice[int(see.random.integers(len(choice)))] if see.noise else choice[len(choice) // 2]) - hang[0]
    y, z = see.near(0.048, 0.006) - hang[1], see.near(0.465, 0.003) - hang[2]
    lean = (0.0, 0.2)
    yield see.to(x, y - 0.08, see.near(0.56, 0.015), CLOSED, lean=lean, through=0.02, steady=0)
    yield see.to(x, y, z + 0.05, CLOSED, lean=lean, through=0.01)
    yield see.to(x, y, z, CLOSED, lean=lean)
    yield from _let_go(see, see.to(x, y, z, CLOSED, lean=lean), rise=0.08, back=0.06)


def stack_block(see: Situation) -> Script:
    """Put the held block on another one that stands on the table."""
    held = _held(see)
    others = [see.block(colour) for colour in see.layout.order if colour != held]
    below = min(
        (block for block in others if block.position[1] < 0.0),
        key=lambda block: float(np.linalg.norm(block.position[:2] - see.hand[:2])),
        default=others[0],
    )
    yaw = below.grip_yaw()
    x, y, z = below.position + (0, 0, BLOCK_SIDE)
    yield see.to(x, y, z + see.near(0.075, 0.015), CLOSED, yaw=yaw, steady=0.3, through=0.015)
    hang = _hang(see, held)
    x, y, z = x - hang[0], y - hang[1], z - hang[2] + 0.003
    yield see.to(x, y, z + 0.03, CLOSED, yaw=yaw)
    hang = _hang(see, held)
    x, y = below.position[0] - hang[0], below.position[1] - hang[1]
    down = see.to(x, y, z, CLOSED, yaw=yaw, speed=0.5, steady=0.95)
    yield down
    yield from _let_go(see, down)


def unstack_block(see: Situation) -> Script:
    """Take the upper block away and put it down beside."""
    for _ in range(TRIES):
        colour = max(see.layout.order, key=lambda colour: float(see.block(colour).position[2]))
        yield from _grasp(see, colour)
        x, y, z = see.hand
        yaw = see.block(colour).grip_yaw()
        yield see.to(see.near(x, 0.02), y, z + see.near(0.08, 0.02), CLOSED, yaw=yaw, speed=0.8)
        if _holds(see):
            return
        yield see.to(x, y, z + 0.08, OPEN, yaw=yaw)


def push_into_drawer(see: Situation) -> Script:
    """Set the closed fingers behind the block and push it over the table's edge."""
    fits = [
        colour
        for colour in see.layout.order
        if see.block(colour).position[1] < 0.0 and abs(see.block(colour).position[0] - see.layout.drawer) < 0.2
    ]
    colour = (fits or list(see.layout.order))[0]
    for _ in range(TRIES):
        block = see.block(colour)
        yaw, aside, low = block.face_yaw(), see.near(0.0, 0.006), see.near(0.463, 0.003)
        x = block.position[0] + aside
        behind = block.position[1] + block.reach(0, 1) + FINGER_DEPTH + see.near(0.014, 0.004)
        lean = (0.0, 0.2)
        yield see.to(x, behind, see.near(TRAVEL, 0.02), CLOSED, yaw=yaw, lean=lean, through=0.02, steady=0)
        yield see.to(x, behind, low, CLOSED, yaw=yaw, lean=lean)
        speed = see.near(0.6, 0.12)
        for _ in range(30):
            block = see.block(colour)
            if block.position[1] < -0.21 or block.position[2] < 0.43 or see.hand[1] < block.position[1]:
                break
            x = block.position[0] + aside
            yield see.to(x, see.hand[1] - 0.045, low, CLOSED, yaw=yaw, lean=lean, speed=speed, through=0.03)
        yield see.to(see.hand[0], see.hand[1] + 0.02, TRAVEL, CLOSED, yaw=yaw, lean=lean)
        if see.block(colour).position[2] < 0.42:
            return


def _scripts() -> dict[str, Callable[[Situation], Script]]:
    scripts: dict[str, Callable[[Situation], Script]] = {}
    for colour in COLOURS:
        for side, sign in (("right", 1), ("left", -1)):
            scripts[f"push_{colour}_block_{side}"] = partial(push_block, colour=colour, sign=sign)
            scripts[f"rotate_{colour}_block_{side}"] = partial(rotate_block, colour=colour, sign=-sign)
        for place in ("table", "slider", "drawer"):
            scripts[f"lift_{colour}_block_{place}"] = partial(lift_block, colour=colour, place=place)
    scripts["move_slider_left"] = partial(move_door, sign=-1)
    scripts["move_slider_right"] = partial(move_door, sign=1)
    scripts["open_drawer"] = open_drawer
    scripts["close_drawer"] = close_drawer
    for word, on in (("on", True), ("off", False)):
        scripts[f"turn_{word}_lightbulb"] = partial(turn_lightbulb, on=on)
        scripts[f"turn_{word}_led"] = partial(turn_led, on=on)
    scripts["place_in_slider"], scripts["place_in_drawer"] = place_in_slider, place_in_drawer
    scripts["stack_block"], scripts["unstack_block"] = stack_block, unstack_block
    scripts["push_into_drawer"] = push_into_drawer
    return scripts


SCRIPTS = _scripts()
