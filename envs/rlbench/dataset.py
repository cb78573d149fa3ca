"""RLBench's own part of its data sets, which are in CALVIN's format: see `envs.tabletop.frames`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import yaml

from envs.rlbench.world import CONTROL_HZ, SIDE
from envs.tabletop.arm import ARM_STATE
from envs.tabletop.dataset_files import DatasetKind
from envs.tabletop.frames import turn_about_axes
from envs.tabletop.solids import fixed_angles
from envs.tabletop.turns import matrix_of

CAMERAS = ("front", "wrist")
SIZES = dict.fromkeys(CAMERAS, (SIDE, SIDE))  # height and width, px


def rlbench_kind(sizes: Mapping[str, tuple[int, int]] | None = None) -> DatasetKind:
    """Data sets of any tasks; sizes: camera -> (height, width), RLBench's own by default.

    The things' states have a length of their own for each task, so there are no statistics of them.
    """
    told = {
        "world": "rlbench",
        "control_freq": CONTROL_HZ,
        "cameras": {
            name: {"name": name, "height": height, "width": width} for name, (height, width) in (sizes or SIZES).items()
        },
    }
    return DatasetKind(
        scene="rlbench",
        cameras=CAMERAS,
        config=yaml.safe_dump(told, sort_keys=False).encode(),
        fixed=(("world",), ("cameras",)),
        states={"robot_obs": ARM_STATE},
        turn=turn_about_axes,
    )


def frame_of(
    states: Mapping[str, np.ndarray], pictures: Mapping[str, np.ndarray], gripper: int
) -> dict[str, np.ndarray]:
    """What a frame holds of a moment.

    Args:
        states: a world's or an environment's.
        pictures: uint8 (h, w, 3) of each of `CAMERAS`.
        gripper: its last command, +1 (open) or -1.
    """
    pose = states["gripper_pose"]
    width = states["gripper_joint_positions"].sum()
    robot = [*pose[:3], *fixed_angles(matrix_of(pose[3:])), width, *states["joint_positions"], gripper]
    return {
        **{f"rgb_{name}": pictures[name] for name in CAMERAS},
        "robot_obs": np.array(robot, np.float64),
        "scene_obs": np.asarray(states["task_low_dim_state"], np.float64),
    }
