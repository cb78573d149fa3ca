"""CALVIN's play table as a Gymnasium environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded

from envs.calvin.actions import action_space, read_action, trouble_with
from envs.calvin.language import instruction_for, task_of
from envs.calvin.layouts import layout
from envs.calvin.play_table import SCENE_STATE
from envs.calvin.starts import start_for
from envs.calvin.tasks import check_task, is_solved
from envs.calvin.world import CAMERAS, CONTROL_HZ, BuiltinWorld, World, as_sizes
from envs.errors import UserError
from envs.tabletop.arm import ARM_STATE
from envs.viewer import Viewer

PICTURE = 480  # px; side of a rendered picture
FAR = 10.0  # m; nothing is seen beyond
BACKENDS = ("builtin", "official")
RESET_OPTIONS = ("robot_obs", "scene_obs", "task", "instruction")

Observation = dict[str, np.ndarray]


class CalvinEnv(gym.Env[Observation, np.ndarray]):
    """A robot arm at a play table with a sliding door, a drawer, a button, a switch and three blocks.

    ## Description
    The environment of CALVIN (Mees et al. 2022) on PyBullet, with a table of our own that measures the same: the
    observations, actions, joints and tests of success are CALVIN's. With `assets` it runs on CALVIN's official meshes;
    with `backend="official"` on the installed package `calvin_env`.

    ```python
    import envs  # registers the environment
    env = gymnasium.make("videoworld/Calvin-v0", instruction="open the drawer", max_steps=360)
    observation, info = env.reset(seed=1)
    observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
    ```

    ## Action Space
    `Box`, float32; one step is 1/30 s. The last value is the gripper's: above 0 open, else closed.
    - `actions="relative"`: (7,) in -1..1: steps of the tool centre point in units of 0.02 m along x, y, z and 0.05 rad
      about them. They add up in a stored target, as in CALVIN, so that lag does not add up too.
    - `actions="absolute"`: (7,): x, y, z in m and fixed-axis angles in rad. They do not move that stored target.
    - `actions="joint_relative"`, `actions="joint_absolute"`: (8,): the arm's seven joints in rad.

    Also understood are CALVIN's dict form, `{"type": "cartesian_abs", "action": ...}` and the like, and its absolute
    triple (position, angles or quaternion, gripper). A value outside the limits or a pose out of reach is carried out
    as far as it goes, as CALVIN does, and named in `info["trouble"]`; with `strict=True` it raises UserError. What is
    no finite number always does.

    ## Observation Space
    `Dict` of
    - `rgb_static` (200, 200, 3) and `rgb_gripper` (84, 84, 3), uint8; only the cameras asked for.
    - `depth_static`, `depth_gripper`, float32, m along the view axis; left out with `depth=False`.
    - `robot_obs`, float64 (15,): position (m) and fixed-axis angles (rad) of the tool centre point, opening of the
      fingers (m), seven joints (rad), last gripper command (+1 open, -1 closed).
    - `scene_obs`, float64 (24,): joints of door, drawer, button, switch (m), lightbulb and led (0 or 1), then xyz and
      angles of each block in the scene's order (B and D: red, blue, pink).

    `get_obs()` and `get_info()` return these in CALVIN's own nesting.

    ## Starting State
    Arm at home, everything closed and dark, blocks scattered; with a task, a start in which it makes sense (a drawer to
    close is open, a block to place is held). `reset(options={"robot_obs": ..., "scene_obs": ...})`
    starts from a state; `{"task": NAME}` or `{"instruction": TEXT}` sets the task from now on.

    ## Rewards
    1 in the step that solves the task, else 0. Without a task always 0.

    ## Episode End
    Terminated when the task is solved; truncated after `max_steps`. `start_task` begins another task without a reset,
    as CALVIN's chains do.

    ## Information
    CALVIN's `robot_info` and `scene_info`, and `task`, `instruction`, `success`, `steps` (of this task), `trouble`.

    ## Arguments
    - `scene`: "A" to "D", "D" by default. `cameras`: of "static" and "gripper", both by default.
    - `sizes`: camera -> side or (height, width) in px, such as `{"static": 256}`. `depth`: whether to return depth.
    - `actions`: see above. `task` or `instruction`: what to do, by name or in words; None by default.
    - `max_steps`: None by default; CALVIN gives 360 to each task of a chain. `strict`: see above.
    - `renderer`: "fast" (our own, on the CPU), "tiny" or "egl" (PyBullet's; "egl" wants a GPU).
    - `assets`: the folder `data` of CALVIN's repository. `backend`: "builtin" or "official".
    - `render_mode`: "human" (a window), "rgb_array" (the static camera, enlarged) or None.

    ## Version History
    - v0: first version.
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array"], "render_fps": CONTROL_HZ}

    def __init__(
        self,
        *,
        scene: str = "D",
        cameras: Sequence[str] = CAMERAS,
        sizes: Mapping[str, int | Sequence[int]] | None = None,
        depth: bool = True,
        actions: str = "relative",
        task: str | None = None,
        instruction: str | None = None,
        max_steps: int | None = None,
        strict: bool = False,
        renderer: str = "fast",
        assets: str | Path | None = None,
        backend: str = "builtin",
        render_mode: str | None = None,
    ) -> None:
        """Check the arguments, listed in the class docstring, and build the world; raises UserError."""
        for name, value, choices in (
            ("backend", backend, BACKENDS),
            ("render_mode", render_mode, (None, *self.metadata["render_modes"])),
        ):
            if value not in choices:
                raise UserError(f"{name} {value!r} is unknown; choose one of {', '.join(map(str, choices))}")
        if max_steps is not None and max_steps < 1:
            raise UserError(f"max_steps {max_steps} leaves no step to take; give 1 or more")
        self._layout = layout(scene)
        self.cameras = tuple(cameras)
        for name in (*self.cameras, *(sizes or {})):
            if name not in CAMERAS:
                raise UserError(f"camera {name!r} is unknown; choose of {', '.join(CAMERAS)}")
        self.action_space: spaces.Space[np.ndarray] = action_space(actions)
        self.actions, self.max_steps, self.strict, self.depth = actions, max_steps, strict, depth
        self.render_mode = render_mode
        self.task: str | None = None
        self.instruction: str | None = None
        self._set_task(task, instruction)
        wanted = as_sizes({**{"static": 200, "gripper": 84}, **(sizes or {})})
        sides = {name: wanted[name] for name in self.cameras}
        self.observation_space: spaces.Space[Observation] = _observation_space(sides, depth)
        self.world: World = make_world(backend, scene, sides, renderer, assets)
        self._start: dict[str, Any] = {}
        self._steps = 0
        self._running = False
        self._viewer = Viewer("Play table")

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; options: robot_obs (15,), scene_obs (24,), task, instruction. Raises UserError."""
        super().reset(seed=seed)
        options = dict(options or {})
        for name in options:
            if name not in RESET_OPTIONS:
                raise UserError(f"reset option {name!r} is unknown; choose of {', '.join(RESET_OPTIONS)}")
        if "task" in options or "instruction" in options:
            self._set_task(options.get("task"), options.get("instruction"))
        robot = _state("robot_obs", options.get("robot_obs"), ARM_STATE)
        scene = _state("scene_obs", options.get("scene_obs"), SCENE_STATE)
        if robot is not None or scene is not None:
            self.world.reset_to(robot, scene)
        elif self.task is not None:
            self.world.reset_to(*start_for(self.task, self._layout, self.np_random))
        else:
            self.world.reset(self.np_random)
        return self._observe(), self._begin()

    def start_task(self, task: str | None = None, instruction: str | None = None) -> dict[str, Any]:
        """Go on from here with another task, given by name or in words; returns the info. Raises UserError."""
        self._set_task(task, instruction)
        return self._begin()

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Let the arm act for 1/30 s.

        Raises:
            UserError: the action is malformed or not finite, or `strict` and beyond a limit. ResetNeeded: the episode
                has not begun or is over.
        """
        if not self._running:
            raise ResetNeeded("the episode has not begun or is over; call reset() or start_task() first")
        command = read_action(action, self.actions)
        trouble = trouble_with(command)
        if self.strict and trouble is not None:
            raise UserError(trouble)
        self.world.act(command)
        self._steps += 1
        info = self.world.info()
        solved = self.task is not None and is_solved(self.task, self._start, info)
        truncated = not solved and self.max_steps is not None and self._steps >= self.max_steps
        self._running = not (solved or truncated)
        self._show()
        return self._observe(), float(solved), solved, truncated, {**info, **self._own_info(solved, trouble)}

    def get_obs(self) -> dict[str, Any]:
        """The observation in CALVIN's nesting: rgb_obs, depth_obs, robot_obs, scene_obs."""
        flat = self._observe()
        return {
            "rgb_obs": {name: flat[name] for name in flat if name.startswith("rgb_")},
            "depth_obs": {name: flat[name] for name in flat if name.startswith("depth_")},
            "robot_obs": flat["robot_obs"],
            "scene_obs": flat["scene_obs"],
        }

    def get_info(self) -> dict[str, Any]:
        """CALVIN's info: robot_info and scene_info."""
        return self.world.info()

    def render(self) -> np.ndarray | None:
        """Return the static camera's picture, enlarged ("rgb_array"); the window of "human" is drawn by step."""
        if self.render_mode == "rgb_array":
            return self.world.overview(PICTURE)
        self._show()
        return None

    def close(self) -> None:
        """End the simulation and close the window, if there is one."""
        self._viewer.close()
        self.world.close()
        self._running = False

    def _set_task(self, task: str | None, instruction: str | None) -> None:
        if task is not None and instruction is not None and task_of(instruction) != check_task(task):
            raise UserError(f"instruction {instruction!r} asks for {task_of(instruction)}, but the task is {task}")
        if task is not None:
            self.task = check_task(task)
        else:
            self.task = None if instruction is None else task_of(instruction)
        self.instruction = instruction
        if instruction is None and self.task is not None:
            self.instruction = instruction_for(self.task)

    def _begin(self) -> dict[str, Any]:
        self._start = self.world.info()
        self._steps, self._running = 0, True
        self._show()
        return {**self.world.info(), **self._own_info(False, None)}  # another copy, for the caller to keep

    def _own_info(self, solved: bool, trouble: str | None) -> dict[str, Any]:
        return {
            "task": self.task,
            "instruction": self.instruction,
            "success": solved,
            "steps": self._steps,
            "trouble": trouble,
        }

    def _observe(self) -> Observation:
        robot, scene = self.world.states()
        observation = {}
        for name in self.cameras:
            picture, depth = self.world.picture(name)
            observation[f"rgb_{name}"] = picture
            if self.depth:
                observation[f"depth_{name}"] = depth
        return {**observation, "robot_obs": robot, "scene_obs": scene}

    def _show(self) -> None:
        """Draw the window of the "human" mode; raises UserError without a display."""
        if self.render_mode == "human":
            self._viewer.show(self.world.overview(PICTURE), self.metadata["render_fps"])


def make_world(
    backend: str, scene: str, sizes: dict[str, tuple[int, int]], renderer: str, assets: str | Path | None
) -> World:
    """The world of a backend; sizes: camera -> (height, width), px. UserError where something is missing."""
    if backend == "builtin":
        return BuiltinWorld(scene, sizes, renderer=renderer, assets=assets)
    from envs.calvin.official import OfficialWorld

    return OfficialWorld(scene, sizes, egl=renderer == "egl")


def _observation_space(sizes: dict[str, tuple[int, int]], depth: bool) -> Any:
    parts: dict[str, spaces.Space[Any]] = {}
    for name, (height, width) in sizes.items():
        parts[f"rgb_{name}"] = spaces.Box(0, 255, (height, width, 3), np.uint8)
        if depth:
            parts[f"depth_{name}"] = spaces.Box(0, FAR, (height, width), np.float32)
    parts["robot_obs"] = spaces.Box(-FAR, FAR, (ARM_STATE,), np.float64)
    parts["scene_obs"] = spaces.Box(-1000.0, 1000.0, (SCENE_STATE,), np.float64)
    return spaces.Dict(parts)


def _state(name: str, values: Any, length: int) -> np.ndarray | None:
    """A state given to reset, checked."""
    if values is None:
        return None
    state = np.asarray(values, np.float64)
    if state.shape != (length,) or not np.isfinite(state).all():
        raise UserError(f"{name} has shape {state.shape}; give {length} finite numbers")
    return state
