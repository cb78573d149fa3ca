"""CALVIN's own part of its data sets, which are otherwise as `envs.tabletop` writes and reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from envs.calvin.language import VALIDATION
from envs.calvin.layouts import Layout, layout
from envs.calvin.play_table import ROBOT_BASE, SCENE_STATE
from envs.calvin.world import CAMERAS, static_camera
from envs.tabletop.arm import ARM_STATE, HOME
from envs.tabletop.dataset_files import DatasetKind

SIZES = {"static": (200, 200), "gripper": (84, 84)}


def calvin_kind(
    scene: str = "D", *, depth: bool = False, sizes: Mapping[str, tuple[int, int]] | None = None
) -> DatasetKind:
    """Data sets of a scene, A to D; sizes: camera -> (height, width), CALVIN's own by default. Raises UserError."""
    plan = layout(scene)
    return DatasetKind(
        scene=f"calvin_scene_{plan.name}",
        cameras=CAMERAS,
        config=merged_config(plan, SIZES if sizes is None else sizes),
        fixed=(("scene", "objects", "fixed_objects", "table", "file"), ("cameras",)),
        states={"robot_obs": ARM_STATE, "scene_obs": SCENE_STATE},
        depth=depth,
        sentences=VALIDATION,
    )


def merged_config(layout: Layout, sizes: Mapping[str, tuple[int, int]]) -> bytes:
    """What CALVIN's tools build their environment from: cameras, robot, scene; sizes: camera -> (height, width)."""
    static = static_camera((1, 1))
    cameras: dict[str, Any] = {}
    for name, (height, width) in sizes.items():
        size = {"name": name, "aspect": 1, "width": width, "height": height}
        cameras[name] = {
            "_target_": f"calvin_env.camera.{name}_camera.{name.capitalize()}Camera",
            **size,
            **({"fov": 10, "nearval": 0.01, "farval": 10} if name == "static" else _GRIPPER_CAMERA),
        }
        if name == "static":
            cameras[name] |= {
                "look_at": list(static.target), "look_from": list(static.eye), "up_vector": list(static.up),
            }  # fmt: skip
    blocks = {f"block_{c}": {"file": f"blocks/block_{c}_{layout.sizes[c]}.urdf"} for c in layout.order}
    scene = {
        "_target_": "calvin_env.scene.play_table_scene.PlayTableScene", "_recursive_": False,
        "data_path": "${data_path}", "global_scaling": 0.8, "euler_obs": "${robot.euler_obs}",
        "robot_base_position": list(ROBOT_BASE), "robot_base_orientation": [0, 0, 0],
        "robot_initial_joint_positions": list(HOME),
        "surfaces": {name: [list(corner) for corner in box] for name, box in layout.starts.items()},
        "objects": {
            "fixed_objects": {"table": _table(layout)},
            "movable_objects": {
                name: {**block, "initial_pos": "any", "initial_orn": "any"} for name, block in blocks.items()
            },
        },
    }  # fmt: skip
    told = {
        "data_path": "data", "save_dir": "/tmp", "seed": 0, "use_vr": False,
        "cameras": cameras, "robot": _ROBOT, "scene": scene, "env": _ENV,
    }  # fmt: skip
    return yaml.safe_dump(told, sort_keys=False, default_flow_style=None, width=120).encode()


_GRIPPER_CAMERA = {"fov": 75, "nearval": 0.01, "farval": 2}
_ROBOT = {
    "_target_": "calvin_env.robot.robot.Robot", "filename": "franka_panda/panda_longer_finger.urdf",
    "base_position": "${scene.robot_base_position}", "base_orientation": "${scene.robot_base_orientation}",
    "initial_joint_positions": "${scene.robot_initial_joint_positions}", "max_joint_force": 200.0,
    "gripper_force": 200, "arm_joint_ids": list(range(7)), "gripper_joint_ids": [9, 11],
    "gripper_joint_limits": [0, 0.04], "tcp_link_id": 15, "end_effector_link_id": 7, "gripper_cam_link": 14,
    "use_nullspace": True, "max_velocity": 2, "use_ik_fast": False, "magic_scaling_factor_pos": 1,
    "magic_scaling_factor_orn": 1, "use_target_pose": True, "euler_obs": True,
}  # fmt: skip
_ENV = {
    "_target_": "calvin_env.envs.play_table_env.PlayTableSimEnv", "_recursive_": False, "cameras": "${cameras}",
    "seed": "${seed}", "use_vr": "${use_vr}", "bullet_time_step": 240.0, "show_gui": False,
    "robot_cfg": "${robot}", "scene_cfg": "${scene}", "use_scene_info": False, "use_egl": False, "control_freq": 30,
}  # fmt: skip


def _table(layout: Layout) -> dict[str, Any]:
    name = f"calvin_table_{layout.name}"
    return {
        "file": f"{name}/urdf/{name}.urdf", "initial_pos": [0, 0, 0], "initial_orn": [0, 0, 0],
        "joints": {"base__slide": {"initial_state": 0}, "base__drawer": {"initial_state": 0}},
        "buttons": {"base__button": {"initial_state": 0, "effect": "led"}},
        "switches": {"base__switch": {"initial_state": 0, "effect": "lightbulb"}},
        "lights": {
            "lightbulb": {"link": "light_link", "color": [1, 1, 0, 1]},
            "led": {"link": "led_link", "color": [0, 1, 0, 1]},
        },
    }  # fmt: skip
