"""The one CoppeliaSim that a process can run: started, kept apart from the rest of the program, and ended."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from envs.errors import UserError
from envs.rlbench.official_api import Environment, Package, TaskEnvironment
from envs.rlbench.official_install import load_package
from envs.rlbench.world import CAMERAS, SimulatorError

ARMS = ("ik", "planning")
RENDERERS = ("opengl3", "opengl")

_log = logging.getLogger(__name__)
_running: Simulator | None = None  # CoppeliaSim keeps its state in the process, so a second one would share it


class Simulator:
    """CoppeliaSim with RLBench's scene, and the task that is loaded in it."""

    def __init__(self, sizes: dict[str, tuple[int, int]], *, depth: bool, arm: str, renderer: str, window: bool):
        """Start CoppeliaSim; sizes: camera -> (height, width), px.

        Raises:
            UserError: something is missing, or this process runs a simulator already. SimulatorError: it did not start.
        """
        global _running
        if _running is not None:
            raise UserError(
                "this process runs a CoppeliaSim already, and there can be one only: close() the other environment, "
                "or use another process"
            )
        self.package = load_package()
        self.process = os.getpid()
        self._environment: Environment | None = None
        self._task: tuple[str, TaskEnvironment] | None = None
        with self.watched("start"), _launching():
            _running = self
            try:
                self._environment = _environment(self.package, sizes, depth, arm, renderer, window)
                self._environment.launch()
            except BaseException:
                self.close()
                raise
        atexit.register(self.close)

    def task(self, name: str) -> TaskEnvironment:
        """A task in the scene, loaded unless it is there. UserError: RLBench has none of that name."""
        self.check_process()
        if self._task is None or self._task[0] != name:
            kind = self._task_class(name)
            assert self._environment is not None
            with self.watched(f"load task {name}"):
                # Not loaded anew for each episode: every time RLBench leaves objects behind in the scene.
                self._task = (name, self._environment.get_task(kind))
        return self._task[1]

    def check_process(self) -> None:
        """UserError in a process forked from the one that runs the simulator, where every call would hang."""
        if os.getpid() != self.process:
            raise UserError(
                "CoppeliaSim does not outlive a fork: make the environment inside the worker process, which is started "
                "with multiprocessing's method 'spawn'"
            )

    @contextlib.contextmanager
    def watched(self, what: str) -> Iterator[None]:
        """Turn what the simulator raises into SimulatorError; refused actions and users' mistakes stay what they are.

        An error inside CoppeliaSim comes as a RuntimeError. What ends the whole process cannot be caught.
        """
        harmless: tuple[type[Exception], ...] = (UserError, SimulatorError, self.package.no_place)
        try:
            yield
        except (*harmless, *self.package.refusals):
            raise
        except Exception as error:
            raise SimulatorError(f"CoppeliaSim failed to {what} ({type(error).__name__}: {error})") from error

    def close(self) -> None:
        """End CoppeliaSim; calling it again does nothing."""
        global _running
        environment, self._environment, self._task = self._environment, None, None
        if _running is self:
            _running = None
        atexit.unregister(self.close)
        if environment is None or os.getpid() != self.process:
            return
        with _stdout_to_stderr():
            try:
                environment.shutdown()
            except Exception as error:
                _log.warning("CoppeliaSim did not shut down properly: %s", error)

    def _task_class(self, name: str) -> type:
        # Only such names can be asked for: RLBench imports the module of the name.
        if re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) is None:
            raise UserError(f"task {name!r} is none of RLBench's; their names are written like close_microwave")
        try:
            return self.package.name_to_task_class(name)
        except self.package.invalid_task:
            raise UserError(
                f"task {name!r} is none of the installed RLBench's; its folder rlbench/tasks has a file for each"
            ) from None


def _environment(
    package: Package, sizes: dict[str, tuple[int, int]], depth: bool, arm: str, renderer: str, window: bool
) -> Environment:
    mode = {"opengl": package.render_mode.OPENGL, "opengl3": package.render_mode.OPENGL3}[renderer]
    cameras: dict[str, Any] = {}
    for name in CAMERAS:
        wanted = name in sizes
        height, width = sizes.get(name, (1, 1))
        cameras[f"{name}_camera"] = package.camera_config(
            rgb=wanted,
            depth=wanted and depth,
            point_cloud=False,  # these two are costly, and on unless switched off
            mask=False,
            image_size=(width, height),
            render_mode=mode,
            depth_in_meters=True,
        )
    observed = package.observation_config(
        **cameras,
        joint_velocities=True,
        joint_positions=True,
        joint_forces=False,
        gripper_open=True,
        gripper_pose=True,
        gripper_joint_positions=True,
        task_low_dim_state=True,
    )
    poses = package.pose_via_planning if arm == "planning" else package.pose_via_ik
    action_mode = package.move_arm_then_gripper(
        arm_action_mode=poses(absolute_mode=False), gripper_action_mode=package.discrete()
    )
    return package.environment(action_mode, obs_config=observed, headless=not window)


class Chance:
    """A stream of NumPy's global random numbers for RLBench, apart from those that the rest of the program draws."""

    def __init__(self, seed: int) -> None:
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Start the stream anew."""
        self._state = np.random.RandomState(seed).get_state()

    @contextlib.contextmanager
    def drawn(self) -> Iterator[None]:
        """The global numbers are this stream's."""
        others = np.random.get_state()
        np.random.set_state(self._state)
        try:
            yield
        finally:
            self._state = np.random.get_state()
            np.random.set_state(others)


@contextlib.contextmanager
def _launching() -> Iterator[None]:
    """CoppeliaSim prints while it starts, and stays in its own folder where it fails to."""
    folder = os.getcwd()
    try:
        with _stdout_to_stderr():
            yield
    finally:
        os.chdir(folder)


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Also what is not Python's goes to stderr; stdout belongs to results."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
