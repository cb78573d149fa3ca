"""One frame of a data set in CALVIN's format: `episode_0001234.npz`, with the actions that follow from two frames.

    rgb_CAMERA    uint8 (h, w, 3), of each camera: CALVIN's are static and gripper
    depth_CAMERA  float32 (h, w), m along the view axis; optional
    robot_obs     float64 (15,): xyz (m) and fixed-axis angles (rad) of the tool centre point, opening of the fingers
                  (m), seven joints (rad), last gripper command (+1 open, -1 closed)
    scene_obs     float64 (n,): the state of the things; CALVIN has 24 numbers
    actions       float64 (7,): the pose that the tool centre point has in the next frame, xyz in m and fixed-axis
                  angles in rad, and the gripper's command (+1 open, -1 closed) on the way there
    rel_actions   float64 (7,): the motion from this frame's pose to that one, in units of 0.02 m and 0.05 rad, clipped
                  to -1..1, with turns told as the world's relative actions tell them; and the gripper's command

The last frame of an episode has nothing behind it: its actions are to stay.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from envs.errors import UserError
from envs.tabletop.arm import ARM_STATE, CLOSED, MAX_ANGLE_STEP, MAX_POSITION_STEP, OPEN
from envs.tabletop.solids import rotation
from envs.tabletop.turns import rotation_vector

STATE_KEYS = ("robot_obs", "scene_obs")
# Fixed-axis angles (3,) of two orientations -> what relative actions say of the turn between them, (3,) rad
Turn: TypeAlias = "Callable[[np.ndarray, np.ndarray], np.ndarray]"
# Level 1 takes a quarter of the time that drawing does and leaves 34 kB of 142; NumPy's own level 6 takes 5 ms a frame
# for 29 kB.
LEVEL = 1

_LENGTHS = {"robot_obs": ARM_STATE, "actions": 7, "rel_actions": 7}
_CAMERA = re.compile(
    r"(rgb|depth)_(?!tactile)"
)  # official frames hold a tactile sensor's pictures too, of other shapes
_NAME = re.compile(r"episode_(\d+)\.npz")
# Whatever a file that is no archive of arrays, or a damaged one, makes NumPy raise
_UNREADABLE = (
    OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error
)  # fmt: skip


class DamagedFrameError(UserError):
    """Raised when the file of a frame is missing or cannot be read; other frames may still be used."""


def frame_name(number: int) -> str:
    """The file's name; CALVIN writes seven digits."""
    return f"episode_{number:07d}.npz"


def frame_number(name: str) -> int | None:
    """The number in a file's name; None if it is no frame's."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else None


def absolute_action(following: np.ndarray) -> np.ndarray:
    """float64 (7,): the action that led to the state `following`, a robot_obs (15,)."""
    gripper = OPEN if following[14] > 0 else CLOSED
    return np.append(np.asarray(following[:6], np.float64), gripper)


def turn_by_angles(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """How far each angle turns by itself, the short way round: relative actions that add up as angles."""
    return (np.asarray(after, np.float64) - before + np.pi) % (2 * np.pi) - np.pi


def turn_about_axes(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Axis times angle of the turn between: relative actions that turn about the world's axes."""
    now, then = (rotation((float(x), float(y), float(z))) for x, y, z in (before, after))
    return rotation_vector(then @ now.T)


def relative_action(robot: np.ndarray, action: np.ndarray, turn: Turn = turn_by_angles) -> np.ndarray:
    """float64 (7,) in -1..1: the absolute `action` seen from the state `robot`, a robot_obs (15,)."""
    change = np.append(np.asarray(action[:3], np.float64) - robot[:3], turn(robot[3:6], action[3:6]))
    limits = np.repeat([MAX_POSITION_STEP, MAX_ANGLE_STEP], 3)
    return np.append(np.clip(change, -limits, limits) / limits, action[6])


def encode_frame(
    observation: Mapping[str, np.ndarray], following: np.ndarray, keys: Sequence[str], turn: Turn = turn_by_angles
) -> bytes:
    """The content of a frame's file; equal frames give equal bytes.

    Args:
        observation: what was observed, robot_obs and scene_obs included.
        following: robot_obs of the next frame; at the end of an episode that of this one.
        keys: which of the cameras' pictures to store behind the states, such as rgb_static, where there are any.
        turn: how relative actions tell turns.
    """
    action = absolute_action(following)
    values = {"actions": action, "rel_actions": relative_action(observation["robot_obs"], action, turn)}
    for key in (*STATE_KEYS, *keys):
        if key in observation:
            values[key] = np.asarray(observation[key])
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for key, value in values.items():
            buffer = io.BytesIO()
            np.save(buffer, value, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{key}.npy")  # carries a fixed date
            archive.writestr(entry, buffer.getvalue(), zipfile.ZIP_DEFLATED, LEVEL)
    return stream.getvalue()


def read_frame(path: Path, keys: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of a frame, all or those of `keys`.

    Raises:
        DamagedFrameError: the file is missing or damaged, or lacks a key, or an array has a shape or type that none of
            CALVIN's format has.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            wanted = file.files if keys is None else keys
            missing = [key for key in wanted if key not in file.files]
            if missing:
                raise DamagedFrameError(
                    f"{path} has no {missing[0]}, only {', '.join(file.files)}: record or get it with that, or leave "
                    "its episode out"
                )
            values = {key: file[key] for key in wanted}
    except DamagedFrameError:
        raise
    except FileNotFoundError as error:
        raise DamagedFrameError(f"{path} is missing: get it again, or leave its episode out") from error
    except _UNREADABLE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DamagedFrameError(f"{path} is damaged ({reason}): get it again, or leave its episode out") from error
    for key, value in values.items():
        if not _fits(key, value):
            raise DamagedFrameError(
                f"{path} has {key} of shape {value.shape} and type {value.dtype}, which no frame in CALVIN's "
                "format has: get it again, or leave its episode out"
            )
    return values


def _fits(key: str, value: np.ndarray) -> bool:
    if key in _LENGTHS:
        return value.shape == (_LENGTHS[key],) and value.dtype.kind == "f"
    if key == "scene_obs":
        return value.ndim == 1 and value.dtype.kind == "f"
    camera = _CAMERA.match(key)
    if camera is None:
        return True
    if camera[1] == "rgb":
        return value.ndim == 3 and value.shape[2] == 3 and value.dtype == np.uint8
    return value.ndim == 2 and value.dtype.kind == "f"
