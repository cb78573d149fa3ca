"""The files beside the frames of a CALVIN dataset: index, annotations, statistics, configuration."""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import yaml

from envs.calvin.language import VALIDATION
from envs.calvin.layouts import Layout
from envs.calvin.play_table import ROBOT_BASE, SCENE_STATE
from envs.calvin.world import static_camera
from envs.objects import array_bytes, object_bytes
from envs.tabletop.arm import ARM_STATE, HOME

SPLITS = ("training", "validation")
INDEX = "ep_start_end_ids.npy"
LENGTHS = "ep_lens.npy"
SCENES = "scene_info.npy"
STATISTICS = "statistics.yaml"
CONFIG = ".hydra/merged_config.yaml"
ANNOTATIONS = "lang_annotations/auto_lang_ann.npy"
EMBEDDINGS = "lang_annotations/embeddings.npy"
EMBEDDING = 384  # numbers of a sentence, as many as CALVIN's own encoder gives

Entry = Mapping[str, Any]  # a line of a writer's journal: first, last, task, sentence, moments


class Moments:
    """Running sums over an episode's states and actions, from which the statistics come."""

    def __init__(self) -> None:
        self.count = 0
        self._sums = {name: np.zeros((2, length)) for name, length in _STATES.items()}
        self._low, self._high = np.full(7, np.inf), np.full(7, -np.inf)

    def add(self, states: Mapping[str, np.ndarray], action: np.ndarray) -> None:
        """Count a frame: robot_obs (15,), scene_obs (24,) and the absolute action (7,)."""
        self.count += 1
        for name, sums in self._sums.items():
            sums += (states[name], np.square(states[name]))
        self._low, self._high = np.minimum(self._low, action), np.maximum(self._high, action)

    def as_json(self) -> dict[str, Any]:
        """Numbers that survive JSON exactly."""
        sums = {name: sums.tolist() for name, sums in self._sums.items()}
        return {"count": self.count, **sums, "low": self._low.tolist(), "high": self._high.tolist()}


_STATES = {"robot_obs": ARM_STATE, "scene_obs": SCENE_STATE}


def derived_files(entries: Sequence[Entry], layout: Layout, *, validation: bool) -> dict[str, bytes]:
    """Everything that follows from the episodes in a split: name -> content; the index is the last.

    Annotated windows are whole episodes. Sentences are embedded by counting their words (see `embed`).
    """
    spans = np.array([(entry["first"], entry["last"]) for entry in entries], np.int64).reshape(-1, 2)
    files = {ANNOTATIONS: _annotations(entries)}
    if validation:
        files[EMBEDDINGS] = object_bytes(
            {task: {"ann": [text], "emb": embed([text])} for task, text in VALIDATION.items()}
        )
    if len(spans):
        files[SCENES] = object_bytes({f"calvin_scene_{layout.name}": [int(spans.min()), int(spans.max())]})
        files[STATISTICS] = _statistics(entries)
    files[LENGTHS] = array_bytes(spans[:, 1] - spans[:, 0] + 1)
    files[INDEX] = array_bytes(spans)
    return files


def _annotations(entries: Iterable[Entry]) -> bytes:
    # A pickle spells a text once and then points to it; interned texts make it the same wherever they come from.
    told = [entry for entry in entries if entry["sentence"]]
    sentences = [sys.intern(entry["sentence"]) for entry in told]
    return object_bytes(
        {
            "language": {
                "ann": sentences,
                "task": [sys.intern(entry["task"]) for entry in told],
                "emb": embed(sentences),
            },
            "info": {"episodes": [], "indx": [(entry["first"], entry["last"]) for entry in told]},
        }
    )


def embed(sentences: Sequence[str]) -> np.ndarray:
    """float32 (N, 1, 384): which words a sentence has, hashed, of length 1.

    CALVIN's own come from a language model. These have their shape and tell sentences apart, no more.
    """
    vectors = np.zeros((len(sentences), 1, EMBEDDING), np.float32)
    for vector, sentence in zip(vectors, sentences, strict=True):
        for word in re.findall(r"[a-z]+", sentence.lower()):
            code = zlib.crc32(word.encode())
            vector[0, code % EMBEDDING] += 1 if code >> 16 & 1 else -1
        vector /= max(float(np.linalg.norm(vector)), 1e-6)
    return vectors


def _statistics(entries: Sequence[Entry]) -> bytes:
    moments = [entry["moments"] for entry in entries]
    count = sum(moment["count"] for moment in moments)
    told: dict[str, Any] = {}
    for name in _STATES:
        total, squares = np.sum([moment[name] for moment in moments], axis=0) / count
        told[name] = [
            {
                "_target_": "calvin_agent.utils.transforms.NormalizeVector",
                "mean": total.tolist(),
                "std": np.sqrt(np.maximum(squares - total**2, 0)).tolist(),
            }
        ]
    told["act_min_bound"] = np.min([moment["low"] for moment in moments], axis=0).tolist()
    told["act_max_bound"] = np.max([moment["high"] for moment in moments], axis=0).tolist()
    return yaml.safe_dump(told, sort_keys=False, default_flow_style=None, width=120).encode()


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
