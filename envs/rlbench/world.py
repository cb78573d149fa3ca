"""What `RLBenchEnv` runs on: a world that places a task, carries out commands and shows what its cameras see.

Two worlds keep this contract: `envs.rlbench.builtin.BuiltinWorld`, our own models on PyBullet, and
`envs.rlbench.official.OfficialWorld`, the installed package. Rollouts may drive a world themselves and draw a picture
only when somebody looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from envs.errors import UserError

CONTROL_HZ = 20
# That a task may take: 15 s. RLBench has no limit of its own. The scripted experts need 38 to 92 as a rule and at most
# 111; whoever looks anew only every few steps, and tries again after a miss, gets nearly three times as many.
TASK_STEPS = 300
CAMERAS = ("front", "wrist", "left_shoulder", "right_shoulder", "overhead")
SIDE = 128  # px; of a picture, unless asked for another size
MAX_SIDE = 2048  # px
ACTION_KINDS = ("delta", "pose")
OPEN, CLOSED = 1, -1


class SimulatorError(RuntimeError):
    """Raised when an episode cannot begin or go on: it is lost, and the next `reset` starts anew."""


# Name of a state -> how many float64 numbers it has. Names, order and units are those of RLBench's Observation.
STATES = {
    "joint_positions": 7,  # rad
    "joint_velocities": 7,  # rad/s
    "gripper_open": 1,  # 1 open, 0 closed
    "gripper_pose": 7,  # of the tip: xyz in m, quaternion xyzw with w >= 0
    "gripper_joint_positions": 2,  # m, 0 to 0.04 each
}  # and task_low_dim_state, whose length is `World.state_size(task)`


class Command(NamedTuple):
    """What the arm is told, in the world's axes.

    kind: "delta" is one tick of 1/20 s towards a target that the world keeps and that the commands add up to, so that
    lag does not add up too. "pose" starts from where the tip is now, as RLBench's
    EndEffectorPoseViaIK(absolute_mode=False) does, and ends when the arm is there or stands still.
    move: (3,) m. turn: unit quaternion (4,) xyzw that is applied after the present orientation (turn * now). gripper:
    +1 open, -1 closed.
    """

    kind: str
    move: np.ndarray
    turn: np.ndarray
    gripper: int


class World(Protocol):
    """A simulation of RLBench's tasks. It is made with `sizes`: camera -> (height, width) in px.

    Between construction and the first `reset` only `variations`, `state_size` and `close` may be called.
    """

    def variations(self, task: str) -> int:
        """How many variations a task has. UserError for a task that this world does not have."""
        ...

    def state_size(self, task: str) -> int:
        """How many numbers the task's task_low_dim_state has. UserError as above."""
        ...

    def reset(self, task: str, variation: int | None, random: np.random.Generator) -> None:
        """Start an episode: arm at home, the task's things placed by chance; no variation: drawn.

        Raises:
            UserError: an unknown task, or a variation out of its range. SimulatorError: the things found no place, or
                the simulator failed.
        """
        ...

    def act(self, command: Command) -> None:
        """Carry out a command as far as it goes; what kept it from being carried out is `info()["trouble"]`.

        Raises:
            SimulatorError: the simulator failed; the episode is lost.
        """
        ...

    def states(self) -> dict[str, np.ndarray]:
        """The entries of `STATES` and task_low_dim_state, each float64 (n,), finite."""
        ...

    def ahead(self) -> np.ndarray:
        """How far the target of "delta" commands is ahead of the tip, float64 (6,): m, and a rotation vector in rad."""
        ...

    def picture(self, camera: str) -> tuple[np.ndarray, np.ndarray]:
        """What a camera sees now: uint8 (H, W, 3), and depth float32 (H, W) in m."""
        ...

    def overview(self, size: int) -> np.ndarray:
        """A picture uint8 (size, size, 3) for people; black where the world cannot draw one."""
        ...

    def info(self) -> dict[str, Any]:
        """How the episode stands.

        task: str. variation: int. descriptions: list of str, the first of which is the protocol's sentence. success:
        bool, as of now; once true the episode is over. failed: bool, nothing can save the episode. trouble: str or
        None, what kept the last command from being carried out.
        """
        ...

    def close(self) -> None:
        """End the simulation; calling it again does nothing."""
        ...


def check_cameras(cameras: Sequence[str]) -> tuple[str, ...]:
    """The names of cameras as a tuple; UserError for a name that is none, or one given twice."""
    names = (cameras,) if isinstance(cameras, str) else tuple(cameras)
    for name in names:
        if name not in CAMERAS:
            raise UserError(f"camera {name!r} is unknown; choose of {', '.join(CAMERAS)}")
        if names.count(name) > 1:
            raise UserError(f"camera {name!r} is named {names.count(name)} times; name it once")
    return names


def as_sizes(
    cameras: Sequence[str], sizes: Mapping[str, int | Sequence[int]] | int | None
) -> dict[str, tuple[int, int]]:
    """Each camera's (height, width) in px; sizes: a side for all, or camera -> side or (height, width).

    Raises:
        UserError: a size is neither, or out of range, or its camera is unknown.
    """
    if sizes is None or isinstance(sizes, (int, np.integer)):
        given: dict[str, Any] = dict.fromkeys(cameras, SIDE if sizes is None else sizes)
    elif isinstance(sizes, Mapping):
        given = dict(sizes)
        check_cameras(tuple(given))
    else:
        raise UserError(f"sizes {sizes!r} are none; give a side in pixels, or a camera's name -> side")
    result = {}
    for name in cameras:
        size = given.get(name, SIDE)
        pair = tuple(size) if isinstance(size, (list, tuple, np.ndarray)) else (size, size)
        whole = all(isinstance(side, (int, np.integer)) and not isinstance(side, bool) for side in pair)
        if len(pair) != 2 or not whole:
            raise UserError(f"the size of camera {name} is {size!r}; give a side or (height, width) in pixels")
        if not all(1 <= side <= MAX_SIDE for side in pair):
            raise UserError(f"camera {name} cannot have {size!r} pixels a side; give 1 to {MAX_SIDE}")
        result[name] = (int(pair[0]), int(pair[1]))
    return result
