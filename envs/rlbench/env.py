"""RLBench's tasks as a Gymnasium environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded

from envs.errors import UserError
from envs.rlbench.actions import action_space, read_action
from envs.rlbench.language import meaning_of
from envs.rlbench.world import CAMERAS, CONTROL_HZ, STATES, World, as_sizes, check_cameras
from envs.viewer import Viewer

PICTURE = 480  # px; side of a rendered picture
BACKENDS = ("builtin", "official")
DEFAULT_TASK = "reach_target"
RESET_OPTIONS = ("variation", "instruction")
FARTHEST = 1000.0  # beyond what any state is

Observation = dict[str, np.ndarray]


class RLBenchEnv(gym.Env[Observation, np.ndarray]):
    """A robot arm that does one of RLBench's tasks.

    ## Description
    Tasks of RLBench (James et al. 2020) on PyBullet: the arm, cameras, observations, variations and tests of success
    are RLBench's, the things on the table are models of our own and measure what they like. With
    `backend="official"` the installed package `rlbench` is run instead, with all its tasks.

    ```python
    import envs  # registers the environment
    env = gymnasium.make("videoworld/RLBench-v0", task="close_microwave", max_steps=200)
    observation, info = env.reset(seed=1)
    observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
    ```

    The built-in tasks are the files of `envs/rlbench/tasks`; `envs.rlbench.tasks.task_names()` lists them.

    ## Action Space
    `Box`, float32, in the world's axes:
    - `actions="delta"`: (7,) in -1..1; one step is 1/20 s. Steps of the tip in units of 0.02 m along x, y, z and 0.05
      rad about them, then the gripper: above 0 open, else closed. They add up in a stored target, so that lag does not
      add up too.
    - `actions="pose"`: (8,): a change of the tip's position in m (-0.3 to 0.3), a turn as a quaternion xyzw that is
      applied after the tip's present orientation, and the gripper: above 0.5 open, else closed. A step ends when the
      arm is there or stands still, as RLBench's EndEffectorPoseViaIK(absolute_mode=False) does.

    What is beyond a limit is cut off there, a pose out of reach is not gone to, and both are named in
    `info["trouble"]`. What is no finite number raises UserError.

    ## Observation Space
    `Dict` of
    - `front_rgb`, `wrist_rgb`, `left_shoulder_rgb`, `right_shoulder_rgb`, `overhead_rgb`: uint8 (128, 128, 3); only
      the cameras asked for.
    - `joint_positions` (7,) rad, `joint_velocities` (7,) rad/s, `gripper_open` (1,) 0 or 1, `gripper_pose` (7,): xyz
      in m and quaternion xyzw of the tip, `gripper_joint_positions` (2,) m; all float64.
    - `task_low_dim_state`, float64 (n,): of each of the task's things the pose (7,), then its joints, m or rad.

    ## Starting State
    Arm at home with an open gripper; the things of the task are placed by chance where the arm reaches them. The
    variation is `variation`, or drawn. `reset(options={"variation": 2})` chooses one for this episode;
    `{"instruction": TEXT}` what to do from now on, in words.

    ## Rewards
    1 in the step that solves the task, else 0.

    ## Episode End
    Terminated when the task is solved, or when nothing can solve it any more (some tasks of the official package);
    truncated after `max_steps`.

    ## Information
    `task`, `variation`, `descriptions` (list of str, the protocol's sentence first), `instruction` (the one that was
    asked for, else the protocol's), `success`, `steps`, `trouble` (str or None).

    ## Arguments
    - `task`: its name; or `instruction`: what to do, in words. "reach_target" without both. `variation`: int or None.
    - `cameras`: of "front", "wrist", "left_shoulder", "right_shoulder", "overhead"; the first two by default.
    - `sizes`: a side in px for all, or camera -> side or (height, width); 128 by default.
    - `actions`: see above. `max_steps`: None by default.
    - `renderer`: "fast" (our own, on the CPU, the default), "tiny" or "egl" (PyBullet's; "egl" wants a GPU); of the
      official package "opengl3" (the default) or "opengl" (faster, without shadows).
    - `backend`: "builtin" or "official". `arm`: of the official package, "ik" (the default: small moves) or "planning"
      (any pose, up to seconds each).
    - `render_mode`: "human" (a window), "rgb_array" (the front camera, enlarged) or None.

    ## Version History
    - v0: first version.
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array"], "render_fps": CONTROL_HZ}

    def __init__(
        self,
        *,
        task: str | None = None,
        variation: int | None = None,
        instruction: str | None = None,
        cameras: Sequence[str] = CAMERAS[:2],
        sizes: Mapping[str, int | Sequence[int]] | int | None = None,
        actions: str = "delta",
        max_steps: int | None = None,
        renderer: str | None = None,
        backend: str = "builtin",
        arm: str | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Check the arguments, listed in the class docstring, and prepare the world; raises UserError."""
        modes = (None, *self.metadata["render_modes"])
        if render_mode not in modes:
            raise UserError(f"render_mode {render_mode!r} is unknown; choose one of {', '.join(map(str, modes))}")
        if max_steps is not None and max_steps < 1:
            raise UserError(f"max_steps {max_steps} leaves no step to take; give 1 or more")
        self.cameras = check_cameras(cameras)
        wanted = as_sizes(self.cameras, sizes)
        self.action_space: spaces.Space[np.ndarray] = action_space(actions)
        self.actions, self.max_steps, self.backend, self.render_mode = actions, max_steps, backend, render_mode
        self.task = task if task is not None else DEFAULT_TASK
        if task is None and instruction is not None:
            self.task = meaning_of(instruction).task
        self.world: World = make_world(backend, wanted, renderer=renderer, arm=arm)
        self._variations = self.world.variations(self.task)  # raises what is wrong with the task
        self.variation = None if variation is None else self._checked(variation)
        self.instruction = instruction
        self._may_be = self._meant(instruction)
        self.observation_space: spaces.Space[Observation] = _observation_space(wanted, self.world.state_size(self.task))
        self._steps = 0
        self._running = False
        self._viewer = Viewer("RLBench")

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; options: variation, instruction. Raises UserError."""
        super().reset(seed=seed)
        options = dict(options or {})
        for name in options:
            if name not in RESET_OPTIONS:
                raise UserError(f"reset option {name!r} is unknown; choose of {', '.join(RESET_OPTIONS)}")
        if "instruction" in options:
            self._may_be = self._meant(options["instruction"])
            self.instruction = options["instruction"]
        variation = self.variation if options.get("variation") is None else self._checked(options["variation"])
        if variation is None and len(self._may_be) < self._variations:
            variation = self._may_be[int(self.np_random.integers(len(self._may_be)))]
        if variation is not None and variation not in self._may_be:
            raise UserError(
                f"instruction {self.instruction!r} asks for variation {self._may_be[0]} of {self.task}, "
                f"but the variation is {variation}; leave one of them out"
            )
        self.world.reset(self.task, variation, self.np_random)
        self._steps, self._running = 0, True
        self._show()
        return self._observe(), self._info(None)

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Let the arm act.

        Raises:
            UserError: the action is malformed or not finite. ResetNeeded: the episode has not begun or is over.
        """
        if not self._running:
            raise ResetNeeded("the episode has not begun or is over; call reset() first")
        command, trouble = read_action(action, self.actions)
        self.world.act(command)
        self._steps += 1
        info = self._info(trouble)
        solved = bool(info["success"])
        terminated = solved or bool(self.world.info()["failed"])
        truncated = not terminated and self.max_steps is not None and self._steps >= self.max_steps
        self._running = not (terminated or truncated)
        self._show()
        return self._observe(), float(solved), terminated, truncated, info

    def render(self) -> np.ndarray | None:
        """Return the front camera's picture, enlarged ("rgb_array"); the window of "human" is drawn by step."""
        if self.render_mode == "rgb_array":
            return self.world.overview(PICTURE)
        self._show()
        return None

    def close(self) -> None:
        """End the simulation and close the window, if there is one."""
        self._viewer.close()
        self.world.close()
        self._running = False

    def _checked(self, variation: Any) -> int:
        """A variation that the task has."""
        whole = isinstance(variation, (int, np.integer)) and not isinstance(variation, bool)
        if not whole or not 0 <= variation < self._variations:
            there = "only variation 0" if self._variations == 1 else f"variations 0 to {self._variations - 1}"
            raise UserError(f"variation {variation!r} is out of range; {self.task} has {there}")
        return int(variation)

    def _meant(self, instruction: str | None) -> tuple[int, ...]:
        """The variations that an instruction may mean; the official package's sentences are not known beforehand."""
        if instruction is None or self.backend == "official":
            return tuple(range(self._variations))
        meaning = meaning_of(instruction)
        if meaning.task != self.task:
            raise UserError(f"instruction {instruction!r} asks for {meaning.task}, but the task is {self.task}")
        return meaning.variations

    def _info(self, trouble: str | None) -> dict[str, Any]:
        world = self.world.info()
        return {
            "task": world["task"],
            "variation": world["variation"],
            "descriptions": list(world["descriptions"]),
            "instruction": world["descriptions"][0] if self.instruction is None else self.instruction,
            "success": bool(world["success"]),
            "steps": self._steps,
            "trouble": trouble or world["trouble"],
        }

    def _observe(self) -> Observation:
        pictures = {f"{name}_rgb": self.world.picture(name)[0] for name in self.cameras}
        return {**pictures, **self.world.states()}

    def _show(self) -> None:
        """Draw the window of the "human" mode; raises UserError without a display."""
        if self.render_mode == "human":
            self._viewer.show(self.world.overview(PICTURE), self.metadata["render_fps"])


def make_world(
    backend: str,
    sizes: dict[str, tuple[int, int]],
    *,
    renderer: str | None = None,
    arm: str | None = None,
    depth: bool = False,
) -> World:
    """The world of a backend; sizes: camera -> (height, width), px.

    renderer, arm: as in `RLBenchEnv`; None takes the backend's own. depth: whether pictures have a depth other than 0;
    the built-in world's have one in any case, for it costs nothing there.

    Raises:
        UserError: an unknown choice, or something is not installed. SimulatorError: the simulator did not start.
    """
    if backend not in BACKENDS:
        raise UserError(f"backend {backend!r} is unknown; choose one of {', '.join(BACKENDS)}")
    if backend == "builtin":
        from envs.rlbench.builtin import BuiltinWorld

        if arm is not None:
            raise UserError(f"arm {arm!r} is a choice of backend 'official'; leave it out")
        return BuiltinWorld(sizes, renderer=renderer or "fast")
    from envs.rlbench.official import OfficialWorld

    choices: dict[str, Any] = {
        name: value for name, value in (("renderer", renderer), ("arm", arm)) if value is not None
    }
    return OfficialWorld(sizes, depth=depth, **choices)


def _observation_space(sizes: dict[str, tuple[int, int]], state_size: int) -> Any:
    parts: dict[str, spaces.Space[Any]] = {
        f"{name}_rgb": spaces.Box(0, 255, (height, width, 3), np.uint8) for name, (height, width) in sizes.items()
    }
    for name, count in {**STATES, "task_low_dim_state": state_size}.items():
        parts[name] = spaces.Box(-FARTHEST, FARTHEST, (count,), np.float64)
    return spaces.Dict(parts)
