"""One frame of a CALVIN dataset: `episode_0001234.npz`, with the actions that follow from two frames.

    rgb_static    uint8 (200, 200, 3), rgb_gripper uint8 (84, 84, 3); other sizes are read as well
    depth_static  float32 (200, 200), depth_gripper float32 (84, 84), m along the view axis; optional
    robot_obs     float64 (15,), scene_obs float64 (24,): as `CalvinEnv` returns them
    actions       float64 (7,): the pose that the tool centre point has in the next frame, xyz in m and fixed-axis
                  angles in rad, and the gripper's command (+1 open, -1 closed) on the way there
    rel_actions   float64 (7,): that pose less this frame's, in units of 0.02 m and 0.05 rad, clipped to -1..1, angles
                  the short way round; and the gripper's command

The last frame of an episode has nothing behind it: its actions are to stay.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from envs.calvin.play_table import SCENE_STATE
from envs.errors import UserError
from envs.tabletop.arm import ARM_STATE, CLOSED, MAX_ANGLE_STEP, MAX_POSITION_STEP, OPEN

CAMERA_KEYS = ("rgb_static", "rgb_gripper")
DEPTH_KEYS = ("depth_static", "depth_gripper")
STATE_KEYS = ("robot_obs", "scene_obs")
ACTION_KEYS = ("actions", "rel_actions")
# Level 1 takes a quarter of the time that drawing does and leaves 34 kB of 142; NumPy's own level 6 takes 5 ms a frame
# for 29 kB.
LEVEL = 1

_LENGTHS = {"robot_obs": ARM_STATE, "scene_obs": SCENE_STATE, "actions": 7, "rel_actions": 7}
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


def relative_action(robot: np.ndarray, action: np.ndarray) -> np.ndarray:
    """float64 (7,) in -1..1: the absolute `action` seen from the state `robot`, a robot_obs (15,)."""
    change = np.asarray(action[:6], np.float64) - robot[:6]
    change[3:] = (change[3:] + np.pi) % (2 * np.pi) - np.pi
    limits = np.repeat([MAX_POSITION_STEP, MAX_ANGLE_STEP], 3)
    return np.append(np.clip(change, -limits, limits) / limits, action[6])


def encode_frame(observation: Mapping[str, np.ndarray], following: np.ndarray, *, depth: bool) -> bytes:
    """The content of a frame's file; equal frames give equal bytes.

    Args:
        observation: what `CalvinEnv` returned.
        following: robot_obs of the next frame; at the end of an episode that of this one.
        depth: whether to store what the cameras measured in depth.
    """
    action = absolute_action(following)
    values = {"actions": action, "rel_actions": relative_action(observation["robot_obs"], action)}
    for key in (*STATE_KEYS, *CAMERA_KEYS, *(DEPTH_KEYS if depth else ())):
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
            CALVIN's has.
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
                f"{path} has {key} of shape {value.shape} and type {value.dtype}, which no frame of CALVIN's has: get "
                "it again, or leave its episode out"
            )
    return values


def _fits(key: str, value: np.ndarray) -> bool:
    if key in _LENGTHS:
        return value.shape == (_LENGTHS[key],) and value.dtype.kind == "f"
    if key in CAMERA_KEYS:
        return value.ndim == 3 and value.shape[2] == 3 and value.dtype == np.uint8
    return key not in DEPTH_KEYS or (value.ndim == 2 and value.dtype.kind == "f")
