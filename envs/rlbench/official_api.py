"""What the adapter uses of the packages `rlbench` and `pyrep`, and nothing else.

The adapter holds their objects under these protocols, so the type checker allows it no other call, and
`benchmarks.rlbench_signatures` compares the same protocols with the packages' source. Arguments after a `*` are given
by name, those before it by position.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

# Name of a class or function in the packages -> the part of it that is used; an exception stands for itself.
USED: dict[str, type] = {}

Part = TypeVar("Part", bound=type)


def _stands_for(*names: str) -> Callable[[Part], Part]:
    def enter(part: Part) -> Part:
        USED.update(dict.fromkeys(names, part))
        return part

    return enter


@_stands_for("rlbench.backend.observation.Observation")
class Observation(Protocol):
    """What is seen and felt after a step; what was not asked for is None. Pictures are (H, W, 3) and (H, W)."""

    front_rgb: Any
    front_depth: Any
    wrist_rgb: Any
    wrist_depth: Any
    left_shoulder_rgb: Any
    left_shoulder_depth: Any
    right_shoulder_rgb: Any
    right_shoulder_depth: Any
    overhead_rgb: Any
    overhead_depth: Any
    joint_positions: Any
    joint_velocities: Any
    gripper_open: Any
    gripper_pose: Any
    gripper_joint_positions: Any
    task_low_dim_state: Any


@_stands_for("rlbench.demo.Demo")
class Demo(Protocol):
    """A demonstration: one observation a simulated step."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int) -> Observation: ...


@_stands_for("rlbench.task_environment.TaskEnvironment")
class TaskEnvironment(Protocol):
    """A task in the simulator. `step` gives the reward (1 for success) and whether the episode is over."""

    def variation_count(self) -> int: ...

    def set_variation(self, v: int) -> None: ...

    def reset(self) -> tuple[list[str], Observation]: ...

    def get_observation(self) -> Observation: ...

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool]: ...

    def get_demos(self, amount: int, *, live_demos: bool, max_attempts: int) -> list[Demo]: ...


@_stands_for("rlbench.observation_config.CameraConfig")
class CameraConfig(Protocol):
    """What a camera takes; image_size is (width, height)."""

    def __init__(
        self,
        *,
        rgb: bool,
        depth: bool,
        point_cloud: bool,
        mask: bool,
        image_size: tuple[int, int],
        render_mode: Any,
        depth_in_meters: bool,
    ) -> None: ...


@_stands_for("rlbench.observation_config.ObservationConfig")
class ObservationConfig(Protocol):
    """What is observed; a camera left out would take everything."""

    def __init__(
        self,
        *,
        front_camera: CameraConfig,
        wrist_camera: CameraConfig,
        left_shoulder_camera: CameraConfig,
        right_shoulder_camera: CameraConfig,
        overhead_camera: CameraConfig,
        joint_velocities: bool,
        joint_positions: bool,
        joint_forces: bool,
        gripper_open: bool,
        gripper_pose: bool,
        gripper_joint_positions: bool,
        task_low_dim_state: bool,
    ) -> None: ...


@_stands_for(
    "rlbench.action_modes.arm_action_modes.EndEffectorPoseViaIK",
    "rlbench.action_modes.arm_action_modes.EndEffectorPoseViaPlanning",
)
class PoseMode(Protocol):
    """How the arm gets to a pose: xyz and quaternion xyzw; relative ones in the world's axes, from where it is."""

    def __init__(self, *, absolute_mode: bool) -> None: ...


@_stands_for("rlbench.action_modes.gripper_action_modes.Discrete")
class Discrete(Protocol):
    """A gripper that opens or closes all the way: above 0.5 open, else closed."""

    def __init__(self) -> None: ...


@_stands_for("rlbench.action_modes.action_mode.MoveArmThenGripper")
class MoveArmThenGripper(Protocol):
    """An action is the arm's, then the gripper's."""

    def __init__(self, *, arm_action_mode: PoseMode, gripper_action_mode: Discrete) -> None: ...


@_stands_for("rlbench.environment.Environment")
class Environment(Protocol):
    """The simulator."""

    def __init__(self, action_mode: MoveArmThenGripper, *, obs_config: ObservationConfig, headless: bool) -> None: ...

    def launch(self) -> None: ...

    def shutdown(self) -> None: ...

    def get_task(self, task_class: type) -> TaskEnvironment: ...


@_stands_for("rlbench.utils.name_to_task_class")
class NameToTaskClass(Protocol):
    """The class of a task; raises InvalidTaskName."""

    def __call__(self, task_file: str) -> type: ...


@_stands_for("pyrep.const.RenderMode")
class RenderMode(Protocol):
    """How cameras draw: OPENGL is faster and has no shadows."""

    OPENGL: Any
    OPENGL3: Any


INVALID_TASK = "rlbench.utils.InvalidTaskName"
NO_PLACE = "rlbench.backend.exceptions.TaskEnvironmentError"
# What a command that cannot be carried out raises; nothing is wrong with the simulator then.
REFUSALS = (
    "rlbench.backend.exceptions.InvalidActionError",
    "pyrep.errors.ConfigurationPathError",
    "pyrep.errors.ConfigurationError",
    "pyrep.errors.IKError",
    "pyrep.errors.GripperError",
)
USED.update(dict.fromkeys((INVALID_TASK, NO_PLACE, *REFUSALS), Exception))


class Package(NamedTuple):
    """The installed packages, by what is used of them."""

    environment: type[Environment]
    move_arm_then_gripper: type[MoveArmThenGripper]
    pose_via_ik: type[PoseMode]
    pose_via_planning: type[PoseMode]
    discrete: type[Discrete]
    observation_config: type[ObservationConfig]
    camera_config: type[CameraConfig]
    render_mode: RenderMode
    name_to_task_class: NameToTaskClass
    invalid_task: type[Exception]
    no_place: type[Exception]
    refusals: tuple[type[Exception], ...]


def load() -> Package:
    """Import the packages. ImportError or AttributeError where they have not what is used."""
    return Package(
        environment=_find("rlbench.environment.Environment"),
        move_arm_then_gripper=_find("rlbench.action_modes.action_mode.MoveArmThenGripper"),
        pose_via_ik=_find("rlbench.action_modes.arm_action_modes.EndEffectorPoseViaIK"),
        pose_via_planning=_find("rlbench.action_modes.arm_action_modes.EndEffectorPoseViaPlanning"),
        discrete=_find("rlbench.action_modes.gripper_action_modes.Discrete"),
        observation_config=_find("rlbench.observation_config.ObservationConfig"),
        camera_config=_find("rlbench.observation_config.CameraConfig"),
        render_mode=_find("pyrep.const.RenderMode"),
        name_to_task_class=_find("rlbench.utils.name_to_task_class"),
        invalid_task=_find(INVALID_TASK),
        no_place=_find(NO_PLACE),
        refusals=tuple(_find(name) for name in REFUSALS),
    )


def _find(name: str) -> Any:
    """What a full name means in the installed packages."""
    assert name in USED, f"{name} is used but not compared with the packages' source"
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)
