"""The official package `rlbench` on CoppeliaSim behind the same environment, where it is installed."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import numpy as np

from envs.errors import UserError
from envs.rlbench.official_api import Demo, Observation, TaskEnvironment
from envs.rlbench.official_simulator import ARMS, RENDERERS, Chance, Simulator
from envs.rlbench.world import ACTION_KINDS, CLOSED, OPEN, STATES, Command, SimulatorError
from envs.tabletop.turns import matrix_of, rotation_vector

LEAD = 0.05  # m; how far the target of "delta" commands may be ahead of an arm that something holds up
PLACINGS = 3  # times that an episode is set up before it is given up; RLBench itself tries 40 places each time

_log = logging.getLogger(__name__)


class Demonstration(NamedTuple):
    """RLBench's own way of doing a task, of T frames 1/20 s apart.

    frames: camera -> uint8 (T, H, W, 3). states: name -> float64 (T, n), as `World.states` has them. commands: T - 1 of
    kind "pose", each from a frame's tip pose to the next one's.
    """

    task: str
    variation: int
    descriptions: list[str]
    frames: dict[str, np.ndarray]
    states: dict[str, np.ndarray]
    commands: list[Command]


class OfficialWorld:
    """A `World` whose simulation is the official package's, which draws its pictures in every step.

    Both kinds of command are carried out by RLBench's action mode MoveArmThenGripper, with Discrete and one of the arm
    modes below; a command lasts until the arm is there or stands still, and not one tick.
    """

    def __init__(
        self,
        sizes: dict[str, tuple[int, int]],
        *,
        depth: bool = True,
        arm: str = "ik",
        renderer: str = "opengl3",
        window: bool = False,
    ) -> None:
        """Start the simulator; there can be one in a process.

        sizes: camera -> (height, width), px. depth: without, depth pictures are zeros, which saves time. arm: "ik"
        (EndEffectorPoseViaIK, for small moves) or "planning" (EndEffectorPoseViaPlanning: any pose, up to seconds
        each). renderer: "opengl3" or "opengl" (faster, without shadows). window: show CoppeliaSim.

        Raises:
            UserError: an unknown choice, something is not installed, or a simulator runs already. SimulatorError: it
                did not start.
        """
        for name, value, choices in (("arm", arm, ARMS), ("renderer", renderer, RENDERERS)):
            if value not in choices:
                raise UserError(f"{name} {value!r} is unknown to backend 'official'; choose of {', '.join(choices)}")
        self.sizes = dict(sizes)
        self._settings: dict[str, Any] = {"depth": depth, "arm": arm, "renderer": renderer, "window": window}
        self._simulator = Simulator(self.sizes, **self._settings)
        self._chance = Chance(0)
        self._state_sizes: dict[str, int] = {}
        self._closed = self._broken = False
        self._task = ""
        self._variation = 0
        self._descriptions: list[str] = []
        self._seen: Observation | None = None
        self._target = (np.zeros(3), np.array([0.0, 0, 0, 1]))  # where "delta" commands have led the tip
        self._success = self._failed = False
        self._trouble: str | None = None

    def variations(self, task: str) -> int:
        """How many variations a task has. UserError for a task that is none of RLBench's."""
        loaded = self._load(task)
        with self._simulator.watched("count variations"):
            return int(loaded.variation_count())

    def state_size(self, task: str) -> int:
        """How many numbers the task's task_low_dim_state has in an episode of variation 0. UserError as above.

        It is counted once, in an episode of its own, so an episode that is under way is lost.
        """
        if task not in self._state_sizes:
            self._seen = None
            self._place(self._load(task), task, 0, np.random.default_rng(0))
        return self._state_sizes[task]

    def reset(self, task: str, variation: int | None, random: np.random.Generator) -> None:
        """Start an episode, in another simulator if this one has failed; no variation: drawn.

        Raises:
            UserError: an unknown task, or a variation out of its range. SimulatorError: the task found no place, or the
                simulator failed.
        """
        self._seen = None
        if self._broken:
            self._restart()
        loaded = self._load(task)
        count = self.variations(task)
        if variation is None:
            variation = int(random.integers(count))
        elif not 0 <= variation < count:
            raise UserError(f"task {task} has no variation {variation}; give 0 to {count - 1}")
        if task not in self._state_sizes and variation != 0:
            self.state_size(task)
        self._descriptions, self._seen = self._place(loaded, task, variation, random)
        self._task, self._variation = task, variation
        self._success, self._failed, self._trouble = False, False, None
        self._target = _tip(self._seen)

    def act(self, command: Command) -> None:
        """Carry out a command; what the arm refuses is `info()["trouble"]`, and the gripper still does its part.

        Raises:
            SimulatorError: the simulator failed; the episode is lost.
        """
        seen, loaded = self._now(), self._load(self._task)
        assert command.kind in ACTION_KINDS, command.kind
        move, turn = np.asarray(command.move, np.float64), unit(command.turn)
        if command.kind == "delta":
            move, turn = self._aim(_tip(seen), move, turn)
        gripper = 1.0 if command.gripper == OPEN else 0.0
        self._trouble = None
        if not self._step(loaded, np.concatenate([move, turn, [gripper]])):
            # The arm moves first, so nothing has happened yet.
            first = self._trouble
            if gripper != float(np.ravel(seen.gripper_open)[0]):
                self._step(loaded, np.array([0, 0, 0, 0, 0, 0, 1, gripper]))
            self._trouble = first
            self._target = _tip(self._now())
        elif command.kind == "pose":
            self._target = _tip(self._now())

    def states(self) -> dict[str, np.ndarray]:
        """The entries of `STATES` and task_low_dim_state, each float64 (n,), finite."""
        return self._states(self._now(), self._task)

    def ahead(self) -> np.ndarray:
        """How far the target of "delta" commands is ahead of the tip, float64 (6,), m and rad."""
        (position, orientation), (goal, attitude) = _tip(self._now()), self._target
        left = rotation_vector(matrix_of(attitude) @ matrix_of(orientation).T)
        return np.concatenate([goal - position, left])

    def picture(self, camera: str) -> tuple[np.ndarray, np.ndarray]:
        """What a camera saw after the last step: uint8 (H, W, 3), and depth float32 (H, W) in m."""
        seen = self._now()
        depth = getattr(seen, f"{camera}_depth")
        if depth is None:
            depth = np.zeros(self.sizes[camera])
        return np.asarray(getattr(seen, f"{camera}_rgb"), np.uint8), np.asarray(depth, np.float32)

    def overview(self, size: int) -> np.ndarray:
        """The first camera's last picture, stretched to uint8 (size, size, 3); black without one."""
        if self._seen is None or not self.sizes:
            return np.zeros((size, size, 3), np.uint8)
        rgb, _ = self.picture("front" if "front" in self.sizes else next(iter(self.sizes)))
        rows, columns = (np.arange(size) * side // size for side in rgb.shape[:2])
        return rgb[rows][:, columns]

    def info(self) -> dict[str, Any]:
        """How the episode stands: task, variation, descriptions, success, failed, trouble."""
        return {
            "task": self._task,
            "variation": self._variation,
            "descriptions": list(self._descriptions),
            "success": self._success,
            "failed": self._failed,
            "trouble": self._trouble,
        }

    def demonstrate(
        self, task: str, variation: int | None, random: np.random.Generator, *, attempts: int = 10
    ) -> Demonstration | None:
        """RLBench's own demonstration from a start of its choice; None if none of some attempts succeeded.

        An episode that is under way is lost. Raises as `reset` does.
        """
        self.reset(task, variation, random)  # which also says what the variation asks for
        descriptions, variation, loaded = self._descriptions, self._variation, self._load(task)
        self._seen = None
        for _ in range(attempts):
            try:
                with self._chance.drawn():
                    demos = loaded.get_demos(1, live_demos=True, max_attempts=1)
            except Exception as error:
                # A failed attempt comes as the same RuntimeError as a broken simulator, which sees nothing any more.
                _log.info("a demonstration of %s failed: %s", task, error)
                self._look(loaded)
            else:
                return self._recorded(demos[0], task, variation, descriptions)
        return None

    def close(self) -> None:
        """End the simulator; calling it again does nothing."""
        self._closed, self._seen = True, None
        self._simulator.close()

    def _load(self, task: str) -> TaskEnvironment:
        if self._closed:
            raise UserError("the environment is closed; make another one")
        try:
            return self._simulator.task(task)
        except SimulatorError:
            self._broken = True
            raise

    def _now(self) -> Observation:
        """The last observation; SimulatorError where a failure has taken it."""
        if self._broken:
            raise SimulatorError("the simulator has failed; call reset() to start another one")
        if self._seen is None:
            raise UserError("no episode is under way; call reset() first")
        return self._seen

    def _restart(self) -> None:
        _log.warning("starting another CoppeliaSim after a failure")
        self._simulator.close()
        self._simulator = Simulator(self.sizes, **self._settings)
        self._broken = False

    def _place(
        self, loaded: TaskEnvironment, task: str, variation: int, random: np.random.Generator
    ) -> tuple[list[str], Observation]:
        """Set up an episode: its descriptions and the first observation."""
        self._chance.seed(int(random.integers(2**32)))
        reason: Exception | None = None
        for _ in range(PLACINGS):
            try:
                with self._simulator.watched(f"set up task {task}"), self._chance.drawn():
                    loaded.set_variation(variation)
                    descriptions, seen = loaded.reset()
            except SimulatorError:
                self._broken = True
                raise
            except (self._simulator.package.no_place, *self._simulator.package.refusals) as error:
                reason = error
                continue
            self._state_sizes.setdefault(task, np.size(seen.task_low_dim_state))
            return list(descriptions), seen
        raise SimulatorError(f"task {task} found no place in {PLACINGS} trials; take another seed") from reason

    def _aim(
        self, tip: tuple[np.ndarray, np.ndarray], move: np.ndarray, turn: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The way from the tip to the stored target, which a "delta" command shifts before."""
        position, orientation = self._target
        ahead = position + move - tip[0]
        ahead *= min(1.0, LEAD / max(float(np.linalg.norm(ahead)), 1e-9))
        self._target = (tip[0] + ahead, unit(times(turn, orientation)))
        return ahead, unit(times(self._target[1], conjugate(tip[1])))

    def _step(self, loaded: TaskEnvironment, action: np.ndarray) -> bool:
        """One action (8,) of RLBench's; whether it was carried out."""
        try:
            with self._simulator.watched("step"), self._chance.drawn():
                self._seen, reward, over = loaded.step(action)
        except self._simulator.package.refusals as error:
            self._trouble = " ".join(str(error).split()) or type(error).__name__
            self._seen = self._look(loaded)
            return False
        except SimulatorError:
            self._broken = True
            raise
        self._success = self._success or bool(reward >= 1)
        self._failed = bool(over) and not self._success
        return True

    def _look(self, loaded: TaskEnvironment) -> Observation:
        try:
            with self._simulator.watched("observe"):
                return loaded.get_observation()
        except SimulatorError:
            self._broken = True
            raise

    def _states(self, seen: Observation, task: str) -> dict[str, np.ndarray]:
        states = {}
        for name, size in {**STATES, "task_low_dim_state": self._state_sizes[task]}.items():
            values = np.nan_to_num(np.ravel(np.asarray(getattr(seen, name), np.float64)))
            # Some tasks have more things in some variations, and their states are longer.
            states[name] = np.pad(values[:size], (0, max(size - len(values), 0)))
        position, orientation = _tip(seen)
        states["gripper_pose"] = np.concatenate([position, orientation])
        return states

    def _recorded(self, demo: Demo, task: str, variation: int, descriptions: list[str]) -> Demonstration:
        seen = [demo[i] for i in range(len(demo))]
        states = [self._states(one, task) for one in seen]
        commands = []
        for now, then in zip(seen[:-1], seen[1:], strict=True):
            (position, orientation), (aim, attitude) = _tip(now), _tip(then)
            gripper = OPEN if np.ravel(then.gripper_open)[0] > 0.5 else CLOSED
            turn = unit(times(attitude, conjugate(orientation)))
            commands.append(Command("pose", aim - position, turn, gripper))
        return Demonstration(
            task,
            variation,
            list(descriptions),
            {
                name: np.stack([np.asarray(getattr(one, f"{name}_rgb"), np.uint8) for one in seen])
                for name in self.sizes
            },
            {name: np.stack([one[name] for one in states]) for name in states[0]},
            commands,
        )


def unit(quaternion: np.ndarray) -> np.ndarray:
    """A quaternion xyzw (4,) of length 1 with w >= 0; RLBench refuses others."""
    values = np.asarray(quaternion, np.float64)
    values = values / np.linalg.norm(values)
    return -values if values[3] < 0 else values


def times(after: np.ndarray, before: np.ndarray) -> np.ndarray:
    """The rotation `before` and then `after`, in the world's axes; quaternions xyzw (4,)."""
    a, b = after[:3], before[:3]
    vector = after[3] * b + before[3] * a + np.cross(a, b)
    return np.append(vector, after[3] * before[3] - a @ b)


def conjugate(quaternion: np.ndarray) -> np.ndarray:
    """The rotation back; a unit quaternion xyzw (4,)."""
    return quaternion * np.array([-1, -1, -1, 1])


def _tip(seen: Observation) -> tuple[np.ndarray, np.ndarray]:
    """Position (3,) in m and orientation xyzw (4,) of the tip."""
    pose = np.asarray(seen.gripper_pose, np.float64)
    return pose[:3], unit(pose[3:])
