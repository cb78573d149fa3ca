"""CALVIN's play table in the robot window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from envs.calvin.dataset import calvin_kind
from envs.calvin.env import CalvinEnv, Observation
from envs.calvin.experts import EXPERTS, Expert
from envs.calvin.language import instruction_for, task_of
from envs.calvin.layouts import LAYOUTS, layout
from envs.calvin.play_table import ROBOT_BASE
from envs.calvin.sequences import CHAIN_STEPS
from envs.calvin.tasks import TASKS
from envs.calvin.world import CAMERAS, CONTROL_HZ
from envs.files import data_folder
from envs.tabletop.arm import MAX_ANGLE_STEP, MAX_POSITION_STEP, beyond_reach
from envs.tabletop.dataset_writer import DatasetWriter
from ui.robot_benchmark import Action, Policy, View, held_back, persistent

SIDES: tuple[int, ...] = (200, 400)  # px of the static camera; CALVIN's own first
GRIPPER_SHARE = 0.42  # the gripper camera's pictures are smaller, as CALVIN's 84 px are
# x is the static camera's right, y leads into its picture. The first two angles turn with the hand; at home, a quarter
# turn about z, they are about y and -x.
_MOVES: Mapping[str, tuple[int, int]] = {
    "right": (0, 1), "left": (0, -1), "away": (1, 1), "near": (1, -1), "up": (2, 1), "down": (2, -1),
    "roll_left": (3, 1), "roll_right": (3, -1), "tilt_near": (4, 1), "tilt_away": (4, -1),
    "turn_left": (5, 1), "turn_right": (5, -1),
}  # fmt: skip
_UNITS = np.repeat([MAX_POSITION_STEP, MAX_ANGLE_STEP], 3)


@dataclass(frozen=True)
class Calvin:
    """A `Benchmark`. backend, assets: as in `CalvinEnv`."""

    backend: str = "builtin"
    assets: Path | None = None

    name, world = "CALVIN", "calvin"
    hz = CONTROL_HZ
    limit = CHAIN_STEPS
    cameras = (CAMERAS[0], CAMERAS[1])
    scenes = tuple(LAYOUTS)
    tasks = tuple(TASKS)
    sizes = SIDES
    moves = _MOVES

    def sentence(self, task: str) -> str:
        """See `Benchmark`."""
        return instruction_for(task)

    def recorded_as(self, task: str) -> str:
        """See `Benchmark`."""
        return task

    def task_of(self, instruction: str) -> str:
        """See `Benchmark`."""
        return task_of(instruction)

    def why_no_expert(self, task: str | None) -> str:
        """See `Benchmark`."""
        if task is None:
            return "The expert follows scripts of known tasks, and this instruction asks for none."
        return "" if task in EXPERTS else f"There is no script for {task}."

    def open(self, scene: str, size: int) -> CalvinSimulation:
        """See `Benchmark`."""
        sizes = {CAMERAS[0]: size, CAMERAS[1]: round(GRIPPER_SHARE * size)}
        env = CalvinEnv(scene=scene, sizes=sizes, depth=False, backend=self.backend, assets=self.assets)
        return CalvinSimulation(env, scene, self.backend == "builtin")

    def data_set(self, scene: str) -> Path:
        """See `Benchmark`."""
        return data_folder() / "demonstrations" / f"calvin-{scene}"

    def record(self, folder: Path, scene: str) -> DatasetWriter:
        """See `Benchmark`; what is recorded becomes the split `training` of the data set in `folder`."""
        return DatasetWriter(folder / "training", calvin_kind(scene))


class CalvinSimulation:
    """A `Simulation`: the environment, and where its relative actions add up to."""

    def __init__(self, env: CalvinEnv, scene: str, draws: bool = True) -> None:
        """draws: whether the world draws pictures of any size."""
        self.env, self._layout, self._draws = env, layout(scene), draws
        self._target = np.zeros(6)  # what relative actions add to: a copy of the arm's

    def reset(self, task: str | None, seed: int) -> View:
        """See `Simulation`."""
        observation, _ = self.env.reset(seed=seed, options={"task": task})
        self._target = observation["robot_obs"][:6].copy()
        return self._view(observation)

    def go_on(self, task: str | None) -> View:
        """See `Simulation`."""
        self.env.start_task(task)
        nested = self.env.get_obs()
        flat = {**nested["rgb_obs"], "robot_obs": nested["robot_obs"], "scene_obs": nested["scene_obs"]}
        return self._view(flat)

    def step(self, action: Action) -> View:
        """See `Simulation`."""
        observation, _, solved, _, info = self.env.step(action)
        self._target = self._target + _UNITS * action[:6]
        return self._view(observation, solved, info["trouble"])

    def portrait(self, size: int) -> NDArray[np.uint8]:
        """See `Simulation`."""
        if self._draws:
            return self.env.world.overview(size)
        return np.asarray(self.env.get_obs()["rgb_obs"][f"rgb_{CAMERAS[0]}"])

    def expert(self, task: str, seed: int) -> Policy:
        """See `Simulation`; after an attempt in vain the script begins anew."""
        random = np.random.default_rng(seed)
        return persistent(
            lambda: Expert(task, self._layout, random),
            lambda expert, view: expert.act(view.observation["robot_obs"], view.observation["scene_obs"]),
        )

    def close(self) -> None:
        """See `Simulation`."""
        self.env.close()

    def _view(self, observation: Observation, solved: bool = False, trouble: str | None = None) -> View:
        robot = observation["robot_obs"]
        lead = self._target - robot[:6]
        lead[3:] = (lead[3:] + np.pi) % (2 * np.pi) - np.pi
        return View(
            pictures={name: observation[f"rgb_{name}"] for name in CAMERAS},
            observation=observation,
            opening=float(robot[6]),
            closed=bool(robot[14] < 0),
            lead=lead,
            solved=solved,
            trouble=trouble or self._hindrance(lead),
        )

    def _hindrance(self, lead: np.ndarray) -> str | None:
        """Why the hand is not where it was told to go."""
        excess = beyond_reach(self._target, ROBOT_BASE)
        if excess > 0:
            place = ", ".join(f"{value:.2f}" for value in self._target[:3])
            return f"the arm cannot reach ({place}): that is {100 * excess:.1f} cm too far away"
        return held_back(lead)
